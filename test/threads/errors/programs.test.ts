/** Programs that can't be loaded, built or run alike everywhere: what create or start says. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { MillraceError } from '../../../protocol/errors.ts';
import { StreamingContext } from '../../../lib/streaming-context.ts';
import type { StreamingOptions } from '../../../lib/options.ts';
import { fixture, silent } from '../../helpers/running.ts';

const threads: StreamingOptions = { master: 'local[1]', batchInterval: 100, clock: 'manual', logger: silent };

async function thrownBy(act: () => Promise<unknown>): Promise<MillraceError> {
  try {
    await act();
  } catch (thrown) {
    if (thrown instanceof MillraceError) return thrown;
    throw thrown;
  }
  throw new Error('It was not refused.');
}

for (const [what, program, code, said] of [
  ['a module that does not exist', fixture('programs/not-there'), 'ProgramMissing', /not-there\.js can't be found/],
  ['a module whose top level throws', fixture('programs/fails-to-load'), 'ProgramMissing', /The module is not well/],
  ['a module without a default export', fixture('programs/no-default'), 'ProgramHasNoDefault', /It does export wordCount/],
  ['a default export that is no function', fixture('programs/default-is-data'), 'ProgramHasNoDefault', /not a program/],
  ['a program that throws', fixture('programs/throws'), 'ProgramThrew', /Not today/],
  ['a program that is async', fixture('programs/async'), 'ProgramAsync', /synchronously/],
  ['a plain function', (): void => {}, 'ProgramNotAModule', /local\[1\].*master inline/],
] as const) {
  t.test(`${what} is ${code}`, async (t) => {
    const error = await thrownBy(() => StreamingContext.create(program as URL, threads));
    t.equal(error.code, code);
    t.match(error.message, said);
    t.equal(StreamingContext.getActive(), null);
  });
}

t.test('a TypeScript file is ProgramNeedsBuild', async (t) => {
  const directory = t.testdir({ 'word-count.ts': 'export default function wordCount(ssc: unknown): void {}\n' });
  const error = await thrownBy(() => StreamingContext.create(pathToFileURL(join(directory, 'word-count.ts')), threads));
  t.equal(error.code, 'ProgramNeedsBuild');
  t.match(error.message, /Compile it/);
});

t.test('what a program throws is kept as the cause', async (t) => {
  const error = await thrownBy(() => StreamingContext.create(fixture('programs/throws'), threads));
  t.match(error.cause, new RangeError('Not today.'));
});

t.test('a graph that is another one on other threads is refused at start, and both sides are named', async (t) => {
  const ssc = await StreamingContext.create(fixture('programs/diverges'), threads);
  const error = await thrownBy(() => ssc.start());
  t.equal(error.code, 'ProgramDiverged');
  t.match(error.message, /map/);
  t.match(error.message, /filter/);
  t.match(error.message, /the app's thread/);
  t.equal(ssc.getState(), 'STOPPED');
});

t.test('a context that is made where programs are built says so, and start fails with it', async (t) => {
  const ssc = await StreamingContext.create(fixture('programs/makes-context'), threads);
  const error = await thrownBy(() => ssc.start());
  const codes: unknown[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) codes.push((at as { code?: unknown }).code);
  t.ok(codes.includes('ContextInsideProgram'), `${codes.join(' caused by ')}`);
  t.match(error.message, /module of its own/);
});

t.test('a graph that was built by calls can\'t run on threads of its own', async (t) => {
  const ssc = new StreamingContext(threads);
  ssc.batchesStream([[1]]).foreach(() => {});
  const error = await thrownBy(() => ssc.start());
  t.equal(error.code, 'ProgramNotAModule');
});

for (const [what, options, code, said] of [
  ['an unknown master', { master: 'spark://host:7077' }, 'UnknownMaster', /local\[n\].*spark:/],
  ['a master without threads', { master: 'local[0]' }, 'UnknownMaster', /local\[0\]/],
  ['an interval of 0', { batchInterval: 0 }, 'InvalidOption', /batchInterval.*got 0/],
  ['an interval that is no number', { batchInterval: '1s' as never }, 'InvalidOption', /batchInterval.*"1s"/],
  ['no interval', { batchInterval: undefined as never }, 'InvalidOption', /batchInterval/],
  ['an option that does not exist', { batchIntervall: 5 } as never, 'InvalidOption', /batchIntervall/],
  ['a block interval of 0', { blockIntervalMs: 0 }, 'InvalidOption', /blockIntervalMs/],
  ['an unknown clock', { clock: 'sundial' as never }, 'InvalidOption', /system, manual/],
  ['an unknown failure policy', { onBatchFailure: 'explode' as never }, 'InvalidOption', /stop, skip, continue/],
  ['a record bound above half a slab', { slabBytes: 65_536, recordBytesMax: 40_000 }, 'InvalidOption', /at most half of slabBytes/],
  // Bug: pools of 4 and 6 MiB were taken, and then nothing was received, or a batch failed.
  ['memory of fewer than two slabs for each thread', { blockMemoryBytesMax: 6 * 1_048_576 }, 'InvalidOption', /two slabs of slabBytes .* for each of \d threads/],
  ['a print that is no function', { print: 'loud' as never }, 'InvalidOption', /print/],
] as const) {
  t.test(`${what} is ${code}`, async (t) => {
    const error = await thrownBy(() => StreamingContext.create(fixture('counted-batches'), { ...threads, ...(options as object) }));
    t.equal(error.code, code);
    t.match(error.message, said);
  });
}

/** What a checkpoint directory was found to lack is told to the logger, and a directory that can't be used is an error with a code. */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { StreamingContext } from '../../lib/streaming-context.ts';
import { Run } from '../helpers/going-on.ts';
import type { RunOptions } from '../helpers/going-on.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

type Test = { after(fn: () => unknown): void };

const input: [string, number][][] = Array.from({ length: 20 }, (_, index) => [['k', index + 1]]);
const program = (ssc: StreamingContext) => ({ totals: ssc.batchesStream(input, 1).uid('in').updateStateByKey((values: readonly number[], total: number | undefined) => values.reduce((sum, value) => sum + value, total ?? 0)).uid('totals').publish() });

/** A run of so many batches: what it warned of, and its last total. */
async function life(t: Test, directory: string, batches: number, options: RunOptions = {}): Promise<{ readonly warnings: readonly string[]; readonly total: unknown }> {
  const warnings: string[] = [];
  const outputs = new Map<string, Map<number, string[]>>();
  const run = await Run.begin(t, directory, program, outputs, { logger: { log: (level, text) => void (level === 'warn' && warnings.push(text)) }, ...options });
  await run.advance(batches);
  await run.stop();
  const last = [...outputs.get('totals') ?? []].sort(([a], [b]) => a - b).at(-1)?.[1][0];
  return { warnings, total: last === undefined ? null : (JSON.parse(last) as [string, number][])[0]?.[1] };
}

function damage(file: string): void {
  const bytes = readFileSync(file);
  bytes[bytes.length >> 1]! ^= 0xff;
  writeFileSync(file, bytes);
}

/** Oldest first. Of one batch there may be two, the older of them with .bk. */
const checkpointsIn = (directory: string): string[] => readdirSync(directory).filter((name) => name.startsWith('checkpoint-')).sort((a, b) => parseInt(a.slice(11), 10) - parseInt(b.slice(11), 10) || b.length - a.length);

t.test('an older checkpoint that is taken, the torn end of a log: it goes on with all, and says so', async (t) => {
  const directory = temporaryDirectory();
  t.same(await life(t, directory, 5), { warnings: [], total: 15 });
  t.same(await life(t, directory, 1), { warnings: [], total: 21 }, 'nothing to say of a whole one');
  const newest = checkpointsIn(directory).at(-1)!;
  damage(join(directory, newest));
  const segments = join(directory, 'log');
  const last = readdirSync(segments).sort().at(-1)!;
  writeFileSync(join(segments, last), Buffer.concat([readFileSync(join(segments, last)), Buffer.from([60, 0, 0, 0, 1, 2, 3])]));
  const { warnings, total } = await life(t, directory, 1);
  t.equal(total, 28);
  t.match(warnings, [new RegExp(`${newest} could not be read .*an older checkpoint is taken`), /The end of the log was cut off in the middle of a write: 7 bytes/]);
});

t.test('createOnError: what can\'t be read is set aside, whatever of it that is, with a warning that says why and where', async (t) => {
  const whole = temporaryDirectory();
  await life(t, whole, 5);
  const checkpoints = temporaryDirectory();
  cpSync(whole, checkpoints, { recursive: true });
  for (const name of checkpointsIn(checkpoints)) damage(join(checkpoints, name));
  await t.rejects(life(t, checkpoints, 1), { code: 'CheckpointCorrupted' });
  const first = await life(t, checkpoints, 1, { createOnError: true });
  t.match(first, { total: 1, warnings: [/is set aside, under names that begin with unreadable-1, and the program begins anew: it can't be read \(CheckpointCorrupted: /] });
  t.ok(readdirSync(checkpoints).includes('unreadable-1.log'));
  t.same(await life(t, checkpoints, 1, { createOnError: true }), { warnings: [], total: 3 }, 'what can be read is gone on from');

  const log = temporaryDirectory();
  cpSync(whole, log, { recursive: true });
  for (const name of checkpointsIn(log)) rmSync(join(log, name));
  const [oldest] = readdirSync(join(log, 'log')).sort();
  damage(join(log, 'log', oldest!));
  await t.rejects(life(t, log, 1), { code: 'WalCorrupted' });
  t.match(await life(t, log, 1, { createOnError: true }), { total: 1, warnings: [/it can't be read \(WalCorrupted: /] });
});

t.test('a directory that has steps of a state and nothing else is set aside, with a warning', async (t) => {
  const directory = temporaryDirectory();
  await life(t, directory, 5);
  for (const name of readdirSync(directory)) if (name !== 'state') rmSync(join(directory, name), { recursive: true });
  t.match(await life(t, directory, 1), { total: 1, warnings: [/it holds steps of a state, and no log that they belong to/] });
});

t.test('a path that can\'t be a directory is an error that names it', async (t) => {
  const directory = temporaryDirectory();
  mkdirSync(directory, { recursive: true });
  const file = join(directory, 'file');
  writeFileSync(file, '');
  for (const path of [file, join(file, 'below'), '/proc/millrace'].slice(0, process.platform === 'linux' ? 3 : 2)) {
    await t.rejects(life(t, path, 1), { code: 'FileFailed', message: new RegExp(`Expected ${path} to be a directory that this process may read and write`), details: { directory: path } });
  }
  for (const no of [5, null, undefined, '']) await t.rejects(life(t, no as string, 1), { code: 'InvalidArgument', message: /getOrCreate expects the directory/ });
});

t.test('options of a recovery that can\'t be are refused, before the directory is touched', async (t) => {
  const directory = temporaryDirectory();
  const options = { master: 'inline', batchInterval: 1_000, clock: 'manual', allowMultipleContexts: true };
  for (const name of ['quarantine', 'createOnError', 'allowNonRestoredState']) {
    for (const value of ['yes', 1, null]) {
      const message = `Expected ${name} to be true or false; got ${JSON.stringify(value)}.`;
      await t.rejects(StreamingContext.getOrCreate(directory, program, { ...options, [name]: value } as never), { code: 'InvalidOption', message, details: { option: name } });
    }
  }
  const message = /^Expected options to be an object of options: \{ name: value \}; got /;
  for (const given of ['yes', 5, ['yes'], null]) await t.rejects(StreamingContext.getOrCreate(directory, program, given as never), { code: 'InvalidOption', message });
  t.same(readdirSync(directory), []);
});

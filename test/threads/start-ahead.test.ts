/** Going on from a directory starts the threads while the directory is read. */
import { readdirSync } from 'node:fs';
import t from 'tap';
import { Milliseconds, StreamingContext } from '../../lib/index.ts';
import type { StreamingOptions } from '../../lib/options.ts';
import { fixture } from '../helpers/running.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const program = fixture('counted-batches');
const options = { master: 'local[2]', batchInterval: Milliseconds(200), clock: 'manual', print: () => {} } as const satisfies StreamingOptions;

/** Of this process; where the system tells. Threads of Node's own are there before the first test. */
function threads(): number {
  try {
    return readdirSync('/proc/self/task').length;
  } catch {
    return 0;
  }
}

t.test('where that fails, the error is as without threads, and none of them is left', async (t) => {
  const directory = temporaryDirectory();
  // Node's own threads are there from now on.
  await t.rejects(StreamingContext.getOrCreate(directory, null, options), { code: 'CheckpointMissing' });
  const before = threads();
  await t.rejects(StreamingContext.getOrCreate(directory, null, options), { code: 'CheckpointMissing' });
  await t.rejects(StreamingContext.getOrCreate(directory, program, { ...options, batchInterval: -1 }), { code: 'InvalidOption' });
  await t.rejects(StreamingContext.getOrCreate(directory, new URL('./nowhere.js', import.meta.url), options), { code: 'ProgramMissing' });
  t.equal(threads(), before);
  const ssc = await StreamingContext.getOrCreate(directory, program, options);
  await ssc.stop();
  t.equal(threads(), before, 'nor after a context that had them');
});

t.test('a name that only the checkpoint has is the cluster\'s, too', async (t) => {
  const directory = temporaryDirectory();
  const first = await StreamingContext.getOrCreate(directory, program, { ...options, appName: 'kept' });
  await first.start();
  await first.clock.advance(1);
  await first.stop();
  const second = await StreamingContext.getOrCreate(directory, null, { master: 'local[2]', print: () => {} });
  t.equal(second.appName, 'kept');
  t.equal(second.sparkContext.appName, 'kept');
  await second.stop();
});

/** What windows and state keep over their batches, larger than shared memory, on real threads: outputs of shuffles go to the disk. */
import { existsSync } from 'node:fs';
import t from 'tap';
import type keptWindows from '../fixtures/kept-windows.ts';
import { totalOf } from '../fixtures/kept-windows.ts';
import type { KeptWindowsArgs } from '../fixtures/kept-windows.ts';
import { started } from '../helpers/running.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

/** 4 MiB, where one batch is 0.6 MB. */
const small = { slabBytes: 65_536, blockMemoryBytesMax: 4_194_304, recordBytesMax: 1_024 };
const batches = 30;

for (const form of ['plain', 'inverse'] as const) {
  t.test(`a window of 12 batches (${form}) that is larger than the pool gives right results`, async (t) => {
    const args: KeptWindowsArgs = { batches, keys: 4_000, form };
    const ssc = await started<typeof keptWindows>(t, 'kept-windows', {
      args, clock: 'manual', batchInterval: 1_000, defaultParallelism: 2, checkpointDirectory: temporaryDirectory(), taskFailuresMax: 1, ...small,
    });
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const { records } of ssc.exports.totals) seen.push(...records);
    })();
    await ssc.clock.advance(batches);
    const stats = await ssc.sparkContext.storageStats();
    t.ok(stats.outputsOnDisk > 0, 'outputs lie in files', stats);
    const scratch = ssc.sparkContext.internals.options.scratchDirectory;
    await ssc.stop();
    await reading;
    t.same(seen, Array.from({ length: batches }, (_, index) => totalOf(args, index + 1)));
    t.notOk(existsSync(scratch), 'the files go with the cluster');
  });
}

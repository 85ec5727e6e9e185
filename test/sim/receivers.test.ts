/**
 * Receivers under the simulator: their threads die at any step, by a seed. With positions every record comes exactly once, in
 * order, and no memory is left behind.
 */
import t from 'tap';
import { FromPosition, replayed, run } from '../helpers/simulated-receiver.ts';

const seeds = Number(process.env['SIM_SEEDS'] ?? 200);
const firstSeed = Number(process.env['SIM_SEED'] ?? 1);

t.test('with positions each record comes exactly once, in order, whichever io threads die', async (t) => {
  let restarts = 0;
  for (let seed = firstSeed; seed < firstSeed + seeds; seed += 1) {
    const { log, output, heldHandles, liveHandles, restarts: its } = await run({ seed, ioThreads: 1 + (seed % 3), make: (log) => new FromPosition(log) }).catch(replayed(seed));
    restarts += its;
    if (log.acknowledged !== log.records.length || output.join() !== log.records.join() || heldHandles + liveHandles > 0) {
      t.same({ acknowledged: log.acknowledged, output, heldHandles, liveHandles }, { acknowledged: log.records.length, output: log.records, heldHandles: 0, liveHandles: 0 }, `SIM_SEED=${seed} SIM_SEEDS=1, starts ${log.starts}`);
    }
  }
  t.ok(seeds < 10 || restarts > seeds / 2, `receivers started again (${restarts})`);
});

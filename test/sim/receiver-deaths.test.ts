/**
 * Receivers under the simulator that keep no positions, threads that die before each step in turn, actors that crash: nothing that
 * was acknowledged is missing.
 */
import t from 'tap';
import { StorageLevel } from '../../lib/rdd/storage-level.ts';
import { FromAcknowledged, FromPosition, replayed, run } from '../helpers/simulated-receiver.ts';

const seeds = Number(process.env['SIM_SEEDS'] ?? 200);
const firstSeed = Number(process.env['SIM_SEED'] ?? 1);

t.test('without positions nothing that was acknowledged is missing, with replicas or without', async (t) => {
  for (let seed = firstSeed; seed < firstSeed + seeds; seed += 4) {
    const level = seed % 8 === 1 ? StorageLevel.MEMORY_ONLY_2 : StorageLevel.MEMORY_ONLY;
    const { log, output, heldHandles } = await run({ seed, ioThreads: 1 + (seed % 3), make: (log) => new FromAcknowledged(log, level) }).catch(replayed(seed));
    const missing = log.records.slice(0, log.acknowledged).filter((record) => !output.includes(record));
    const invented = output.filter((record) => record >= log.records.length);
    if (missing.length + invented.length + heldHandles > 0 || log.acknowledged < log.records.length) t.fail(`SIM_SEED=${seed} SIM_SEEDS=1`, { missing, invented, heldHandles, acknowledged: log.acknowledged });
  }
  t.end();
});

t.test('an io thread may die before any step of a run: each record comes exactly once', async (t) => {
  // The first batch, from the start of the receiver to the end of its jobs; with two threads whichever the seed picks.
  for (const ioThreads of [1, 2]) {
    for (let killAt = 0; killAt < 90; killAt += ioThreads) {
      const { log, output, heldHandles, liveHandles } = await run({ seed: 5, ioThreads, killAt, make: (log) => new FromPosition(log) });
      if (output.join() !== log.records.join() || heldHandles + liveHandles > 0) t.same({ output, heldHandles, liveHandles }, { output: log.records, heldHandles: 0, liveHandles: 0 }, `killed before step ${killAt}, ${ioThreads} io threads, starts ${log.starts}`);
    }
  }
  t.pass('all of them');
});

t.test('block managers, generators and receivers may crash at any effect of a turn: each record comes exactly once', async (t) => {
  let restarts = 0;
  for (let seed = firstSeed; seed < firstSeed + seeds; seed += 8) {
    const faults = { crashProbability: 0.02, faultsMax: 6, mayCrash: (cell: { readonly ref: { readonly host: number; readonly path: string } }) => cell.ref.host > 1 && /block-manager|block-generator|\/receiver$/.test(cell.ref.path) };
    const { log, output, heldHandles, restarts: its } = await run({ seed, ioThreads: 1 + (seed % 2), killAt: -1, faults, make: (log) => new FromPosition(log) }).catch(replayed(seed));
    restarts += its;
    if (output.join() !== log.records.join() || heldHandles > 0) t.same({ output, heldHandles }, { output: log.records, heldHandles: 0 }, `SIM_SEED=${seed} SIM_SEEDS=1, starts ${log.starts}`);
  }
  t.ok(seeds < 50 || restarts > seeds / 20, `receivers started again (${restarts})`);
});

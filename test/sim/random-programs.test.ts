/**
 * Random programs in the simulator, with threads killed between batches and in the middle of them: what lay on them is made
 * again by others, and every batch is still what the sequential model gives. Each run's order of events is its seed's.
 */
import t from 'tap';
import { createPrng } from '../../lib/base/prng.ts';
import { SimulatedCluster } from '../../lib/simulated-cluster.ts';
import { checkPrograms } from '../model/check-programs.ts';
import { statefulPrograms } from '../model/random-program.ts';
import type { RandomProgram } from '../model/random-program.ts';
import { runProgram } from '../model/run-program.ts';
import type { ProgramResult } from '../model/run-program.ts';
import { goOnAWhile, killOne } from '../helpers/simulated-deaths.ts';

/** Steps of all actors that a batch is let go before a thread dies, at most. */
const stepsMax = 200;
let killed = 0;

async function runKilling(program: RandomProgram, expected: ProgramResult, seed: number): Promise<ProgramResult> {
  const cluster = new SimulatedCluster({ seed, workers: 2, defaultParallelism: 2, logger: { log: () => {} } });
  const prng = createPrng(`kills ${seed}`);
  const kill = (): void => {
    if (killOne(cluster, prng)) killed += 1;
  };
  try {
    return await runProgram(cluster.sparkContext, program, expected.failedMs.length, {
      settle: (promise) => cluster.run(promise),
      async advance(ssc, batches) {
        for (let batch = 0; batch < batches; batch += 1) {
          if (prng.int(4) === 0) kill();
          const done = ssc.clock.advance(1);
          if (prng.int(2) === 0) {
            goOnAWhile(cluster, prng, stepsMax);
            kill();
          }
          await cluster.run(done);
        }
      },
    });
  } finally {
    // The end of the cluster removes a directory: real I/O, outside of the simulation.
    await cluster.sparkContext.stop();
  }
}

t.test('any program gives what the sequential model gives, whichever threads die', async (t) => {
  const seen = await checkPrograms(t, { programs: statefulPrograms, runs: 60, seed: 1_789, run: runKilling });
  if (!seen.complete) return;
  t.ok(seen.programs >= 60, `${seen.programs} programs ran`);
  t.ok(killed > 100, `${killed} threads were killed`);
});

/**
 * Threads of a simulated cluster that die somewhere within a batch, and what must not be left of a program that has ended.
 *
 * Invariant: which thread, and after how many steps, is the seed's choice alone. Neither the app's thread nor the driver's dies: their loss ends the context.
 */
import type { Prng } from '../../lib/base/prng.ts';
import type { SimulatedCluster } from '../../lib/simulated-cluster.ts';

/** Lets the actors go so many steps, fewer than `stepsMax`. */
export function goOnAWhile({ simulator }: SimulatedCluster, prng: Prng, stepsMax: number): void {
  for (let step = prng.int(stepsMax); step > 0 && simulator.step(); step -= 1);
}

/** One of the io and worker threads dies. False: there is none just now. */
export function killOne({ simulator }: SimulatedCluster, prng: Prng): boolean {
  const victims = simulator.hosts.filter((host) => host > 1);
  if (victims.length === 0) return false;
  simulator.killHost(prng.pick(victims));
  return true;
}

/** Throws where the program, which has been stopped, has left something in memory or on the disk. */
export async function checkNothingLeft(cluster: SimulatedCluster): Promise<void> {
  const left = await cluster.run(cluster.sparkContext.storageStats());
  const { heldHandles } = await cluster.run(cluster.sparkContext.blockStats());
  if (left.persistedPartitions + left.evictable + left.sourceBlocksOnDisk + heldHandles > 0) throw new Error(`Something is left of the program: ${JSON.stringify({ ...left, heldHandles })}`);
}

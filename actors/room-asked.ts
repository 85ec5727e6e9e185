/**
 * Room in shared memory for who is no task: asked of the task scheduler, which knows what may go.
 *
 * Invariant: as a task, nobody gets more than `memoryWaitsMax` rounds; then it is told `BlockMemoryExhausted`, and at once where nothing
 * can make room.
 */
import { memoryWaitsMax } from '../lib/rdd/job-state.ts';
import { MillraceError } from '../protocol/errors.ts';
import type { ClusterOptions } from '../protocol/host.ts';
import type { RoomMade, ToTaskScheduler } from '../protocol/job.ts';
import { places } from './places.ts';
import type { HostServices } from './services.ts';

/** Tries until `attempt` gives something; undefined: it has found no room. */
export async function retryForRoom<Got>(services: HostServices, bytes: number, attempt: () => Got | undefined): Promise<Got> {
  for (let waits = 0; ; waits += 1) {
    const got = attempt();
    if (got !== undefined) return got;
    if (waits === memoryWaitsMax) throw noRoomFor(bytes, services.options);
    const { made } = await services.ask<ToTaskScheduler, RoomMade>(places.taskScheduler, (replyTo) => ({ type: 'makeRoom', bytes, replyTo }), services.options.actionTimeoutMs);
    // Once more all the same: what others have given back need not have come by whoever was asked.
    if (!made) waits = memoryWaitsMax - 1;
  }
}

export function noRoomFor(bytes: number, { blockMemoryBytesMax }: Pick<ClusterOptions, 'blockMemoryBytesMax'>): MillraceError {
  const text = `Expected ${bytes} free bytes of shared memory; the pool of blockMemoryBytesMax (${blockMemoryBytesMax}) is full, and nothing more in it can make room. Raise it, or keep less at a time.`;
  return new MillraceError('BlockMemoryExhausted', text, { details: { bytes, blockMemoryBytesMax } });
}

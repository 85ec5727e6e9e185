/**
 * Joining a program's exports to the runtime of the thread that it was built on.
 *
 * Invariant: a push, a set or a read before the wiring fails with NotInitialized; after `null` it does so again.
 */
import { broadcastNotOnApp } from './broadcast.ts';
import type { BroadcastSender } from './broadcast.ts';
import type { ProgramBuilder } from './program-builder.ts';
import { queueNotOnApp } from '../dstream/rdd-queue.ts';
import type { QueueSender } from '../dstream/rdd-queue.ts';
import type { Slicer } from '../dstream/graph.ts';

/** What the app's thread gives. Each sender settles when the driver has taken what was sent. */
export interface Wiring {
  readonly pushQueue: QueueSender;
  readonly setBroadcast: BroadcastSender;
  readonly slice: Slicer;
}

/**
 * On the app, after start; with null after stop. Inline, the app's thread is the workers', too: what a task of the program calls is
 * refused there as it is on a worker's own thread.
 */
export function wire(builder: ProgramBuilder, wiring: Wiring | null): void {
  const push: QueueSender | null = wiring === null ? null : (queue, partitions) => (builder.taskRuns ? Promise.reject(queueNotOnApp()) : wiring.pushQueue(queue, partitions));
  const set: BroadcastSender | null = wiring === null ? null : (broadcast, value) => {
    if (builder.taskRuns) throw broadcastNotOnApp();
    return wiring.setBroadcast(broadcast, value);
  };
  for (const queue of builder.queues) queue.connect(push);
  for (const broadcast of builder.sc.broadcasts) broadcast.connect(set);
  builder.graph.slicer = wiring?.slice ?? null;
}

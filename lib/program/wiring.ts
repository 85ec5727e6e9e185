/**
 * Joining a program's exports to the runtime of the thread that it was built on.
 *
 * Invariant: a push, a set or a read before the wiring fails with NotInitialized; after `null` it does so again.
 */
import type { BroadcastSender } from './broadcast.ts';
import type { ProgramBuilder } from './program-builder.ts';
import type { QueueSender } from '../dstream/rdd-queue.ts';
import type { Slicer } from '../dstream/graph.ts';

/** What the app's thread gives. Each sender settles when the driver has taken what was sent. */
export interface Wiring {
  readonly pushQueue: QueueSender;
  readonly setBroadcast: BroadcastSender;
  readonly slice: Slicer;
}

/** On the app, after start; with null after stop. */
export function wire(builder: ProgramBuilder, wiring: Wiring | null): void {
  for (const queue of builder.queues) queue.connect(wiring?.pushQueue ?? null);
  for (const broadcast of builder.sc.broadcasts) broadcast.connect(wiring?.setBroadcast ?? null);
  builder.graph.slicer = wiring?.slice ?? null;
}

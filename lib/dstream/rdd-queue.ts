/**
 * The queue behind a queueStream: the app pushes, the driver takes.
 *
 * Invariant: RDDs are taken in the order in which they were pushed, each once. At most `bound` lie on the driver: beyond that
 * `push` settles later, when one has been taken.
 *
 *   app: push(records) --(records as bytes)--> driver: [ rdd | rdd | rdd ] --> compute of the stream
 *                                                oldest            newest
 */
import { callError } from '../base/caller-place.ts';
import type { RDD } from '../rdd/rdd.ts';
import { MillraceError, previewOf } from '../../protocol/errors.ts';
import { checkCount } from './arguments.ts';

const boundDefault = 10_000;

/** Brings pushed records to the driver; settles when they lie in its queue. */
export type QueueSender = (queue: number, partitions: readonly (readonly unknown[])[]) => Promise<void>;

/** The queue behind a `queueStream`: the app pushes RDDs, each batch takes one, or all. */
export class RddQueue<T> {
  /** Place among the program's queues. @internal */
  readonly index: number;
  /** How many RDDs may lie on the driver. */
  readonly bound: number;
  readonly #defaultPartitions: number;
  #send: QueueSender | null = null;
  #rdds: RDD<T>[] = [];

  constructor(index: number, defaultPartitions: number, options: { readonly bound?: number } = {}) {
    this.index = index;
    this.bound = checkCount('queue', 'bound', options.bound ?? boundDefault);
    this.#defaultPartitions = defaultPartitions;
  }

  /** On the app: one RDD of these records, cut evenly into partitions (default parallelism). Settles when the driver has it. */
  push(records: readonly T[], partitions?: number): Promise<void> {
    if (!Array.isArray(records)) return Promise.reject(callError('InvalidArgument', 'push', `push expects an array of records, and got ${previewOf(records)}.`));
    return this.pushPartitions(cutEvenly(records, checkCount('push', 'partitions', partitions) ?? this.#defaultPartitions));
  }

  /** On the app: one RDD with just these partitions. */
  pushPartitions(partitions: readonly (readonly T[])[]): Promise<void> {
    if (this.#send === null) return Promise.reject(queueNotOnApp());
    return this.#send(this.index, partitions);
  }

  /** By the runtime, on the app. @internal */
  connect(send: QueueSender | null): void {
    this.#send = send;
  }

  /** By the runtime, on the driver: at the end of the queue. @internal */
  enqueue(rdd: RDD<T>): void {
    this.#rdds.push(rdd);
  }

  /** On the driver: the oldest, or all of them. @internal */
  take(limit: number): RDD<T>[] {
    return this.#rdds.splice(0, limit);
  }

  /** How many RDDs lie in the queue, on the driver. @internal */
  get length(): number {
    return this.#rdds.length;
  }

  /** The ids of RDDs that wait, for those who clean up. @internal */
  get waiting(): readonly RDD<T>[] {
    return this.#rdds;
  }
}

/** Partition p holds positions floor(p * n / partitions) up to, not including, floor((p + 1) * n / partitions). */
export function cutEvenly<T>(records: readonly T[], partitions: number): T[][] {
  return Array.from({ length: partitions }, (_, p) => records.slice(Math.floor((p * records.length) / partitions), Math.floor(((p + 1) * records.length) / partitions)));
}

/** On threads that only build the program, before start, after stop and in functions on records. */
export function queueNotOnApp(): MillraceError {
  return new MillraceError('NotInitialized', 'The queue belongs to a context that is not active, or to a thread that can\'t push: push from the app, between start() and stop().');
}

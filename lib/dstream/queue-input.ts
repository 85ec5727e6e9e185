/**
 * queueStream: batches out of a queue of RDDs.
 *
 * Invariant: RDDs are taken when the stream is computed for a time, never before: behind a window that slides every second
 * batch, the queue is read every second batch. One at a time: one RDD a batch. All: the union of what is there, in order.
 *
 *   queue empty, default RDD     one at a time        all at once
 *   not given                    1 empty partition    1 empty partition
 *   null                         no partitions        no partitions
 *   an RDD                       that RDD             that RDD
 */
import type { RDD } from '../rdd/rdd.ts';
import { emptyRdd, parallelize } from '../rdd/make.ts';
import type { RddId } from '../../protocol/ids.ts';
import type { InputTaken } from '../../protocol/recovery.ts';
import type { BatchTime } from '../../protocol/time.ts';
import type { BatchEnvironment } from './environment.ts';
import type { DStreamGraph } from './graph.ts';
import { InputDStream } from './input.ts';
import { keptWithin, queueBytesKeptMax } from './reach-back.ts';
import type { TakenAt } from './stream-node.ts';
import type { RddQueue } from './rdd-queue.ts';

export class QueueInputDStream<T> extends InputDStream<T> {
  readonly #queue: RddQueue<T> | RDD<T>[];
  readonly #oneAtATime: boolean;
  readonly #default: RDD<T> | null;
  #news: TakenAt[] = [];
  /** What a slice, or a batch, has taken: bytes in shared memory by time, as long as they are kept. */
  readonly #taken = new Map<BatchTime, number>();

  constructor(graph: DStreamGraph, queue: RddQueue<T> | RDD<T>[], oneAtATime: boolean, defaultRdd: RDD<T> | null | undefined) {
    super(graph, 'queueStream', { queue: Array.isArray(queue) ? null : queue.index, oneAtATime, default: defaultRdd === undefined ? 'empty' : defaultRdd === null ? 'none' : 'rdd' });
    this.#queue = queue;
    this.#oneAtATime = oneAtATime;
    this.#default = defaultRdd === undefined ? parallelize<T>(graph.host.rdds, [], 1) : defaultRdd;
  }

  /** RDDs that no batch has taken yet. */
  get waiting(): readonly RDD<T>[] {
    return Array.isArray(this.#queue) ? this.#queue : this.#queue.waiting;
  }

  override held(): RddId[] {
    const held = Array.isArray(this.#queue) ? this.#queue : this.#queue.held;
    return [...super.held(), ...held.map((rdd) => rdd.id)];
  }

  /** RDDs of a given array are the program's own, and nothing that was received. @internal */
  override get batchesWaiting(): number {
    if (Array.isArray(this.#queue)) return 0;
    return this.#oneAtATime ? this.#queue.length : Math.min(1, this.#queue.length);
  }

  override takenSince(): readonly TakenAt[] {
    return this.#news.splice(0);
  }

  /** An array is the program's own, and nobody can say what the app has put into it before a restart. @internal */
  override get canBeRestored(): boolean {
    return !Array.isArray(this.#queue);
  }

  /** Of a few small pushes, as Spark does; of many large ones as many as the bound lets. */
  protected override get keepsForSlices(): boolean {
    return true;
  }

  protected override keptMsAt(time: BatchTime): number {
    return keptWithin(queueBytesKeptMax, this.#taken, time, this.rememberMs, this.keptMs);
  }

  override forget(time: BatchTime): RDD<T>[] {
    const upTo = time - this.keptMsAt(time);
    const forgotten = super.forget(time);
    for (const at of this.#taken.keys()) if (at <= upTo) this.#taken.delete(at);
    return forgotten;
  }

  protected override compute(time: BatchTime, env: BatchEnvironment): RDD<T> {
    const recorded = env.recorded(this.operatorUid, time);
    const taken = recorded?.kind === 'queue' ? recorded.items.flatMap((item) => this.#takenBefore(item) ?? []) : this.#takeNow(time);
    this.#taken.set(time, taken.reduce((bytes, rdd) => bytes + this.#bytesOf(rdd), 0));
    const [first, ...others] = taken;
    return this.making(() => {
      if (first === undefined) return this.#default ?? emptyRdd<T>(this.host.rdds);
      return others.length === 0 ? first : first.union(...others);
    }) as RDD<T>;
  }

  /** What the program has made itself lives as long as it does. */
  #bytesOf({ id, node }: RDD<T>): number {
    if (node.kind !== 'source' || this.host.isProgramRdd(id)) return 0;
    return node.blocks.flat().reduce((bytes, { place }) => bytes + (place?.bytes ?? 0), 0);
  }

  #takenBefore(item: number): RDD<T> | undefined {
    return Array.isArray(this.#queue) ? undefined : this.#queue.restored(item);
  }

  #takeNow(time: BatchTime): RDD<T>[] {
    const limit = this.#oneAtATime ? 1 : Number.MAX_SAFE_INTEGER;
    if (Array.isArray(this.#queue)) return this.#queue.splice(0, limit);
    const { first, rdds } = this.#queue.take(limit);
    this.#news.push({ time, taken: { kind: 'queue', queue: this.#queue.index, items: rdds.map((_rdd, index) => first + index) } });
    return rdds;
  }
}

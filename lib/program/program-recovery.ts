/**
 * What a program writes down of each batch, and how it takes up again what was written down before a restart. On the driver.
 *
 * Invariant: operators are named by uid in all that is written down. What was taken for a time is taken again for that time,
 * and never for another one; what was not taken yet waits, in its order.
 */
import { decodeRecord, encodeRecord } from '../../protocol/codec.ts';
import type { DueState, EncodedPartition } from '../../protocol/batch.ts';
import type { BlockRef, FilePlace, RddNode } from '../../protocol/rdd.ts';
import type { InputRecord, InputTaken } from '../../protocol/recovery.ts';
import type { StreamBlocks, StreamLife } from '../../protocol/receiver.ts';
import type { RestoredState, StateVersion } from '../../protocol/state.ts';
import type { AccumulatorUpdate } from '../../protocol/task.ts';
import type { BlockId, RddId, StreamId } from '../../protocol/ids.ts';
import { asBatchTime, floorToGrid } from '../../protocol/time.ts';
import type { BatchTime } from '../../protocol/time.ts';
import { waitingBlocks } from '../recovery/book.ts';
import type { LoggedState, RecoveryBook } from '../recovery/book.ts';
import { partitionsAsBefore } from '../dstream/block-partitions.ts';
import type { BlockPartitions } from '../dstream/block-partitions.ts';
import type { DStream } from '../dstream/dstream.ts';
import { blocksRdd } from '../rdd/make.ts';
import { makeState } from '../dstream/state.ts';
import type { Layout } from '../dstream/state.ts';
import type { RDD } from '../rdd/rdd.ts';
import { isOver } from '../rdd/state-rdd.ts';
import { ContributionLedger } from './contribution-ledger.ts';
import type { Accumulator } from './accumulator.ts';
import type { ProgramBuilder } from './program-builder.ts';

/** What the driver's actors do before the first batch. */
export interface RestoreOrders {
  /** Received, and in no batch yet. */
  readonly waiting: readonly StreamBlocks[];
  readonly lives: readonly StreamLife[];
  readonly states: readonly RestoredState[];
}

export class ProgramRecovery {
  readonly #builder: ProgramBuilder;
  /** By input and time: of batches that are remembered. */
  readonly #recorded = new Map<string, InputTaken>();
  readonly #blocks = new Map<BatchTime, Map<StreamId, BlockPartitions>>();
  /** The totals as of the last complete batch, apart from the app's own. */
  readonly #accumulators: readonly Accumulator<unknown>[];
  readonly #contributions = new ContributionLedger();
  #totalsChanged = false;
  /** Of batches that are not complete. */
  #early: readonly AccumulatorUpdate[] = [];
  /** By state's uid: up to which version the log has been told. */
  readonly #committed = new Map<string, BatchTime>();

  constructor(builder: ProgramBuilder) {
    this.#builder = builder;
    this.#accumulators = builder.sc.accumulators.map((accumulator) => accumulator.anew());
  }

  // Writing down.

  /** What the batch's inputs are, in the names of the log. */
  inputsOf(time: BatchTime, blocks: ReadonlyMap<StreamId, BlockPartitions>): InputRecord[] {
    const received = [...blocks].map(([stream, partitions]): InputRecord => ({ uid: this.#uidOf(stream), time, taken: takenOf(partitions) }));
    return [...received, ...this.#builder.graph.takenSince()];
  }

  /** The versions of states up to the batch's, made or not, oldest first. A state that is not read in each batch has several at once. Call it once for a batch. */
  statesAt(time: BatchTime): DueState[] {
    const zero = this.#builder.graph.zeroTime ?? asBatchTime(0);
    return this.#builder.graph.states.flatMap((stream) => {
      const due: DueState[] = [];
      const uid = stream.operatorUid;
      const last = floorToGrid(time, stream.slideMs, zero);
      // All of them, also those that nobody will read again: a version is written as a step from the one before it.
      for (const [at, rdd] of stream.rddsAfter(this.#committed.get(uid) ?? zero)) {
        if (at > last) break;
        due.push({ uid, time: at, rdd: rdd.id, oldest: oldestOf(stream, last) });
        this.#committed.set(uid, at);
      }
      return due;
    });
  }

  /** It is made, or never will be. */
  isOver(rdd: RddId): boolean {
    return isOver(this.#builder.rdds, rdd);
  }

  /** With a batch that is complete. What a later one has added meanwhile (by an action while it was generated) waits for that: it may run again. */
  accumulate(time: BatchTime, updates: readonly AccumulatorUpdate[]): void {
    const all = [...this.#early, ...updates];
    this.#early = all.filter(({ batchTime }) => batchTime !== null && batchTime > time);
    const due = all.filter(({ batchTime }) => batchTime === null || batchTime <= time);
    if (due.length === 0) return;
    this.#contributions.take(this.#accumulators, due);
    this.#totalsChanged = true;
  }

  /** With a batch that is complete. Null: as they were with the one before. */
  totals(): Uint8Array[] | null {
    if (!this.#totalsChanged) return null;
    this.#totalsChanged = false;
    this.#contributions.forgetOldest();
    return this.#accumulators.map(({ value }) => encodeRecord(value));
  }

  // Taking up again.

  recorded(uid: string, time: BatchTime): InputTaken | null {
    return this.#recorded.get(`${uid}@${time}`) ?? null;
  }

  /** Null: nothing is known of that time. */
  blocksAt(stream: StreamId, time: BatchTime): BlockPartitions | null {
    const blocks = this.#blocks.get(time);
    return blocks === undefined ? null : blocks.get(stream) ?? [];
  }

  /** Nobody reads what was taken for these times any more. */
  forget(upTo: BatchTime): void {
    for (const time of this.#blocks.keys()) if (time <= upTo) this.#blocks.delete(time);
    for (const [name, taken] of this.#recorded) {
      if (Number(name.slice(name.lastIndexOf('@') + 1)) > upTo) continue;
      this.#recorded.delete(name);
      if (taken.kind === 'queue') for (const item of taken.items) this.#builder.queues[taken.queue]?.forgetRestored(item);
    }
  }

  /** Once, after the graph was started with the old zero time. `store` brings pushed records into memory again. */
  restore(book: RecoveryBook, directory: string, store: (partition: EncodedPartition) => BlockRef[]): RestoreOrders {
    const refs = new Map([...book.blocks].map(([id, { codec, place, records }]): [BlockId, BlockRef] => [id, { id, codec, records, place: inLog(directory, place) }]));
    this.#restoreInputs(book, refs);
    this.#restoreQueues(book, store);
    for (const [index, total] of (book.accumulators ?? []).entries()) this.#accumulators[index]?.restore(decodeRecord(total));
    if (book.completed !== null) this.#contributions.passOver(book.completed);
    const states = book.completed === null ? [] : this.#builder.graph.states.flatMap((stream) => this.#restoreState(stream, book.states.get(stream.operatorUid) ?? null, book.completed as BatchTime, directory));
    const waiting = [...waitingBlocks(book)].flatMap(([uid, ids]): StreamBlocks[] => {
      const stream = this.#streamOf(uid);
      if (stream === null) return [];
      const blocks = ids.map((id) => refs.get(id) as BlockRef);
      return [{ stream, blocks, records: countOf(blocks) }];
    });
    const lives = [...book.receivers].flatMap(([uid, life]): StreamLife[] => {
      const stream = this.#streamOf(uid);
      return stream === null ? [] : [{ stream, ...life }];
    });
    return { waiting, lives, states };
  }

  /** The blocks of a batch that was generated before the restart. */
  blocksOf(time: BatchTime): StreamBlocks[] {
    return [...(this.#blocks.get(time) ?? [])].map(([stream, partitions]) => {
      const blocks = partitions.flat();
      return { stream, blocks, records: countOf(blocks) };
    });
  }

  #restoreInputs(book: RecoveryBook, refs: ReadonlyMap<BlockId, BlockRef>): void {
    const inputs = new Map(this.#builder.graph.inputs.map((input) => [input.operatorUid, input]));
    if (book.forgotten !== null) for (const input of inputs.values()) input.loseUpTo(book.forgotten);
    for (const [batch, { inputs: records }] of book.batches) {
      if (!this.#blocks.has(batch)) this.#blocks.set(batch, new Map());
      for (const { uid, time, taken } of records) {
        const input = inputs.get(uid);
        if (input === undefined) continue;
        this.#recorded.set(`${uid}@${time}`, taken);
        if (taken.kind === 'blocks') {
          const byStream = this.#blocks.get(time) ?? new Map<StreamId, BlockPartitions>();
          this.#blocks.set(time, byStream.set(input.streamId, partitionsAsBefore(taken.blocks, taken.partitions, (id) => refs.get(id))));
        } else input.restoreTaken(time, taken);
      }
    }
  }

  #restoreQueues(book: RecoveryBook, store: (partition: EncodedPartition) => BlockRef[]): void {
    const taken = new Map<number, Set<number>>();
    for (const { inputs } of book.batches.values()) {
      for (const { taken: one } of inputs) {
        if (one.kind !== 'queue') continue;
        const items = taken.get(one.queue) ?? new Set<number>();
        for (const item of one.items) items.add(item);
        taken.set(one.queue, items);
      }
    }
    const { rdds } = this.#builder;
    for (const [index, { items, next }] of book.queues) {
      const made = new Map([...items].map(([item, partitions]): [number, RDD<unknown>] => [item, blocksRdd(rdds, partitions.map(store), 'queue')]));
      this.#builder.queues[index]?.restore(made, taken.get(index) ?? new Set(), next);
    }
  }

  /** The versions that can still be read. What is younger than the newest of them is made again, of the batches' inputs. */
  #restoreState(stream: DStream<unknown>, state: LoggedState | null, completed: BatchTime, directory: string): RestoredState[] {
    const zero = this.#builder.graph.zeroTime ?? asBatchTime(0);
    // Where no output has asked for it since, it is made of the inputs, as it would have been.
    if (state === null) return [];
    const last = asBatchTime(Math.min(state.upTo, floorToGrid(completed, stream.slideMs, zero)));
    this.#committed.set(stream.operatorUid, last);
    const oldest = oldestOf(stream, last);
    const { versions } = state;
    const newest = versions.at(-1);
    // What `track` has emitted lies in no version: where somebody looks back at it, these batches run again.
    const upTo = remakesEmitted(stream) ? oldest : last;
    const readable = versions.filter(({ time }) => time <= upTo && time >= oldest);
    const before = versions.filter(({ time }) => time <= upTo).at(-1);
    const kept = readable.length > 0 ? readable : before === undefined ? [] : [before];
    const rdds = kept.map(({ time }, index): [BatchTime, RDD<unknown>] => {
      const making = layoutOf(stream, time);
      const rdd = this.#settledState(stream, time, making);
      // A version that failed was passed over: the one before it stands in. Not in a window, which is made whole where there is none before it.
      return [index === kept.length - 1 && making.update.kind !== 'window' ? upTo : time, rdd];
    });
    stream.restore(rdds, upTo);
    if (newest === undefined || rdds.length === 0) return [];
    const nodes = rdds.map(([, rdd]) => rdd.node as Extract<RddNode, { kind: 'state' }>);
    return [{ table: stream.index, nodes, versions: versions.filter(({ time }) => time <= upTo).map((version) => inFiles(directory, version)) }];
  }

  #settledState(stream: DStream<unknown>, time: BatchTime, making: Layout): RDD<unknown> {
    return stream.making(() => makeState(stream, { time, ...making, input: null, initial: null, previous: null, restored: true })) as RDD<unknown>;
  }

  #uidOf(stream: StreamId): string {
    return this.#builder.graph.operators[stream]?.operatorUid ?? '';
  }

  #streamOf(uid: string): StreamId | null {
    return this.#builder.graph.inputs.find((input) => input.operatorUid === uid)?.streamId ?? null;
  }
}

function layoutOf(stream: DStream<unknown>, time: BatchTime): Layout {
  const layout = stream.spec.state?.(stream, time);
  if (layout === undefined) throw new TypeError(`${stream.kind} keeps its newest RDD, and is no state.`);
  return layout;
}

/** Some operator looks back at what a `track` state has emitted. */
function remakesEmitted(stream: DStream<unknown>): boolean {
  return stream.kind === 'mapWithState' && stream.rememberMs > stream.slideMs;
}

/** The oldest version that may still be read, or that others must be made of again. */
function oldestOf(stream: DStream<unknown>, time: BatchTime): BatchTime {
  return asBatchTime(time - stream.rememberMs + (remakesEmitted(stream) ? 0 : stream.slideMs));
}

function inFiles(directory: string, version: StateVersion): StateVersion {
  const part = (block: BlockRef | null): BlockRef | null => (block?.place != null && 'file' in block.place ? { ...block, place: inLog(directory, block.place) } : block);
  return { ...version, links: version.links.map((link) => (link === null ? null : { ...link, pairs: part(link.pairs), extra: part(link.extra) })) };
}

function inLog(directory: string, place: FilePlace): FilePlace {
  return { ...place, file: `${directory}/${place.file}`, durable: true };
}

function takenOf(partitions: BlockPartitions): InputTaken {
  const blocks = partitions.flatMap((own) => own.map(({ id }) => id));
  return { kind: 'blocks', blocks, ...(partitions.every(({ length }) => length === 1) ? {} : { partitions: partitions.map(({ length }) => length) }) };
}

function countOf(blocks: readonly BlockRef[]): number {
  return blocks.reduce((sum, { records }) => sum + Math.max(0, records), 0);
}

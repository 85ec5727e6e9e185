/**
 * A stream's place in the graph: its name, its RDDs by time, and how long it remembers them.
 *
 * Invariant: a stream has RDDs at multiples of its slide after the zero time only. The RDD for a time is made once, when
 * first asked for, and remembered until `forget`, so that all children and outputs share it.
 *
 *   time:   zero    +slide   +2 slide  +3 slide        forget(t) drops what is
 *            |        |         |         |            t - keptMs or older
 *   RDDs:   none     rdd       rdd      (asked for next)
 */
import { callError, callerPlace } from '../base/caller-place.ts';
import type { RDD } from '../rdd/rdd.ts';
import type { StorageLevel } from '../rdd/storage-level.ts';
import { MillraceError, previewOf } from '../../protocol/errors.ts';
import { asStreamId, stateUidOf } from '../../protocol/ids.ts';
import type { RddId, StreamId } from '../../protocol/ids.ts';
import type { OperatorPlace } from '../../protocol/rdd.ts';
import type { InputTaken } from '../../protocol/recovery.ts';
import { asBatchTime, floorToGrid } from '../../protocol/time.ts';
import type { BatchTime, DurationMs } from '../../protocol/time.ts';
import type { DStream } from './dstream.ts';
import type { BatchEnvironment, GraphHost } from './environment.ts';
import { andThen, guarded, inOrder, isPromise } from './generated.ts';
import type { Eventually } from './generated.ts';
import type { DStreamGraph } from './graph.ts';
import { operatorError } from './operator-error.ts';
import type { Generated, OperatorSpec } from './operator-spec.ts';
import { keptFor, reachOfCheckpoints, sliceUnavailable } from './reach-back.ts';
import { derivedUids } from './uid.ts';
import type { DerivedUids } from './uid.ts';

/** What an input took for one time. */
export interface TakenAt {
  readonly time: BatchTime;
  readonly taken: InputTaken;
}

/** Spark's least default checkpoint interval. */
const checkpointMsLeast = 10_000;

export class StreamNode<T> {
  /** @internal */
  readonly graph: DStreamGraph;
  /** Place among the graph's operators, from 0: the same on every thread. @internal */
  readonly index: number;
  /** The method that made it. */
  readonly kind: string;
  /** The streams that it is made of. */
  readonly parents: readonly DStream<unknown>[];
  /** @internal */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Between two RDDs of this stream. */
  readonly slideMs: number;
  /** `file:line:column` in the user's program, or ''. */
  readonly place: string;
  /** @internal */
  readonly spec: OperatorSpec<T>;

  #explicitUid: string | null = null;
  /** Kept once nothing can change them: they are asked for in every batch. */
  #operator: OperatorPlace | null = null;
  #derived: (DerivedUids & { readonly changes: number }) | null = null;
  #storageLevel: StorageLevel | null = null;
  /** Asked for by an operator on top of it, not by the user. */
  #persistedByItself = false;
  #checkpointMs: number | null = null;
  #rememberMs: number | null = null;
  #reachMs = 0;
  /** The time for which `compute` runs. */
  #computing: BatchTime | null = null;
  #generated = new Map<BatchTime, RDD<T> | Promise<RDD<T> | null>>();
  /** After a restart: what is not known of this time and before will never be. Null: all can be made. */
  #restoredUpTo: BatchTime | null = null;
  /** What is not known of this time and before can't be made again: it was forgotten by now, or at a restart. */
  #forgottenUpTo = -Infinity;
  #lostUpTo = -Infinity;

  constructor(graph: DStreamGraph, spec: OperatorSpec<T>) {
    this.graph = graph;
    this.kind = spec.kind;
    this.parents = spec.parents;
    this.parameters = spec.parameters ?? {};
    this.slideMs = spec.slideMs ?? spec.parents[0]?.slideMs ?? graph.batchIntervalMs;
    this.spec = spec;
    this.place = callerPlace();
    this.index = graph.addOperator(this as unknown as DStream<unknown>);
  }

  // Names.

  /** Gives the operator, and a state that only it has, a name of its own, which a checkpoint keeps it by. Throws DuplicateUid, InvalidArgument. */
  uid(id: string): this {
    if (typeof id !== 'string' || id === '') throw callError('InvalidArgument', 'uid', `uid expects a text that is not empty, and got ${previewOf(id)}.`);
    this.graph.claimUid(id, this as unknown as DStream<unknown>);
    this.#explicitUid = id;
    this.spec.ownState?.uid(stateUidOf(id));
    return this;
  }

  /** The explicit uid, or the one derived from the upstream path. */
  get operatorUid(): string {
    return this.#explicitUid ?? this.#derivedUids().own;
  }

  /** As it is part of the uids derived from it: without a number. @internal */
  get pathUid(): string {
    return this.#explicitUid ?? this.#derivedUids().path;
  }

  /** @internal */
  get hasExplicitUid(): boolean {
    return this.#explicitUid !== null;
  }

  /** @internal */
  get operator(): OperatorPlace {
    if (this.#operator !== null) return this.#operator;
    const operator = { uid: this.operatorUid, name: this.kind, place: this.place };
    if (this.graph.phase !== 'building') this.#operator = operator;
    return operator;
  }

  /** An input's name for blocks and receivers: the operator's index. @internal */
  get streamId(): StreamId {
    return asStreamId(this.index);
  }

  /** @internal */
  get host(): GraphHost {
    return this.graph.host;
  }

  /** How its RDDs are kept; null: they are computed whenever they are needed. */
  get storageLevel(): StorageLevel | null {
    return this.#storageLevel;
  }

  /** Throws CannotChangeAfterStart. */
  protected setStorageLevel(level: StorageLevel | null): void {
    this.#checkNotStarted('storage level');
    const { persists = 'self' } = this.spec;
    if (persists !== 'parents') {
      this.#storageLevel = level;
      this.#persistedByItself = false;
    }
    if (persists !== 'self') for (const parent of this.parents) parent.setStorageLevel(level);
  }

  /** For an operator that reads the same RDDs again and again: keeps them, unless the user has said how. @internal */
  persistByItself(level: StorageLevel): void {
    const { persists = 'self' } = this.spec;
    if (persists !== 'parents' && this.#storageLevel === null) {
      this.#storageLevel = level;
      this.#persistedByItself = true;
    }
    if (persists !== 'self') for (const parent of this.parents) parent.persistByItself(level);
  }

  /** How often it is checkpointed: as set, else where it must be, a multiple of the slide of at least 10 s; null: never. */
  get checkpointMs(): DurationMs | null {
    const { mustCheckpoint, checkpointSlides = Math.ceil(checkpointMsLeast / this.slideMs) } = this.spec;
    return (this.#checkpointMs ?? (mustCheckpoint === true ? this.slideMs * checkpointSlides : null)) as DurationMs | null;
  }

  /** Throws CannotChangeAfterStart. */
  protected setCheckpointInterval(intervalMs: number): void {
    this.#checkNotStarted('checkpoint interval');
    this.#checkpointMs = intervalMs;
  }

  /** How many of its RDDs somebody may read, the newest included. @internal */
  get rddsAsked(): number {
    return Math.ceil(this.rememberMs / this.slideMs);
  }

  // Generating: called by the graph and by operators, not by users.

  /** The RDD for the time: remembered, or made now; null where there is none. On the driver only. @internal */
  getOrCompute(time: BatchTime, env: BatchEnvironment): Generated<T> {
    const known = this.#generated.get(time);
    if (known !== undefined) return known;
    if (!this.isTimeValid(time)) return null;
    if (env.slicing !== undefined) this.#checkNotGone(time, env);
    if (this.#restoredUpTo !== null && time <= this.#restoredUpTo) return null;
    // A state or a window may ask this very stream for an earlier time meanwhile.
    const before = this.#computing;
    this.#computing = time;
    const made = guarded(
      () => this.compute(time, env),
      (thrown) => operatorError(thrown, this.operator, time),
      () => {
        this.#computing = before;
      },
    );
    if (!isPromise(made)) return this.#keep(time, made);
    // Until it settles the promise stands in, so that two children don't compute the same RDD twice.
    const kept = made.then(
      (rdd) => this.#keep(time, rdd),
      (thrown: unknown) => {
        this.#generated.delete(time);
        throw thrown;
      },
    );
    this.#generated.set(time, kept);
    return kept;
  }

  /** After a restart, where its RDDs are made of earlier ones: those that are known, and up to when that is all there is. @internal */
  restore(known: readonly (readonly [BatchTime, RDD<T>])[], upTo: BatchTime): void {
    for (const [time, rdd] of known) this.#generated.set(time, rdd);
    this.#restoredUpTo = upTo;
    // Where it begins anew there was nothing.
    if (known.length > 0) this.loseUpTo(upTo);
  }

  /** After a restart: what is neither known nor written down of this time and before is gone. @internal */
  loseUpTo(time: BatchTime): void {
    this.#lostUpTo = time;
  }

  /** The RDD that is remembered for the time, if there is one. @internal */
  rddAt(time: BatchTime): RDD<T> | null {
    const rdd = this.#generated.get(time);
    return rdd === undefined || isPromise(rdd) ? null : rdd;
  }

  /** The times up to `last` for which no RDD is remembered, back to the first that has one; oldest first. @internal */
  unknownUpTo(last: BatchTime): BatchTime[] {
    const times: BatchTime[] = [];
    for (let time = last; this.isTimeValid(time) && !this.#generated.has(time); time = asBatchTime(time - this.slideMs)) times.push(time);
    return times.reverse();
  }

  /** The RDDs that are remembered of later times, oldest first. @internal */
  rddsAfter(time: BatchTime): (readonly [BatchTime, RDD<T>])[] {
    const later = [...this.#generated.keys()].filter((at) => at > time).sort((a, b) => a - b);
    return later.flatMap((at) => {
      const rdd = this.rddAt(at);
      return rdd === null ? [] : [[at, rdd] as const];
    });
  }

  /** The newest RDD that is remembered, by its time. @internal */
  get newestRdd(): RDD<T> | null {
    return this.rddAt(Math.max(...this.#generated.keys()) as BatchTime);
  }

  /** True at multiples of the slide after the zero time that were not missed. Throws NotInitialized before the graph has started. @internal */
  isTimeValid(time: BatchTime): boolean {
    const zero = this.graph.zeroTime;
    if (zero === null) throw new MillraceError('NotInitialized', `The stream ${this.kind} has not been initialized: call start() first.`);
    return time > zero && (time - zero) % this.slideMs === 0 && !this.graph.isMissed(time);
  }

  /** The RDDs for the times from..to, both included and floored to the slide, oldest first; times without RDD are left out. @internal */
  rddsBetween(from: number, to: number, env: BatchEnvironment): Eventually<RDD<T>[]> {
    const { zeroTime } = this.graph;
    if (zeroTime === null) throw new MillraceError('NotInitialized', `The stream ${this.kind} has not been initialized: call start() first.`);
    const times: BatchTime[] = [];
    const last = floorToGrid(to, this.slideMs, zeroTime);
    for (let time = Math.max(floorToGrid(from, this.slideMs, zeroTime), zeroTime + this.slideMs); time <= last; time += this.slideMs) times.push(asBatchTime(time));
    return andThen(inOrder(times, (time) => this.getOrCompute(time, env)), (rdds) => rdds.filter((rdd) => rdd !== null));
  }

  /** Makes RDDs that carry this operator's name in errors. @internal */
  making<R>(make: () => Eventually<R>): Eventually<R> {
    return this.host.whileMaking(this.operator, make, this.#computing);
  }

  protected compute(time: BatchTime, env: BatchEnvironment): Generated<T> {
    return this.spec.compute(time, env, this as unknown as DStream<T>);
  }

  /** At least `durationMs`; the parents as long as this stream needs them. @internal */
  remember(durationMs: number): void {
    // Where nothing grows the parents were told already.
    if (this.#rememberMs !== null && durationMs <= this.#rememberMs) return;
    this.#rememberMs = durationMs;
    const parentMs = this.spec.parentRememberMs?.(this.#rememberMs) ?? this.#rememberMs;
    for (const parent of this.parents) parent.remember(parentMs);
  }

  /** How long RDDs are remembered; the slide, unless more was asked for. */
  get rememberMs(): DurationMs {
    return (this.#rememberMs ?? this.slideMs) as DurationMs;
  }

  /** Slices of this stream reach back so far, and those of its parents as far as it would look from there. @internal */
  reachBack(durationMs: number): void {
    if (durationMs <= this.#reachMs) return;
    this.#reachMs = durationMs;
    const parentMs = this.spec.parentRememberMs?.(durationMs) ?? durationMs;
    for (const parent of this.parents) parent.reachBack(parentMs);
  }

  /** How long RDDs are kept: as remembered, or as slices reach back where what is gone is gone. @internal */
  get keptMs(): DurationMs {
    return (this.keepsForSlices ? keptFor(this.rememberMs, this.#reachMs, this.slideMs) : this.rememberMs) as DurationMs;
  }

  /** False where RDDs are made again at no more than the cost of a slice, or keeping them costs too much. */
  protected get keepsForSlices(): boolean {
    return this.spec.keepsNewest === true;
  }

  /** The same at a time, where that depends on what it holds. */
  protected keptMsAt(_time: BatchTime): number {
    return this.keptMs;
  }

  /** True where what is made of parents, or is known beforehand, can be made again when it was forgotten. */
  protected get canBeMadeAgain(): boolean {
    return true;
  }

  /** At start, for each stream that an output depends on: how long RDDs must be remembered at least. @internal */
  initialize(): void {
    this.remember(this.slideMs);
    this.reachBack(reachOfCheckpoints(this.checkpointMs));
  }

  /** Forgets RDDs that are older than the stream remembers, and tells which. @internal */
  forget(time: BatchTime): RDD<T>[] {
    const forgotten: RDD<T>[] = [];
    const kept = this.spec.keepsNewest === true ? Math.max(...this.#generated.keys()) : Infinity;
    const upTo = time - this.keptMsAt(time);
    this.#forgottenUpTo = Math.max(this.#forgottenUpTo, upTo);
    for (const [madeFor, rdd] of this.#generated) {
      if (madeFor > upTo || madeFor >= kept || isPromise(rdd)) continue;
      this.#generated.delete(madeFor);
      forgotten.push(rdd);
    }
    return forgotten;
  }

  /** The ids of the RDDs that are remembered now. @internal */
  remembered(): RddId[] {
    return [...this.#generated.values()].flatMap((rdd) => (isPromise(rdd) ? [] : [rdd.id]));
  }

  /** What the runtime must not give back: remembered RDDs, and what an input holds for later batches. @internal */
  held(): RddId[] {
    return this.remembered();
  }

  /** How many more times an input must be computed until it has given all that was pushed into it. @internal */
  get batchesWaiting(): number {
    return 0;
  }

  /** False of an input of which nothing can be written down that would bring its batches back. @internal */
  get canBeRestored(): boolean {
    return true;
  }

  /** What an input has taken since the last call, by the time that it was taken for: to be written down before the batch runs. @internal */
  takenSince(): readonly TakenAt[] {
    return [];
  }

  /** Before the first batch after a restart: what a batch that is remembered had taken. @internal */
  restoreTaken(_time: BatchTime, _taken: InputTaken): void {}

  #derivedUids(): DerivedUids {
    const { uidChanges: changes, operators } = this.graph;
    // An explicit uid upstream changes the path: what was derived before it is derived again.
    if (this.#derived?.changes !== changes) this.#derived = { ...derivedUids(this, operators), changes };
    return this.#derived;
  }

  #keep(time: BatchTime, rdd: RDD<T> | null): RDD<T> | null {
    if (rdd === null) {
      this.#generated.delete(time);
      return null;
    }
    this.#generated.set(time, rdd);
    if (this.#storageLevel !== null && this.#isWorthKeeping(rdd)) rdd.persist(this.#storageLevel);
    return rdd;
  }

  /** State is kept by its tables. Unless the user wants it, what lies in blocks is not worth a second copy, and a level that the RDD has is left to it. */
  #isWorthKeeping(rdd: RDD<T>): boolean {
    const { kind, storage } = rdd.node;
    return kind !== 'state' && !(this.#persistedByItself && (kind === 'source' || storage !== null));
  }

  /** Throws SliceUnavailable. */
  #checkNotGone(time: BatchTime, env: BatchEnvironment): void {
    if (time > this.#forgottenUpTo && time > this.#lostUpTo) return;
    if (time <= this.#lostUpTo && env.recorded(this.operatorUid, time) === null) throw sliceUnavailable(this, time, 'lost at restart');
    if (time <= this.#forgottenUpTo && !this.canBeMadeAgain) throw sliceUnavailable(this, time, 'forgotten');
  }

  #checkNotStarted(setting: string): void {
    if (this.graph.zeroTime !== null || this.graph.phase === 'stopped') {
      throw callError('CannotChangeAfterStart', this.kind, `The ${setting} of a stream can't change after the context has started: set it on ${this.kind} while the graph is built.`);
    }
  }
}

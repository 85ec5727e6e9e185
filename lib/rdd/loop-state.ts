/**
 * What a fused loop works on: its functions, what its sink gathers, and its words for what goes wrong.
 *
 * Invariant: one state belongs to one run of one sink; it is entered anew for each piece of the partition and keeps what
 * the sink has gathered. All fields exist from the start, so that all loops of a thread see one object shape.
 */
import type { OperatorPlace } from '../../protocol/rdd.ts';
import type { KeyTable } from '../base/key-table.ts';
import { partitionOf } from '../base/key.ts';
import { MillraceError } from '../../protocol/errors.ts';
import type { FunctionScope, RunningFunction } from './function-scope.ts';
import type { Op, SinkForm, UserFunction } from './fuse.ts';
import type { TaskContext } from './task-context.ts';
import { asyncFailure, isAsyncResult, notAPairFailure, notIterableFailure, taskFailure } from './task-failure.ts';

/** How often a loop says that it lives, in source records. */
export const aliveEveryRecords = 1_024;
/** How many records are drawn at once from an iterable that is no array. */
export const drawRecordsMax = 256;

export interface LoopSetting {
  readonly context: TaskContext;
  readonly alive: (records: number) => void;
  readonly sink: SinkForm;
  readonly sinkOperator: OperatorPlace | null;
  readonly sinkFns: readonly UserFunction[];
  readonly sinkScope: FunctionScope | null;
  readonly running: RunningFunction | null;
}

export class LoopState {
  readonly context: TaskContext;
  readonly sink: SinkForm;
  readonly sinkFns: readonly UserFunction[];
  readonly sinkScope: FunctionScope | null;
  /** Null: the program has no accumulators. */
  readonly running: RunningFunction | null;
  readonly partitionOf: typeof partitionOf = partitionOf;
  readonly #sinkOperator: OperatorPlace | null;
  readonly #alive: (records: number) => void;

  ops: readonly Op[] = [];
  /** Source records until the next sign of life. */
  left = aliveEveryRecords;
  /** The sink wants no more. */
  done = false;

  out: unknown[] = [];
  keys: unknown[] = [];
  values: unknown[] = [];
  limit = -1;
  count = 0;
  has = false;
  accumulator: unknown = undefined;
  table: KeyTable<unknown> | null = null;
  buckets = 0;
  bucketKeys: unknown[][] = [];
  bucketValues: unknown[][] = [];
  put: (record: unknown) => void = noPut;
  putPair: (key: unknown, value: unknown) => void = noPut;

  constructor(setting: LoopSetting) {
    this.context = setting.context;
    this.sink = setting.sink;
    this.sinkFns = setting.sinkFns;
    this.sinkScope = setting.sinkScope;
    this.running = setting.running;
    this.#sinkOperator = setting.sinkOperator;
    this.#alive = setting.alive;
  }

  /** The next feeds go through these operators. */
  enter(ops: readonly Op[]): void {
    this.ops = ops;
  }

  alive(records: number): void {
    this.#alive(records);
  }

  /** The error for what was thrown at a step while it had `record`. */
  failure(thrown: unknown, step: number, record: unknown): Error {
    return taskFailure(thrown, this.#operatorOf(step), record, this.context);
  }

  /**
   * A step with a policy has thrown: the record is left out. Errors of our own stay failures, since they say that the program
   * is wrong (no pair, a promise), or have nothing to do with the record (the task is cancelled).
   */
  leaveOut(thrown: unknown, step: number, record: unknown): void {
    if (thrown instanceof MillraceError) throw thrown;
    const scope = step < this.ops.length ? this.ops[step]!.scope : this.sinkScope;
    if (scope === null || scope === undefined) throw thrown;
    scope.leaveOut(record, thrown);
  }

  /** Refuses the result of an async function. */
  refuseAsync(result: unknown, step: number): void {
    if (isAsyncResult(result)) throw asyncFailure(result, this.#operatorOf(step), this.context);
  }

  refuseRecord(record: unknown, step: number): never {
    throw notAPairFailure(record, this.#operatorOf(step), this.context);
  }

  /** The results of a flatMap function that returned no array. A string gives its characters, as any iterable its elements. */
  draw(result: unknown, step: number): Draw {
    const iterator = iteratorOf(result);
    if (iterator !== null) return new Draw(iterator, this);
    if (isAsyncResult(result)) throw asyncFailure(result, this.#operatorOf(step), this.context);
    throw notIterableFailure(result, this.#operatorOf(step), this.context);
  }

  /** All that `draw` would give: under a policy a record's results come all or not at all. */
  drawAll(result: unknown, step: number): unknown[] {
    const draw = this.draw(result, step);
    const all: unknown[] = [];
    for (let portion = draw.next(); portion.length !== 0; portion = draw.next()) for (const element of portion) all.push(element);
    return all;
  }

  #operatorOf(step: number): OperatorPlace | null {
    return step < this.ops.length ? this.ops[step]!.operator : this.#sinkOperator;
  }
}

/** True where a record whose function throws is left out. */
export function hasPolicy({ onError }: Op): boolean {
  return onError !== undefined && onError !== null;
}

/** An iterable, a bounded number of elements at a time: so an endless one costs no more than is taken of it. */
export class Draw {
  #iterator: Iterator<unknown> | null;
  readonly #state: LoopState | null;

  constructor(iterator: Iterator<unknown>, state: LoopState | null) {
    this.#iterator = iterator;
    this.#state = state;
  }

  /** The next elements; an empty array at the end. */
  next(): unknown[] {
    const elements: unknown[] = [];
    const iterator = this.#iterator;
    if (iterator === null) return elements;
    // An endless iterable under a task that was cancelled must end too.
    if (this.#state !== null) this.#state.alive(0);
    // Forgotten while it runs: an iterator that has thrown is not closed.
    this.#iterator = null;
    while (elements.length < drawRecordsMax) {
      const step = iterator.next();
      if (step.done === true) return elements;
      elements.push(step.value);
    }
    this.#iterator = iterator;
    return elements;
  }

  /** Lets an iterator that was not read to its end clean up. */
  close(): void {
    const iterator = this.#iterator;
    this.#iterator = null;
    if (iterator !== null) iterator.return?.();
  }
}

/** Null for what can't be iterated. */
export function iteratorOf(value: unknown): Iterator<unknown> | null {
  if (value === null || value === undefined) return null;
  const make = (value as Partial<Iterable<unknown>>)[Symbol.iterator];
  return typeof make === 'function' ? make.call(value) : null;
}

function noPut(): never {
  throw new Error('The sink of this loop takes no records.');
}

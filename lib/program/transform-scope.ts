/**
 * One call of a `transform` function: on the driver, where it is recorded, and on a worker, where it is replayed.
 *
 * Invariant: both number the functions that are made inside the call in the order in which RDD operators first get them, and
 * the actions in the order of their calls. So `batch` names made by the driver are found by the worker, as long as the
 * function depends on its arguments, on actions' results and on broadcast variables alone.
 *
 *   driver                                      worker
 *   f(rdd, time)                                f(stub, time)
 *     rdd.map(g)      -> batch ref 0              stub.map(g')       -> slot 0 = g'
 *     rdd.count()     -> runs, recorded: 17       stub.count()       -> 17, nothing runs
 *     rdd.filter(h)   -> batch ref 1              stub.filter(h')    -> slot 1 = h'
 *
 * The job of an action inside the call needs the functions made before it, while the call is still under way: then the
 * record ends with the actions that are done, and the replay stops at the first that is not.
 */
import { decodeRecord, encodeRecord } from '../../protocol/codec.ts';
import { fromWireError, toWireError } from '../../protocol/errors.ts';
import type { WireError } from '../../protocol/errors.ts';
import type { ProgramId } from '../../protocol/ids.ts';
import type { FunctionRef, ReplayRecord, RddNode } from '../../protocol/rdd.ts';
import type { BatchTime } from '../../protocol/time.ts';
import { hashFunction } from '../dstream/uid.ts';
import type { AnyFunction } from './function-table.ts';

/** Turns that a replay waits between two actions that are under way at once, so that each one's sequel runs first. */
const turnsBetweenActions = 50;

export class TransformScope {
  readonly program: ProgramId;
  readonly operator: number;
  readonly time: BatchTime;
  readonly functions: AnyFunction[] = [];
  /** Replays only: settles when an action was called whose result is not known yet. The functions made so far are all there are. */
  readonly stalled: Promise<void>;
  readonly #numbers = new Map<AnyFunction, number>();
  readonly #parents: ReplayRecord['parents'];
  /** Null on the driver: actions run. */
  readonly #recorded: readonly Uint8Array[] | null;
  readonly #actions: (Uint8Array | null)[] = [];
  readonly #stall: () => void;
  #last: Promise<unknown> | null = null;

  private constructor(program: ProgramId, operator: number, time: BatchTime, parents: ReplayRecord['parents'], recorded: readonly Uint8Array[] | null) {
    this.program = program;
    this.operator = operator;
    this.time = time;
    this.#parents = parents;
    this.#recorded = recorded;
    let stall = (): void => {};
    this.stalled = new Promise((resolve) => (stall = resolve));
    this.#stall = stall;
  }

  static recording(program: ProgramId, operator: number, time: BatchTime, parents: readonly RddNode[]): TransformScope {
    return new TransformScope(program, operator, time, parents.map(({ id, partitions, partitioner }) => ({ id, partitions, partitioner })), null);
  }

  static replaying(record: ReplayRecord): TransformScope {
    return new TransformScope(record.program, record.operator, record.time, record.parents, record.actions);
  }

  refOf(fn: AnyFunction): FunctionRef {
    let index = this.#numbers.get(fn);
    if (index === undefined) {
      index = this.functions.push(fn) - 1;
      this.#numbers.set(fn, index);
    }
    return { kind: 'batch', program: this.program, operator: this.operator, time: this.time, index };
  }

  /**
   * Runs an action and keeps its outcome, or gives back the one that was kept. One action runs at a time, also where several
   * were begun at once: what follows on each is then done in the same order here and in a replay.
   */
  action<R>(run: () => Promise<R>): Promise<R> {
    const place = this.#actions.push(null) - 1;
    const before = this.#last;
    const turn = async (): Promise<R> => {
      if (before !== null) await before;
      return this.#recorded === null ? this.#record(place, run) : this.#replay<R>(this.#recorded[place], run, before !== null);
    };
    const outcome = turn();
    const settled: Promise<unknown> = outcome.then(() => {}, () => {}).then(() => {
      if (this.#last === settled) this.#last = null;
    });
    this.#last = settled;
    return outcome;
  }

  /** What a worker needs to make the same functions: as far as the call has come. */
  record(): ReplayRecord {
    const pending = this.#actions.indexOf(null);
    const actions = (pending < 0 ? this.#actions : this.#actions.slice(0, pending)) as Uint8Array[];
    return { program: this.program, operator: this.operator, time: this.time, parents: this.#parents, actions, functionHashes: this.functions.map(hashFunction) };
  }

  async #record<R>(place: number, run: () => Promise<R>): Promise<R> {
    try {
      const result = await run();
      this.#actions[place] = encodeRecord([true, result]);
      return result;
    } catch (thrown) {
      this.#actions[place] = encodeRecord([false, toWireError(thrown)]);
      throw thrown;
    }
  }

  async #replay<R>(bytes: Uint8Array | undefined, run: () => Promise<R>, others: boolean): Promise<R> {
    // For the functions that the action itself takes (an order, a zero's fold): its jobs never come back, so it gets no further.
    run().catch(() => {});
    if (bytes === undefined) {
      // The job that this replay serves is this very action: the call got no further on the driver.
      this.#stall();
      return new Promise<never>(() => {});
    }
    for (let turns = 0; others && turns < turnsBetweenActions; turns += 1) await null;
    const [ok, outcome] = decodeRecord(bytes) as [boolean, unknown];
    if (!ok) throw fromWireError(outcome as WireError);
    return outcome as R;
  }
}

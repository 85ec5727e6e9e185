/**
 * Replaying a transform call on a worker: the same closures, out of the same program, for the `batch` names of a stage.
 *
 * Invariant: replays of one program run one after another on a thread; each gives as many functions as the driver's call
 * made, in the same order, or fails with ProgramDiverged. Nothing of a replay but its functions stays.
 */
import { MillraceError } from '../../protocol/errors.ts';
import type { FunctionRef, ReplayRecord, RddNode } from '../../protocol/rdd.ts';
import type { DStreamGraph } from '../dstream/graph.ts';
import { andThen, inOrder, isPromise } from '../dstream/generated.ts';
import type { Eventually } from '../dstream/generated.ts';
import { hashFunction } from '../dstream/uid.ts';
import { RDD } from '../rdd/rdd.ts';
import type { AnyFunction } from './function-table.ts';
import type { ProgramRdds } from './program-rdds.ts';
import { TransformScope } from './transform-scope.ts';

/** The functions of one recorded call, in order. A promise where the transform's function is async. */
export function replayTransform(graph: DStreamGraph, rdds: ProgramRdds, record: ReplayRecord): Eventually<readonly AnyFunction[]> {
  const stream = graph.operators[record.operator];
  const replay = stream?.spec.replay;
  if (stream === undefined || replay === undefined) {
    throw new MillraceError('ProgramDiverged', `Operator ${record.operator} is ${stream?.kind ?? 'missing'} on this thread, and was a transform on the driver.`);
  }
  const scope = TransformScope.replaying(record);
  const parents = record.parents.map(({ id }) => new RDD<unknown>(rdds, id));
  const call = (): Eventually<unknown> => {
    const made = replay(parents, record.time) as Eventually<unknown>;
    return isPromise(made) ? Promise.race([made, scope.stalled]) : made;
  };
  return andThen(rdds.replay(scope, record.parents.map(stubOf), call), () => {
    checkHashes(record, scope.functions, stream.operator.place);
    return scope.functions;
  });
}

/** A replay that made other functions than the driver's call must not run: its results would be wrong without a word. */
function checkHashes(record: ReplayRecord, functions: readonly AnyFunction[], place: string): void {
  record.functionHashes?.forEach((hash, index) => {
    const fn = functions[index];
    if (fn !== undefined && hashFunction(fn) === hash) return;
    throw new MillraceError(
      'ProgramDiverged',
      `The transform function${place === '' ? '' : ` at ${place}`} made ${fn === undefined ? 'no' : 'another'} function ${index} in the replay for the batch at ${record.time} ms than on the driver. It may depend on its arguments, its actions' results and broadcast variables alone.`,
      { details: { operator: record.operator, batchTime: record.time, index } },
    );
  });
}

/** An RDD with the layout of the driver's and no records. */
function stubOf(parent: ReplayRecord['parents'][number]): RddNode {
  return { ...parent, kind: 'source', parents: [], blocks: [], storage: null, operator: null };
}

/** How many calls' functions a worker keeps. Beyond it the one that was used longest ago goes, and is replayed again when needed. */
const replaysMaxDefault = 64;

interface Replayed {
  readonly functions: readonly AnyFunction[];
  /** How many actions' results it was given: a call that was under way on the driver is replayed again with more. */
  readonly actions: number;
}

/** The replayed calls of one program on one worker. */
export class ReplayCache {
  readonly #graph: DStreamGraph;
  readonly #rdds: ProgramRdds;
  readonly #replaysMax: number;
  readonly #replayed = new Map<string, Replayed>();
  #running: Promise<unknown> | null = null;

  constructor(graph: DStreamGraph, rdds: ProgramRdds, replaysMax = replaysMaxDefault) {
    this.#graph = graph;
    this.#rdds = rdds;
    this.#replaysMax = replaysMax;
  }

  /**
   * Right before a stage's functions are resolved: replays what is not there yet, and keeps all of it until the next call. A
   * promise only where a transform's function is async, or an earlier `prepare` is still under way.
   */
  prepare(records: readonly ReplayRecord[]): Eventually<void> {
    const run = (): Eventually<void> => andThen(inOrder(records.filter((record) => !this.#isThere(record)), (record) => this.#replay(record)), () => this.#evict(records.length));
    const result = this.#running === null ? run() : this.#running.then(run);
    if (!isPromise(result)) return result;
    const settled: Promise<unknown> = result.then(() => {}, () => {}).then(() => {
      if (this.#running === settled) this.#running = null;
    });
    this.#running = settled;
    return result;
  }

  /** The closure of a `batch` name. Its call was prepared. */
  resolve(ref: Extract<FunctionRef, { kind: 'batch' }>): AnyFunction {
    const fn = this.#replayed.get(keyOf(ref))?.functions[ref.index];
    if (fn !== undefined) return fn;
    throw new MillraceError('ProgramDiverged', `Function ${ref.index} of the transform call of operator ${ref.operator} for the batch at ${ref.time} ms is not known on this thread: the call was not replayed here, or made fewer functions than on the driver.`);
  }

  get size(): number {
    return this.#replayed.size;
  }

  #replay(record: ReplayRecord): Eventually<void> {
    return andThen(replayTransform(this.#graph, this.#rdds, record), (functions) => {
      this.#replayed.set(keyOf(record), { functions, actions: record.actions.length });
    });
  }

  /** True where the call was replayed with as much as this record knows. Makes it the one used last. */
  #isThere(record: ReplayRecord): boolean {
    const key = keyOf(record);
    const found = this.#replayed.get(key);
    if (found === undefined) return false;
    this.#replayed.delete(key);
    if (found.actions < record.actions.length || found.functions.length < (record.functionHashes?.length ?? 0)) return false;
    this.#replayed.set(key, found);
    return true;
  }

  #evict(needed: number): void {
    const keep = Math.max(this.#replaysMax, needed);
    for (const key of this.#replayed.keys()) {
      if (this.#replayed.size <= keep) return;
      this.#replayed.delete(key);
    }
  }
}

function keyOf(call: { readonly operator: number; readonly time: number }): string {
  return `${call.operator}@${call.time}`;
}

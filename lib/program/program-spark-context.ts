/**
 * `ssc.sc` inside a program: RDDs, broadcast variables and accumulators, in the words of Spark's SparkContext.
 *
 * Invariant: what is made while the graph is built is made alike on every thread. Records of `parallelize` stay where they
 * are until the driver first needs them.
 */
import { callError } from '../base/caller-place.ts';
import { checkFunction, checkText } from '../dstream/arguments.ts';
import type { RunningFunction } from '../rdd/function-scope.ts';
import { emptyRdd, parallelize, textFileRdd, unionRdds } from '../rdd/make.ts';
import type { RDD, RecordHint } from '../rdd/rdd.ts';
import { Accumulator } from './accumulator.ts';
import { Broadcast } from './broadcast.ts';
import type { ProgramRdds } from './program-rdds.ts';

/** The files that a path means, with their sizes: one file, or the plain files of a directory. */
export type FileSizes = (path: string) => readonly { readonly file: string; readonly bytes: number }[];

export class ProgramSparkContext {
  readonly #rdds: ProgramRdds;
  readonly #fileSizes: FileSizes;
  readonly broadcasts: Broadcast<unknown>[] = [];
  readonly accumulators: Accumulator<unknown>[] = [];
  /** By this thread's tasks: for which work a function adds to an accumulator. */
  readonly running: RunningFunction = { scope: null };
  readonly #checkBuilding: (what: string) => void;

  constructor(rdds: ProgramRdds, fileSizes: FileSizes, checkBuilding: (what: string) => void) {
    this.#rdds = rdds;
    this.#fileSizes = fileSizes;
    this.#checkBuilding = checkBuilding;
  }

  /** Partitions of what is made without a number. */
  get defaultParallelism(): number {
    return this.#rdds.defaultParallelism;
  }

  /** The records, cut evenly into partitions (default parallelism). */
  parallelize<T extends RecordHint>(records: Iterable<T>, partitions?: number): RDD<T> {
    return parallelize<T>(this.#rdds, records, partitions);
  }

  /** No records, no partitions. */
  emptyRDD<T = never>(): RDD<T> {
    return emptyRdd<T>(this.#rdds);
  }

  /** One RDD after another. */
  union<T>(rdds: readonly RDD<T>[]): RDD<T> {
    return unionRdds<T>(this.#rdds, rdds);
  }

  /** The lines of a file, or of the files in a directory. Sizes are looked up now. */
  textFile(path: string, minPartitions?: number): RDD<string> {
    return textFileRdd(this.#rdds, this.#fileSizes(checkText('textFile', 'path', path)), minPartitions);
  }

  /** A value for all threads; a function is a factory, called once on each thread that needs it. */
  broadcast<T>(given: (() => T) | T): Broadcast<T> {
    this.#checkBuilding('broadcast');
    const make = typeof given === 'function' ? (given as () => T) : (): T => given;
    const broadcast = new Broadcast<T>(this.broadcasts.length, make);
    this.broadcasts.push(broadcast as unknown as Broadcast<unknown>);
    return broadcast;
  }

  /** Adds numbers up, or merges anything by a function of two. `initial` must be neutral to it. */
  accumulator(initial: number, merge?: (a: number, b: number) => number, name?: string): Accumulator<number>;
  accumulator<A>(initial: A, merge: (a: A, b: A) => A, name?: string): Accumulator<A>;
  accumulator<A>(initial: A, merge?: (a: A, b: A) => A, name?: string): Accumulator<A> {
    this.#checkBuilding('accumulator');
    if (merge === undefined && typeof initial !== 'number') {
      throw callError('InvalidArgument', 'accumulator', 'accumulator expects a function that merges two values, unless the initial value is a number.');
    }
    if (merge !== undefined) checkFunction('accumulator', merge);
    const index = this.accumulators.length;
    const accumulator = new Accumulator<A>(index, name ?? `accumulator-${index}`, initial, merge, this.running);
    this.accumulators.push(accumulator as unknown as Accumulator<unknown>);
    return accumulator;
  }
}

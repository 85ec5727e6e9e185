/**
 * An input whose batches are known beforehand: for tests, and for programs that replay a recording.
 *
 * Invariant: batch i (from 0) holds `batches[i]`, cut evenly into partitions, whenever it is computed. A null entry gives no
 * RDD for its time; past the end there is an RDD without records.
 */
import type { RDD } from '../rdd/rdd.ts';
import { parallelize } from '../rdd/make.ts';
import type { BatchTime } from '../../protocol/time.ts';
import { checkCount } from './arguments.ts';
import type { DStreamGraph } from './graph.ts';
import { InputDStream } from './input.ts';

export class BatchesInputDStream<T> extends InputDStream<T> {
  readonly #batches: readonly (readonly T[] | null)[];
  readonly #partitions: number;

  constructor(graph: DStreamGraph, batches: readonly (readonly T[] | null)[], partitions: number) {
    super(graph, 'batchesStream', { partitions: checkCount('batchesStream', 'partitions', partitions), batches: batches.length });
    this.#batches = batches;
    this.#partitions = partitions;
  }

  protected override get canBeMadeAgain(): boolean {
    return true;
  }

  /** It is known beforehand in each life. @internal */
  override loseUpTo(): void {}

  protected override compute(time: BatchTime): RDD<T> | null {
    const index = (time - (this.graph.zeroTime ?? 0)) / this.graph.batchIntervalMs - 1;
    const records = index < this.#batches.length ? this.#batches[index] ?? null : [];
    return records === null ? null : (this.making(() => parallelize<T>(this.host.rdds, records, this.#partitions)) as RDD<T>);
  }
}

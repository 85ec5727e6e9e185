/**
 * What a measured process is told: the same words for Millrace (as JSON) and for its peers (as their own arguments).
 *
 * Invariant: where both sides have a setting, both get the same value for it.
 */
export interface SubjectSettings {
  /**
   * `socket`: lines from 127.0.0.1:port, words counted in each batch; `windowInverse` and `windowPlain`: the same in windows that slide
   * by a batch. `memory`: a cached RDD of lines, one batch of all of them after another. The names of the state's methods: keyed state.
   */
  readonly program: 'socket' | 'memory' | 'windowInverse' | 'windowPlain' | 'updateStateByKey' | 'mapWithState';
  readonly master: string;
  readonly batchMs: number;
  readonly port?: number;
  /** memory: how many lines there are, and how many batches of them. */
  readonly lines?: number;
  readonly batches?: number;
  /** Keyed state: how many keys there are from the start, and how many a batch brings. */
  readonly keys?: number;
  readonly updates?: number;
  /** Windows: their length. */
  readonly windowMs?: number;
  /** Where the programs that need one checkpoint to; made and removed with the process. */
  readonly checkpointDirectory?: string;
  /** It ends by itself after so many batches. */
  readonly stopAfterBatches?: number;
  /** On the end of stdin: process what has been received, then end. */
  readonly graceful?: boolean;
}

/** The block interval that both sides run with: Spark's default, or the batch interval where that is shorter. */
export function blockIntervalFor(batchMs: number): number {
  return Math.min(200, batchMs);
}

/**
 * What a measured process is told: the same words for Millrace (as JSON) and for its peers (as their own arguments).
 *
 * Invariant: where both sides have a setting, both get the same value for it.
 */
export interface SubjectSettings {
  /** `socket`: lines from 127.0.0.1:port. `memory`: a cached RDD of lines, one batch of all of them after another. */
  readonly program: 'socket' | 'memory';
  readonly master: string;
  readonly batchMs: number;
  readonly port?: number;
  /** memory: how many lines there are, and how many batches of them. */
  readonly lines?: number;
  readonly batches?: number;
  /** It ends by itself after so many batches. */
  readonly stopAfterBatches?: number;
  /** On the end of stdin: process what has been received, then end. */
  readonly graceful?: boolean;
}

/** The block interval that both sides run with: Spark's default, or the batch interval where that is shorter. */
export function blockIntervalFor(batchMs: number): number {
  return Math.min(200, batchMs);
}

/**
 * What the process of the soak benchmark is told, as JSON.
 *
 * Invariant: `samples` of its `batches` are told as `memory` events, evenly spread; the last one is of the last batch where the
 * one is a multiple of the other.
 */
export interface SoakSettings {
  readonly master: string;
  readonly batchMs: number;
  readonly port: number;
  readonly batches: number;
  readonly samples: number;
  readonly rememberMs: number;
  readonly windowMs: number;
  readonly slideMs: number;
  readonly idleMs: number;
  readonly poolBytes: number;
  readonly slabBytes: number;
}

/**
 * How far back a slice reaches: what streams keep of their past beyond what their batches need, and what is said of the rest.
 *
 * As in Spark, a stream that is checkpointed can be sliced over two of its intervals, and so can all that it is made of. What costs
 * memory for that is kept where it is little or can go to the disk: versions of state, and what a queue has given, up to a bound.
 * Operators between them keep nothing: their RDDs are made again. Blocks of receivers are kept for batches alone.
 *
 *   time:   ... gone: an error | kept for slices | batches still read it | now
 *                              |---- keptMs ---------------------------->|
 *
 * Invariant: a slice gives what a batch has got, or would get, or an error: never an RDD of an input that has forgotten the batch.
 */
import { MillraceError } from '../../protocol/errors.ts';
import type { OperatorPlace } from '../../protocol/rdd.ts';
import type { BatchTime } from '../../protocol/time.ts';

/** Spark's: in checkpoint intervals. */
const intervalsKept = 2;

/** RDDs that a stream keeps for slices alone: two default intervals at slides of 100 ms. Each costs in every batch. */
const rddsKeptMax = 200;

/** Of what a queue has given, for slices alone. It lies in shared memory, and does not go to the disk. */
export const queueBytesKeptMax = 16 * 1024 * 1024;

/** How far back slices of a stream, and of what it is made of, are to reach on account of its checkpoints. In ms. */
export function reachOfCheckpoints(checkpointMs: number | null): number {
  return checkpointMs === null ? 0 : intervalsKept * checkpointMs;
}

/** How long a stream keeps its RDDs that its batches need for `rememberMs`, and slices for `reachMs`. */
export function keptFor(rememberMs: number, reachMs: number, slideMs: number): number {
  return Math.max(rememberMs, Math.min(reachMs, rddsKeptMax * slideMs));
}

/**
 * How far back slices reach, where what lies behind `rememberMs` may take `bytesMax` at most: the newest of it stays.
 * `sizes`: bytes by time, in any order.
 */
export function keptWithin(bytesMax: number, sizes: Iterable<readonly [BatchTime, number]>, time: BatchTime, rememberMs: number, keptMs: number): number {
  let bytes = 0;
  for (const [at, size] of [...sizes].sort(([a], [b]) => b - a)) {
    if (at > time - rememberMs) continue;
    bytes += size;
    if (bytes > bytesMax) return Math.min(keptMs, time - at);
  }
  return keptMs;
}

/** A slice asks, by way of its parents or itself, for what the stream had at `time`, and that is gone, or has not come yet. */
export function sliceUnavailable(stream: { readonly operator: OperatorPlace; readonly keptMs: number }, time: BatchTime, why: 'forgotten' | 'lost at restart' | 'not yet'): MillraceError {
  const { operator, keptMs } = stream;
  const named = operator.place === '' ? operator.name : `${operator.name} at ${operator.place}`;
  const details = { operator: operator.uid, name: operator.name, place: operator.place, batchTime: time, keptMs };
  const text = {
    forgotten: `and they are gone: it keeps its batches for ${keptMs} ms, and can't read them again. Call remember() with the time that slices reach back, or slice later times.`,
    'lost at restart': 'and the checkpoint that the program goes on from does not have them. Slice times after the restart, or call remember() with the time that slices reach back.',
    'not yet': 'and that batch has not been yet. Slice times up to the last batch.',
  }[why];
  return new MillraceError('SliceUnavailable', `The slice needs the records of ${named} for ${time} ms, ${text}`, { details });
}

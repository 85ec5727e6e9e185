/**
 * A stream of the sequential model: its slide, and its RDD of a time.
 *
 * Invariant: a stream has RDDs at multiples of its slide after 0 alone; the RDD of a time is computed at most once, when first
 * asked for (queues are taken from then), and all of them are remembered.
 */
import type { SequentialRdd } from './sequential-rdd.ts';

export interface SequentialStream {
  readonly slideMs: number;
  /** Null: none at that time. Rejects as the real stream's generation would fail. */
  rddAt(time: number): Promise<SequentialRdd | null>;
  /** Of mapWithState: all keys with their states. */
  readonly snapshots?: SequentialStream;
}

/** An operation met a time at which a parent that it can't do without has no RDD. */
export class NoRdd extends Error {}
/** Streams of different slides can't be combined. */
export class SlideMismatch extends Error {}
/** More records in one RDD than the model was told to take. */
export class TooManyRecords extends Error {}

type Compute = (time: number) => Promise<SequentialRdd | null>;

export function sequentialStream(slideMs: number, compute: Compute, recordsMax = Infinity): SequentialStream {
  const rddAt = remembered(async (time) => {
    const rdd = await compute(time);
    if (rdd !== null && rdd.records.length > recordsMax) throw new TooManyRecords(`${rdd.records.length} records at ${time} ms`);
    return rdd;
  });
  return { slideMs, rddAt: async (time) => (time > 0 && time % slideMs === 0 ? rddAt(time) : null) };
}

/** Each time's value is computed once. */
export function remembered<T>(compute: (time: number) => Promise<T>): (time: number) => Promise<T> {
  const made = new Map<number, Promise<T>>();
  return (time) => {
    const known = made.get(time) ?? compute(time);
    made.set(time, known);
    return known;
  };
}

/** Of one parent; where that has no RDD there is none. */
export function derived(parent: SequentialStream, make: (rdd: SequentialRdd, time: number) => SequentialRdd): SequentialStream {
  return sequentialStream(parent.slideMs, async (time) => {
    const rdd = await parent.rddAt(time);
    return rdd === null ? null : make(rdd, time);
  });
}

/** Of parents that must all have an RDD, and the same slide. */
export function combined(parents: readonly SequentialStream[], make: (rdds: readonly SequentialRdd[], time: number) => SequentialRdd | Promise<SequentialRdd>): SequentialStream {
  const [first, ...others] = parents;
  if (first === undefined) throw new Error('Expected at least one stream, got none.');
  if (others.some((other) => other.slideMs !== first.slideMs)) throw new SlideMismatch(`slides of ${parents.map(({ slideMs }) => slideMs).join(', ')} ms`);
  return sequentialStream(first.slideMs, async (time) => {
    const rdds: SequentialRdd[] = [];
    for (const parent of parents) {
      const rdd = await parent.rddAt(time);
      if (rdd === null) throw new NoRdd(`Couldn't generate RDD from parent at time ${time} ms`);
      rdds.push(rdd);
    }
    return make(rdds, time);
  });
}

/** The RDDs that a stream has for the times from..to, both included, oldest first. */
export async function rddsBetween(stream: SequentialStream, from: number, to: number): Promise<SequentialRdd[]> {
  const rdds: SequentialRdd[] = [];
  for (let time = Math.max(floor(from, stream.slideMs), stream.slideMs); time <= floor(to, stream.slideMs); time += stream.slideMs) {
    const rdd = await stream.rddAt(time);
    if (rdd !== null) rdds.push(rdd);
  }
  return rdds;
}

function floor(time: number, slideMs: number): number {
  return Math.floor(time / slideMs) * slideMs;
}

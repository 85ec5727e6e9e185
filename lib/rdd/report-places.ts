/**
 * The memory that a task's report names.
 *
 * Invariant: every place that a report can name is told here, and in one group alone: what outlives the job (buckets, persisted
 * partitions, steps of state) or what is on its way to whoever asked for it.
 */
import type { BucketRef, SharedHandle } from '../../protocol/rdd.ts';
import type { TaskReport } from '../../protocol/task.ts';
import { placesOfLink } from './state/state-book.ts';

/** What later tasks read. */
export function placesKept({ output, stored }: TaskReport): BucketRef[] {
  const kept: BucketRef[] = stored.map(({ block }) => block.place);
  if (output.kind === 'shuffle') kept.push(...output.buckets);
  if (output.kind === 'state') kept.push(...placesOfLink(output.link));
  return kept;
}

/** What the job brings to whoever asked for it. */
export function placesOfResult({ output }: TaskReport): BucketRef[] {
  return output.kind === 'records' ? [output.block.place] : [];
}

/** The handles among the places. */
export function handlesOf(places: readonly BucketRef[]): SharedHandle[] {
  return places.flatMap((place) => (place !== null && 'slab' in place ? [place] : []));
}

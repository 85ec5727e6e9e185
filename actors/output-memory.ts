/**
 * What tasks have put out, entered in the ledger, and given back by those who know that nobody will read it: memory by the ledger, files by the master.
 *
 * Invariant: every place that is named here is given back whichever it is, memory or file.
 */
import type { Turn } from '../lib/actor/behavior.ts';
import type { Place } from '../lib/rdd/known-outputs.ts';
import { handlesOf, placesKept, placesOfResult } from '../lib/rdd/report-places.ts';
import type { SlabPool } from '../lib/storage/slab-pool.ts';
import { programScope } from '../protocol/block.ts';
import { decodeRecords } from '../protocol/codec.ts';
import type { HostId, ProgramId } from '../protocol/ids.ts';
import type { JobRequest, ToTaskScheduler } from '../protocol/job.ts';
import type { BlockRef, BucketRef, SharedHandle } from '../protocol/rdd.ts';
import type { StageSpec, TaskReport } from '../protocol/task.ts';
import { places } from './places.ts';

type Turning = Turn<ToTaskScheduler>;

/** Enters what a report names: buckets and persisted partitions under the job's scope, results under their own. */
export function hold(report: TaskReport, { scope, resultScope }: Pick<JobRequest, 'scope' | 'resultScope'>, turn: Turning): void {
  const kept = handlesOf(placesKept(report));
  const results = handlesOf(placesOfResult(report));
  if (kept.length > 0) turn.tell(places.blockManagerMaster, { type: 'hold', scope, handles: kept });
  if (results.length > 0) turn.tell(places.blockManagerMaster, { type: 'hold', scope: resultScope, handles: results });
}

/** Outputs that nobody will read again, in memory and on disk. */
export function giveUp(program: ProgramId, named: readonly Place[], turn: Turning): void {
  const handles = handlesOf(named);
  if (handles.length > 0) turn.tell(places.blockManagerMaster, { type: 'release', scope: programScope(program), handles });
  removeFiles(named, turn);
}

/** Those of the log stay: other places lie in them, too. */
export function removeFiles(named: readonly BucketRef[], turn: Turning): void {
  const files = named.flatMap((place) => (place !== null && 'file' in place && place.durable !== true ? [place.file] : []));
  if (files.length > 0) turn.tell(places.blockManagerMaster, { type: 'removeFiles', files });
}

/** A report that came too late: its memory is entered and given back in one breath. */
export function giveBack(report: TaskReport, turn: Turning): void {
  const named = [...placesKept(report), ...placesOfResult(report)];
  const handles = handlesOf(named);
  removeFiles(named, turn);
  if (handles.length === 0) return;
  turn.tell(places.blockManagerMaster, { type: 'hold', scope: 'late', handles });
  turn.tell(places.blockManagerMaster, { type: 'release', scope: 'late', handles });
}

/** A cancelled task may still read what its program left: the memory goes back when the last of them has ended. */
export function releaseLeaving(leaving: Set<ProgramId>, workers: ReadonlyMap<HostId, { readonly handed: readonly { readonly stage: StageSpec }[] }>, turn: Turning): void {
  for (const program of leaving) {
    if ([...workers.values()].some(({ handed }) => handed.some(({ stage }) => stage.program === program))) continue;
    leaving.delete(program);
    turn.tell(places.blockManagerMaster, { type: 'releaseProgram', program });
  }
}

/** The records of an inner stage's result; `read`: what is to be given back now. */
export function readBlock(pool: SlabPool, block: BlockRef, read: SharedHandle[]): readonly unknown[] {
  if (block.place === null || !('slab' in block.place)) return [];
  read.push(block.place);
  return decodeRecords(pool.view(block.place));
}

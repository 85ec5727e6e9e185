/**
 * What the task scheduler tells of keyed state: who has it, and that its lineage has ended.
 *
 * Invariant: a version is told of once it is made, or once the job that was to make it has ended without it; never before.
 */
import type { Turn } from '../lib/actor/behavior.ts';
import type { JobState } from '../lib/rdd/job-state.ts';
import type { StateBook } from '../lib/rdd/state/state-book.ts';
import type { FromTaskWorker } from '../protocol/task.ts';
import type { RddId } from '../protocol/ids.ts';
import { programPlaces } from './places.ts';

/** A worker has made a partition of state: it has it from now on. Once all are made, nothing that they were made of is needed. */
export function noteState(states: StateBook, plan: JobState, { host, stage, report }: Extract<FromTaskWorker, { type: 'taskSucceeded' }>, partition: number, turn: Turn<never>): void {
  const purpose = report.output.kind === 'state' ? plan.byNumber.get(stage)?.purpose : undefined;
  if (purpose?.kind !== 'state') return;
  states.own(purpose.rdd, partition, host);
  if (states.isMade(purpose.rdd)) tellSettled(plan, purpose.rdd, true, turn);
}

/** What state was not made by the end of its job will not be made any more. */
export function settleStates(states: StateBook, plan: JobState, turn: Turn<never>): void {
  for (const { purpose } of plan.stages.values()) if (purpose.kind === 'state') tellSettled(plan, purpose.rdd, states.isMade(purpose.rdd), turn);
}

function tellSettled({ request }: JobState, rdd: RddId, made: boolean, turn: Turn<never>): void {
  if (request.program !== null) turn.tell(programPlaces(request.program).jobGenerator, { type: 'stateSettled', rdd, made });
}

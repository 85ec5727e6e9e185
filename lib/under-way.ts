/**
 * What a program is doing now, in words: for the error of an advance that took too long.
 *
 * Invariant: it is asked of the actors that do the work, each with a deadline of its own, so it never takes longer than that; one that
 * doesn't answer is named.
 */
import { places, programPlaces } from '../actors/places.ts';
import type { ToJobScheduler, ToTaskScheduler, WorkUnderWay } from '../protocol/job.ts';
import type { ProgramId } from '../protocol/ids.ts';
import { MillraceError } from '../protocol/errors.ts';
import type { ActorSystem } from './actor/system.ts';
import type { DStreamGraph } from './dstream/graph.ts';

/** Real milliseconds. */
const answerTimeoutMs = 1_000;
/** Lines in the message. */
const linesMax = 20;

interface Advance {
  readonly system: ActorSystem;
  readonly program: ProgramId;
  readonly graph: DStreamGraph;
  readonly batches: number;
  readonly advanceTimeoutMs: number;
  readonly thrown: unknown;
}

/** What an advance that failed with `thrown` is to reject with: where it took too long, an AdvanceTimeout. */
export async function advanceFailure({ system, program, graph, batches, advanceTimeoutMs, thrown }: Advance): Promise<unknown> {
  if (!(thrown instanceof MillraceError) || thrown.code !== 'AskTimeout') return thrown;
  const silent = (what: string) => (): readonly string[] => [`${what} has not said what it does, within ${answerTimeoutMs} ms`];
  const answers = await Promise.all([
    system
      .ask<ToJobScheduler, WorkUnderWay>(programPlaces(program).jobScheduler, (replyTo) => ({ type: 'whatIsUnderWay', replyTo }), answerTimeoutMs)
      .then((work) => linesOf(work, graph), silent('the job scheduler')),
    system.ask<ToTaskScheduler, readonly string[]>(places.taskScheduler, (replyTo) => ({ type: 'whichJobs', program, replyTo }), answerTimeoutMs).catch(silent('the task scheduler')),
  ]);
  const underWay = answers.flat();
  const shown = [...underWay.slice(0, linesMax), ...(underWay.length > linesMax ? [`${underWay.length - linesMax} more`] : [])];
  return new MillraceError(
    'AdvanceTimeout',
    `Expected ${batches === 1 ? 'the batch' : `${batches} batches`} to be complete within ${advanceTimeoutMs} ms. Under way: ${shown.join('; ')}. Raise advanceTimeoutMs, or see what that waits for.`,
    { cause: thrown, details: { batches, advanceTimeoutMs, underWay } },
  );
}

function linesOf({ batch, output, held, waiting }: WorkUnderWay, graph: DStreamGraph): readonly string[] {
  const more = waiting === 0 ? [] : [`${waiting} more ${waiting === 1 ? 'batch waits' : 'batches wait'}`];
  if (batch === null) return ['no batch runs: the next one is still being generated', ...more];
  const operator = output === null ? null : graph.outputs[output]?.operator ?? null;
  const name = operator === null ? `output ${output}` : `output ${output}, ${operator.name}${operator.place === '' ? '' : ` at ${operator.place}`}`;
  return [`batch ${batch}, ${name}${held ? ', which waits for its reader' : ''}`, ...more];
}

/**
 * What the task scheduler keeps beyond jobs, given out and given back: versions of keyed state on their way into checkpoints and out of
 * them, and all that is forgotten with its RDD.
 *
 * Invariant: what was named in an answer to `stateLinks` stays where it is until it is read, whoever forgets it or wants its memory.
 */
import type { Turn } from '../lib/actor/behavior.ts';
import { unreachable } from '../lib/base/assert.ts';
import type { KnownOutputs } from '../lib/rdd/known-outputs.ts';
import { handlesOf } from '../lib/rdd/report-places.ts';
import { placesOfLink } from '../lib/rdd/state/state-book.ts';
import type { StateHolds } from '../lib/rdd/state/state-holds.ts';
import { toWireError } from '../protocol/errors.ts';
import type { ProgramId, RddId } from '../protocol/ids.ts';
import type { ToTaskScheduler } from '../protocol/job.ts';
import type { ReplyTo } from '../protocol/ref.ts';
import type { StateVersionLinks } from '../protocol/state.ts';
import type { BlockEvictions } from './block-evictions.ts';
import { giveUp } from './output-memory.ts';

export interface Kept {
  readonly known: KnownOutputs;
  readonly evictions: BlockEvictions;
  readonly holds: StateHolds;
  /** RDDs with entries in `known`. */
  readonly rdds: Map<ProgramId | null, Set<RddId>>;
}

type Turning = Turn<ToTaskScheduler>;
type About = Extract<ToTaskScheduler, { type: 'forgetRdds' | 'forgetStored' | 'restoreState' | 'stateLinks' | 'stateLinksRead' }>;

export function onKept(kept: Kept, message: About, turn: Turning): void {
  switch (message.type) {
    case 'forgetRdds':
      return forgetRdds(kept, message.program, kept.holds.forgettable(message.rdds), turn);
    case 'forgetStored':
      giveUp(message.program, kept.known.forgetBlocks(message.rdd), turn);
      return kept.evictions.forgetPartitions(message.rdd);
    case 'stateLinks':
      return turn.reply(message.replyTo, heldLinks(kept, message.program, message.rdds));
    case 'stateLinksRead': {
      const { handles, forget } = kept.holds.read(message.rdds);
      kept.evictions.unpin(handles, turn);
      return forgetRdds(kept, message.program, forget, turn);
    }
    case 'restoreState':
      return restore(kept, message, turn);
    default:
      return unreachable(message);
  }
}

export function rddsOf({ rdds: all }: Pick<Kept, 'rdds'>, program: ProgramId | null): Set<RddId> {
  let rdds = all.get(program);
  if (rdds === undefined) all.set(program, (rdds = new Set()));
  return rdds;
}

function forgetRdds({ known, evictions, rdds }: Kept, program: ProgramId, over: readonly RddId[], turn: Turning): void {
  if (over.length === 0) return;
  for (const rdd of over) rdds.get(program)?.delete(rdd);
  giveUp(program, known.forgetRdds(over), turn);
  evictions.forgetRdds(over, turn);
}

function heldLinks({ known, evictions, holds }: Kept, program: ProgramId, rdds: readonly RddId[]): StateVersionLinks[] {
  const answer = known.states.linksOf(rdds, (rdd, partition) => known.block(rdd, partition));
  const byRdd = new Map(answer.map((each) => [each.rdd, each]));
  for (const rdd of rdds) {
    const each = byRdd.get(rdd);
    const places = each === undefined ? [] : [...each.links.flatMap((link) => placesOfLink(link ?? undefined)), ...(each.emitted?.blocks ?? []).map((block) => block?.place ?? null)];
    const handles = handlesOf(places);
    evictions.pin(handles);
    // Also where nothing is known yet: `stateLinksRead` names it all the same.
    holds.hold(program, rdd, each?.emitted?.rdd ?? null, handles);
  }
  return answer;
}

/** What the log lacks is whoever restores it's answer, and no failure of this actor. */
function restore(kept: Kept, { program, tables, replyTo }: Extract<About, { type: 'restoreState' }>, turn: Turning): void {
  try {
    const rdds = rddsOf(kept, program);
    for (const table of tables) {
      kept.known.states.restore(program, table);
      for (const { id } of table.nodes) rdds.add(id);
    }
    turn.reply(replyTo, null);
  } catch (thrown) {
    turn.replyError(replyTo as ReplyTo<never>, toWireError(thrown));
  }
}

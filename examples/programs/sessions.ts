/**
 * The program of examples/sessions.ts: the sessions of users, from the pages that they look at.
 *
 * mapWithState calls its function for each click, and costs by the clicks of a batch, not by the sessions that are open. With a timeout the
 * function is called once more, without a click, for a user who was idle for longer. Timeouts are looked for in batches that
 * checkpoint the state: every 10th by default, here in each.
 */
import type { State, StreamingContext } from 'millrace';

export interface Click {
  readonly user: string;
  readonly page: string;
}

export type SessionEvent =
  | { readonly type: 'began'; readonly user: string }
  | { readonly type: 'ended'; readonly user: string; readonly pages: readonly string[]; readonly lastedMs: number };

interface Session {
  readonly beganMs: number;
  readonly lastMs: number;
  readonly pages: readonly string[];
}

export default function sessions(ssc: StreamingContext, args: { readonly batchMs: number; readonly timeoutMs: number }) {
  const clicks = ssc.queue<Click>();
  const events = ssc
    .queueStream(clicks)
    .map(({ user, page }) => [user, page])
    .mapWithState({ fn: onClick, timeoutMs: args.timeoutMs })
    .checkpoint(args.batchMs);
  return { clicks, events: events.publish(), open: events.stateSnapshots().count().publish() };
}

function onClick(time: number, user: string, page: string | undefined, state: State<Session>): SessionEvent | undefined {
  const session = state.getOption();
  if (session !== undefined && state.isTimingOut()) return { type: 'ended', user, pages: session.pages, lastedMs: session.lastMs - session.beganMs };
  if (page === undefined) return undefined;
  state.update({ beganMs: session?.beganMs ?? time, lastMs: time, pages: [...(session?.pages ?? []), page] });
  return session === undefined ? { type: 'began', user } : undefined;
}

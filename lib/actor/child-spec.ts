/**
 * Child specs and supervisor flags, in OTP's words, as plain data (they cross threads).
 *
 * Invariant: a spec says all that is needed to start the child again, on any thread: a behaviour's registered name and
 * its arguments, never a function.
 */
import type { HostId } from '../../protocol/ids.ts';
import type { ActorRef, ReplyTo } from './ref.ts';

export type RestartType =
  /** Always restarted. */
  | 'permanent'
  /** Restarted only after an abnormal exit. */
  | 'transient'
  /** Never restarted, also not when a sibling's failure ends it. */
  | 'temporary';

export interface ChildSpec {
  /** Unique among its siblings; the last part of its path. */
  readonly id: string;
  /** A behaviour's name in the registry, or `supervisor` with `SupervisorSpec` as args. */
  readonly behavior: string;
  readonly args: unknown;
  /** Default permanent. */
  readonly restart?: RestartType;
  /** How long it may take to stop before it is killed. Default 5,000 ms for a worker, `infinity` for a supervisor. */
  readonly shutdown?: number | 'brutalKill' | 'infinity';
  readonly type?: 'worker' | 'supervisor';
  /** The thread it runs on; left out: the supervisor's own. */
  readonly host?: HostId;
  /**
   * A fixed address, as OTP's registered name: 1 to 2^31 - 1, unique on its host. Others can be given `refOf(host, cell, path)` before
   * this child has started. Left out: a new number.
   */
  readonly cell?: number;
  /** Delay before a restart: min * 2^n up to max, times 1 ± jitter (0..1). Left out: at once, as OTP. */
  readonly backoff?: { readonly minMs: number; readonly maxMs: number; readonly jitter: number; readonly resetAfterMs: number };
}

export interface SupervisorSpec {
  readonly strategy: 'one_for_one' | 'one_for_all' | 'rest_for_one';
  /** More than `intensity` restarts within `periodMs` end the supervisor itself (escalation). OTP's defaults: 1 in 5,000 ms. */
  readonly intensity?: number;
  readonly periodMs?: number;
  readonly children: readonly ChildSpec[];
}

/** What a supervisor can be asked, at run time. Replies are OTP's, as plain data. */
export type ToSupervisor =
  | { readonly type: 'startChild'; readonly spec: ChildSpec; readonly replyTo: ReplyTo<ActorRef<never>> }
  | { readonly type: 'terminateChild'; readonly id: string; readonly replyTo: ReplyTo<null> }
  | { readonly type: 'restartChild'; readonly id: string; readonly replyTo: ReplyTo<ActorRef<never>> }
  | { readonly type: 'deleteChild'; readonly id: string; readonly replyTo: ReplyTo<null> }
  | { readonly type: 'whichChildren'; readonly replyTo: ReplyTo<readonly ChildInfo[]> }
  /**
   * The thread `from` is dead and `to` takes its place: the specs of children there move to `to`, and those that its death ended
   * start again. Passed on to child supervisors. One failure per supervisor and dead host, whatever the number of children.
   * Comes twice: the second finds nothing to move. Comes before the news of the death: the children restart on `to` at once.
   */
  | { readonly type: 'replaceHost'; readonly from: HostId; readonly to: HostId };

export interface ChildInfo {
  readonly id: string;
  readonly ref: ActorRef<never> | null;
  readonly type: 'worker' | 'supervisor';
  readonly state: 'running' | 'restarting' | 'stopped';
  readonly restarts: number;
}

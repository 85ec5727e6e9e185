/**
 * What an actor is: a synchronous function from (state, message, turn) to the next state, and effects that it asks for.
 *
 * Invariant: no handler awaits, and nothing that a handler does through its `Turn` happens before the handler returns:
 * effects are recorded, in order, and carried out after it. A handler that throws has had no effect at all. So one turn
 * is one step, on a thread as in the simulator, which can crash an actor between any two effects.
 */
import type { WireError } from '../../protocol/errors.ts';
import type { ActorRef, ReplyTo } from './ref.ts';

/**
 * `State` is the actor's own, `Message` what it may be sent, `Args` the plain data it is started with (they go through
 * the wire codec when it is started on another thread). `name` is its name in the registry that every thread shares.
 */
export interface Behavior<State, Message, Args = undefined> {
  readonly name: string;
  readonly mailbox?: MailboxSpec;
  /**
   * OTP's trap_exit: a request to end comes as the signal `shutdownRequested`, and the actor calls `turn.stop` when it is
   * done with what it must finish, before its spec's `shutdown` time is over (then it is killed). Left out: it ends at once.
   */
  readonly trapExit?: boolean;
  /** Called at the start and after each restart. May ask for effects. A throw here is a failed start. */
  init(turn: Turn<Message>, args: Args): State;
  receive(state: State, message: Message, turn: Turn<Message>): State;
  /** Left out: signals are logged at debug level and otherwise ignored. */
  signal?(state: State, signal: Signal, turn: Turn<Message>): State;
  /** The last call of an incarnation, whatever ended it (also a throw, then with the state before that turn): give back what it holds. */
  stopped?(state: State, reason: ExitReason, turn: Turn<Message>): void;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a registry holds behaviours of every type.
export type AnyBehavior = Behavior<any, any, any>;

/** Why an incarnation ended. `normal` and `shutdown` are no failures (a transient child isn't restarted for them). */
export type ExitReason =
  | { readonly type: 'normal' }
  /** Ended in good order by its supervisor, or by its own decision: with an error it is OTP's `{shutdown, Term}`. */
  | { readonly type: 'shutdown'; readonly error?: WireError }
  | { readonly type: 'killed' }
  | { readonly type: 'error'; readonly error: WireError }
  /** Its thread died. */
  | { readonly type: 'hostDown'; readonly error: WireError };

/** Signals go ahead of messages in the mailbox, and no bound ever drops one. */
export type Signal =
  | { readonly type: 'terminated'; readonly ref: ActorRef<never>; readonly reason: ExitReason }
  /** A host that this actor watches by `turn.watchHost` is gone (or was gone already). */
  | { readonly type: 'hostDown'; readonly host: number; readonly error: WireError }
  /** Only for a behaviour with `trapExit`: its supervisor wants it to end. */
  | { readonly type: 'shutdownRequested'; readonly reason: ExitReason };

/**
 * The bound of a mailbox and what happens beyond it.
 * `deadLetter`: the newcomer becomes a dead letter. `fail`: the actor fails with `MailboxOverflow` (its supervisor decides).
 * `credit`: senders on `turn.tell` are never dropped, but `turn.credit(ref)` tells them how many more it will take; going
 * over the bound by more than the credits given out is the sender's bug and becomes a dead letter. Default: 100,000, `fail`.
 */
export interface MailboxSpec {
  readonly messagesMax: number;
  readonly overflow: 'deadLetter' | 'fail' | 'credit';
  /** The most messages that may be stashed. Default 10,000; one more fails the actor with `StashOverflow`. */
  readonly stashMax?: number;
}

export const defaultMailbox: Required<MailboxSpec> = { messagesMax: 100_000, overflow: 'fail', stashMax: 10_000 };

/** The behaviours that a system can start, by name: the same on every thread. `supervisor` is always known. */
export type BehaviorRegistry = ReadonlyMap<string, AnyBehavior>;

export type Outcome<R> = { readonly ok: true; readonly value: R } | { readonly ok: false; readonly error: WireError };

/** One turn of an actor: the time, and the effects that it may ask for. Valid only until the handler returns. */
export interface Turn<Message> {
  readonly self: ActorRef<Message>;
  /** Liveness time: monotonic milliseconds. */
  readonly now: number;
  /** Counts the restarts of this actor: 0 in its first life. */
  readonly incarnation: number;

  tell<M>(to: ActorRef<M>, message: NoInfer<M>): void;
  /** Sends `make(replyTo)`; exactly one outcome comes back as a message: the reply, or `AskTimeout`, or that the actor or its thread is gone. */
  ask<M, R>(to: ActorRef<M>, make: (replyTo: ReplyTo<R>) => NoInfer<M>, timeoutMs: number, adapt: (outcome: Outcome<R>) => Message): void;
  reply<R>(to: ReplyTo<R>, value: R): void;
  replyError(to: ReplyTo<never>, error: WireError): void;

  /** Starts (or restarts) the timer `key` of this actor. Timers die with the incarnation; a fired but unread one, too. */
  startTimer(key: string, delayMs: number, message: Message): void;
  cancelTimer(key: string): void;

  watch(ref: ActorRef<never>): void;
  unwatch(ref: ActorRef<never>): void;
  watchHost(host: number): void;

  /** Puts the current message aside (bounded: `StashOverflow` fails the actor); `unstash` puts all back at the front, in order. */
  stash(message: Message): void;
  unstash(): void;

  /**
   * The one door to the world: `run` is called after the handler has returned, may be async, and its outcome comes
   * back as a message (`adapt` giving null: as none), unless this incarnation has ended by then. `label` names it for logs and for fault injection.
   */
  perform<R>(label: string, run: () => R | Promise<R>, adapt: (outcome: Outcome<R>) => Message | null): void;

  /** How many more messages `ref` can take from this sender (own thread: exact; else what it last told). */
  credit(ref: ActorRef<never>): number;
  /** Ends this actor after this turn. Default: normal. */
  stop(reason?: ExitReason): void;
  log(level: 'debug' | 'info' | 'warn' | 'error', text: string, fields?: Record<string, unknown>): void;
}

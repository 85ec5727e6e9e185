/**
 * What the actor systems of two threads say to each other: envelopes, many in one post.
 *
 * A frame is one posted message. Its heads are numbers in one array, five an envelope, so that a post clones one block of
 * memory and the bodies, and no field names:
 *
 *   heads   | kind | fromHost | fromCell | toHost | toCell |  kind | fromHost | ...
 *   bodies  | body                                         |  body | ...
 *
 * Invariant: heads.length = 5 * bodies.length. Between one sender and one receiver, envelopes arrive in the order in which
 * they were sent, each at most once. Cell 0 is the actor system itself.
 */
import type { WireError } from './errors.ts';
import type { ActorPath } from './ids.ts';

export interface Frame {
  readonly heads: Float64Array;
  readonly bodies: readonly unknown[];
}

export const headNumbers = 5;

/** Numbers are never reused. The body of each is in the comment; lost ones are covered by `hostDown`. */
export const EnvelopeKind = {
  /** A message. Body: the message. */
  tell: 1,
  /** An answer to an ask; toCell is the asker, body `ReplyBody`. Comes twice: the second finds no ask and is ignored. */
  reply: 2,
  /** `from` watches `to`. No body. Answered by `terminated`, at once where `to` is gone already. */
  watch: 3,
  unwatch: 4,
  /** `from`, which `to` watches, has ended. Body: its ExitReason. */
  terminated: 5,
  /** A supervisor (`from`) starts a child at the address `to`. Body: `SpawnBody`. Answered by `childStarted` or `childExited`. */
  spawn: 6,
  childStarted: 7,
  childExited: 8,
  /** A supervisor asks its child to end in good order. Body: an ExitReason. */
  exit: 9,
  /** A supervisor ends its child without asking. */
  kill: 10,
  /** A host is dead. Body: `HostDownBody`. Passed on by each system that hears it for the first time. */
  hostDown: 11,
  /** `from`'s host wants to know how many messages `to` will take. Answered by `credit`, and again whenever half of that was used and there is room. */
  creditAsk: 12,
  /** Body: the count of messages that the host may send in all, since it asked; -1 where the mailbox is gone. A lost one is made good by the next. */
  credit: 13,
} as const;

export type EnvelopeKind = (typeof EnvelopeKind)[keyof typeof EnvelopeKind];

export type ReplyBody = { readonly ask: number; readonly ok: true; readonly value: unknown } | { readonly ask: number; readonly ok: false; readonly error: WireError };

export interface SpawnBody {
  readonly path: ActorPath;
  readonly parentPath: ActorPath;
  readonly behavior: string;
  readonly args: unknown;
  readonly incarnation: number;
}

export interface ChildStartedBody {
  readonly incarnation: number;
}

export interface ChildExitedBody<Reason> {
  readonly incarnation: number;
  readonly reason: Reason;
}

export interface HostDownBody {
  readonly host: number;
  readonly error: WireError;
}

/**
 * What only a supervisor can do, and hear: internal to lib/actor. Every turn has these methods at run time; the types keep
 * them from other actors.
 *
 * Invariant: for each `spawnChild` exactly one `childExited` comes in the end, also when its host dies, and before it at most
 * one `childStarted`, with the same incarnation.
 */
import type { WireError } from '../../protocol/errors.ts';
import type { ActorPath, HostId } from '../../protocol/ids.ts';
import type { ExitReason, Signal, Turn } from './behavior.ts';
import type { ActorRef } from './ref.ts';

export interface ChildStart {
  readonly ref: ActorRef<never>;
  readonly behavior: string;
  readonly args: unknown;
  readonly incarnation: number;
}

export interface SupervisorTurn<Message> extends Turn<Message> {
  readonly host: HostId;
  /** A new address on `host` for a child of this actor; `cell` where its spec fixes one. Taken at once, no effect. */
  newChildRef(host: HostId, path: ActorPath, cell?: number): ActorRef<never>;
  spawnChild(start: ChildStart): void;
  /** Asks a child to end in good order. */
  exitChild(ref: ActorRef<never>, reason: ExitReason): void;
  killChild(ref: ActorRef<never>): void;
  /** In `init`: this actor counts as started only when `confirmStart` is carried out. */
  deferStart(): void;
  confirmStart(): void;
  /** Why `host` is dead, or null. Read at once. */
  deadHost(host: HostId): WireError | null;
  /** A number in [0, 1) from the system's generator: jitter. */
  random(): number;
}

export type SupervisorSignal =
  | Signal
  | { readonly type: 'childStarted'; readonly ref: ActorRef<never>; readonly incarnation: number }
  | { readonly type: 'childExited'; readonly ref: ActorRef<never>; readonly incarnation: number; readonly reason: ExitReason };

/**
 * An address of an actor: plain data, good on every thread and in every message.
 *
 * Invariant: (host, cell) never names another actor than the one it was made for. A restart on the same thread keeps the
 * address (as an OTP registered name does); an actor that is restarted on another thread has a new one, and those that
 * watched the old one are told.
 */
import type { ActorPath, HostId } from './ids.ts';

declare const accepts: unique symbol;

export interface ActorRef<in Message> {
  readonly host: HostId;
  readonly cell: number;
  readonly path: ActorPath;
  readonly [accepts]?: (message: Message) => void;
}

/** Where an answer goes: made by `turn.ask`, spent by `turn.reply`; of no use twice. */
export interface ReplyTo<in Reply> {
  readonly host: HostId;
  readonly cell: number;
  readonly ask: number;
  readonly [accepts]?: (reply: Reply) => void;
}

/** The app's own thread and the driver's have fixed ids; io and worker threads count on from there. */
export const appHost = 0 as HostId;
export const driverHost = 1 as HostId;

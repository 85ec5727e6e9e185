/**
 * What feeds a receiver: a connection or a user's receiver, behind four calls.
 *
 * Invariant: a source never blocks and never throws out of a callback; what happens to it is an event, what it reads lies
 * in its builder until `cut`. The bytes themselves are never a message. Its blocks are numbered from 0, in the order in which
 * `cut` and `end` give them: by that number it is told, once for each, that a block is stored or refused.
 */
import type { BlockRef } from '../../protocol/rdd.ts';
import type { SourceEvent, SourceReport } from '../../protocol/receiver.ts';

/** A block as a source hands it over: not yet named. */
export interface SourceBlock {
  readonly codec: BlockRef['codec'];
  readonly place: BlockRef['place'];
  readonly records: number;
  /** One encoded record, where the receiver said how far it has come with this block. */
  readonly position?: Uint8Array | null;
  /** The source gives positions, and begins behind the last one when it starts. Left out: it does not. */
  readonly resumes?: boolean;
}

export interface Source {
  /** How many block managers know a block before it counts as stored, where the input doesn't say. */
  readonly copies: number;
  /** Begins; events come from now on. With the last position (one encoded record) that was stored, if any was. */
  start(lastAcknowledged: Uint8Array | null): void;
  /** The blocks that are ready. Also the moment at which a source that ran out of memory tries again. */
  cut(): readonly SourceBlock[];
  /** No more intake: closes what it has open, and gives the last blocks. Called once. */
  end(): readonly SourceBlock[];
  /** Too much is under way: takes no more from outside until it is told false. */
  holdBack(isHeldBack: boolean): void;
  /** The block counts as received, whatever dies from now on: it may be acknowledged. */
  stored(sequence: number): void;
  /** The block was not stored, or nobody can say that it was: it must not be acknowledged. */
  refused(sequence: number, error: Error): void;
}

export type Emit = (event: SourceEvent | SourceReport) => void;

/** The one thing of node:net that sources use. */
export interface NetPort {
  connect(options: {
    readonly host: string;
    readonly port: number;
    /** Where the next read goes. Called before every read. */
    readonly buffer: () => Uint8Array;
    /** False pauses; `resume` goes on. */
    readonly onRead: (bytes: number, buffer: Uint8Array) => boolean;
    readonly onConnect: () => void;
    /** Exactly once: the other side has ended (null), or the connection failed. */
    readonly onClose: (error: Error | null) => void;
  }): { resume(): void; destroy(): void };
}

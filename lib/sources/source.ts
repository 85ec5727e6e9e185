/**
 * What feeds a receiver: a connection or a user's receiver, behind four calls.
 *
 * Invariant: a source never blocks and never throws out of a callback; what happens to it is an event, what it reads lies
 * in its builder until `cut`. The bytes themselves are never a message.
 */
import type { BlockRef } from '../../protocol/rdd.ts';
import type { SourceEvent, SourceReport } from '../../protocol/receiver.ts';

/** A block as a source hands it over: not yet named. */
export interface SourceBlock {
  readonly codec: BlockRef['codec'];
  readonly place: NonNullable<BlockRef['place']>;
  readonly records: number;
}

export interface Source {
  /** Begins; events come from now on. */
  start(): void;
  /** The blocks that are ready. Also the moment at which a source that ran out of memory tries again. */
  cut(): readonly SourceBlock[];
  /** No more intake: closes what it has open, and gives the last blocks. Called once. */
  end(): readonly SourceBlock[];
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

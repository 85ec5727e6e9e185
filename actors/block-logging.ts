/**
 * Blocks of a program's receivers on their way into the write-ahead log: who waits for them, and when what waits there for the next
 * sync need wait no longer.
 *
 * Invariant: whoever reported a block is answered when all blocks of that report are in the log, or one of them can't be. A batch that is
 * due costs one sync for all its receivers: it is ordered when the last of them has handed over, or after a while for those that have.
 *
 *   batch is due:  receiver 1  block, block, drained
 *                  receiver 2  block,                drained --> sync --> all answered --> allocated
 */
import type { Turn } from '../lib/actor/behavior.ts';
import type { WireError } from '../protocol/errors.ts';
import type { BlockId, ProgramId, StreamId } from '../protocol/ids.ts';
import type { ReceivedBlock, ToReceiverTracker } from '../protocol/receiver.ts';
import type { ToWriteAheadLog } from '../protocol/recovery.ts';
import type { ReplyTo } from '../protocol/ref.ts';
import { programPlaces } from './places.ts';

/** Of the time that a batch waits for its receivers: then those that have handed over wait for the others no longer. What is left is for the sync. */
const hurryAfter = 0.5;
/** The log says itself what it can't do; this is for one that says nothing. */
const logTimeoutMs = 120_000;

/** One `addBlocks` whose blocks are not all in the log. */
interface Report {
  left: number;
  error: WireError | null;
  readonly replyTo: ReplyTo<null>;
}

type Turning = Turn<ToReceiverTracker>;

export class BlockLogging {
  readonly #program: ProgramId;
  readonly #waiting = new Map<BlockId, Report[]>();
  /** Streams that have handed over all that they had when a batch was due; since the last one. */
  readonly #handedOver = new Set<StreamId>();
  #isHurried = false;

  constructor(program: ProgramId) {
    this.#program = program;
  }

  has(block: BlockId): boolean {
    return this.#waiting.has(block);
  }

  /** A block that is not in the log is in no batch, and is not acknowledged. */
  log({ stream, block, epoch, position }: ReceivedBlock, isUrgent: boolean, turn: Turning): void {
    this.#waiting.set(block.id, []);
    const urgent = isUrgent || this.#isHurried;
    turn.ask<ToWriteAheadLog, null>(programPlaces(this.#program).writeAheadLog, (replyTo) => ({ type: 'logBlock', stream, block, epoch, position, urgent, replyTo }), logTimeoutMs, (outcome) => ({ type: 'blockLogged', stream, block: block.id, error: outcome.ok ? null : outcome.error }));
  }

  /** Answered when all of these are in the log. */
  await(blocks: readonly ReceivedBlock[], replyTo: ReplyTo<null>): void {
    const report: Report = { left: blocks.length, error: null, replyTo };
    for (const { block } of blocks) this.#waiting.get(block.id)?.push(report);
  }

  /** Where the log fails for good the program ends with that: nobody need take back what was counted. */
  logged(block: BlockId, error: WireError | null, turn: Turning): void {
    for (const report of this.#waiting.get(block) ?? []) {
      report.left -= 1;
      report.error ??= error;
      if (report.left > 0) continue;
      if (report.error === null) turn.reply(report.replyTo, null);
      else turn.replyError(report.replyTo as ReplyTo<never>, report.error);
    }
    this.#waiting.delete(block);
  }

  batchIsDue(waitsMs: number, turn: Turning): void {
    this.#handedOver.clear();
    turn.startTimer('hurry', waitsMs * hurryAfter, { type: 'hurryLog' });
  }

  /** Whether it is the last of those that are waited for. */
  handedOver(stream: StreamId, waitedFor: readonly StreamId[]): boolean {
    this.#handedOver.add(stream);
    return waitedFor.every((one) => this.#handedOver.has(one));
  }

  /** What is under way is synced now. */
  sync(turn: Turning): void {
    if (this.#waiting.size > 0) turn.tell(programPlaces(this.#program).writeAheadLog, { type: 'syncNow' });
  }

  /** The same, and what still comes for the batch waits for nothing more. */
  hurry(turn: Turning): void {
    this.#isHurried = true;
    this.sync(turn);
  }

  batchHasAll(turn: Turning): void {
    this.#isHurried = false;
    turn.cancelTimer('hurry');
  }
}

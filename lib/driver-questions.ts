/**
 * What the app asks of its program's driver, over the driver's deaths.
 *
 * Invariant: what the app gives (a push, a set) is in the log once, in the order in which it was given; it is answered when it is there, however
 * many drivers that takes. A refusal that dies with the driver in the very moment of being sent is the exception: then what came behind it stands for
 * it. A clock that is advanced comes to the same time. What only reads is asked again. Only jobs reject with DriverRestarted: their RDDs are gone.
 *
 *   away ── open: the log's counts settle what was under way, the rest is sent again ──► open ── lost ──► away ... close: all of it rejects
 */
import { encodeRecord, encodeRecords } from '../protocol/codec.ts';
import type { ReplyTo } from '../protocol/ref.ts';
import type { ToBatchTimer, ToJobGenerator } from '../protocol/batch.ts';
import type { BatchTime } from '../protocol/time.ts';
import { MillraceError } from '../protocol/errors.ts';
import type { GivenInputs } from './checkpoint-directory.ts';
import { isDriverRestarted, loggedOfThoseUnderWay, restOfAdvance, targetOf } from './driver-restart.ts';
import type { StandsAt } from './driver-restart.ts';

/** How the driver's actors are asked: each rejects with DriverRestarted where the driver dies and another follows. */
export interface DriverPorts {
  generator<R>(make: (replyTo: ReplyTo<R>) => ToJobGenerator, timeoutMs: number): Promise<R>;
  timer(make: (replyTo: ReplyTo<BatchTime>) => ToBatchTimer): Promise<BatchTime>;
  /** Resolves when the batch is complete; rejects with what keeps it from being. */
  batch(time: BatchTime): Promise<void>;
  readonly batchIntervalMs: number;
}

/** What the log had when the program was brought onto its driver. */
export interface Opened extends StandsAt, GivenInputs {}

const askTimeoutMs = 30_000;

interface Given {
  readonly make: (replyTo: ReplyTo<null>) => ToJobGenerator;
  readonly timeoutMs: number;
  readonly resolve: () => void;
  readonly reject: (thrown: unknown) => void;
}

/** Of one queue or variable. */
interface Line {
  readonly logged: (opened: Opened) => number;
  before: number;
  answered: number;
  /** Oldest first: sent, or waiting to be. */
  underWay: Given[];
}

interface Advance {
  readonly target: BatchTime;
  readonly resolve: (time: BatchTime) => void;
  readonly reject: (thrown: unknown) => void;
}

export class DriverQuestions {
  readonly #ports: DriverPorts;
  readonly #lines = new Map<string, Line>();
  #advances: Advance[] = [];
  /** The last batch that the app has asked for. */
  #announced: BatchTime | null = null;
  /** By the driver that runs the program, or that ran it last. */
  #opened: Opened | null = null;
  #isOpen = false;
  #closed: Error | null = null;
  #isStopping = false;
  #waiting: { readonly resolve: () => void; readonly reject: (thrown: unknown) => void }[] = [];

  constructor(ports: DriverPorts) {
    this.#ports = ports;
  }

  /** A stop processes what is in the queues by now. */
  refusePushes(): void {
    this.#isStopping = true;
  }

  /** Resolves when the log has it, and the queue room for more. Throws ContextStopped from the beginning of a stop on. */
  async push(queue: number, records: readonly (readonly unknown[])[], timeoutMs: number): Promise<void> {
    if (this.#isStopping) throw new MillraceError('ContextStopped', 'The context is being stopped, and takes no more into its queues: push before stop().');
    const partitions = records.map((partition) => ({ bytes: encodeRecords(partition), records: partition.length }));
    return this.#give(`queue ${queue}`, (opened) => opened.pushes(queue), (replyTo) => ({ type: 'queuePushed', queue, partitions, replyTo }), timeoutMs);
  }

  /** Resolves when the log has it. */
  async set(broadcast: number, given: unknown): Promise<void> {
    const value = encodeRecord(given);
    return this.#give(`broadcast ${broadcast}`, (opened) => opened.sets(broadcast), (replyTo) => ({ type: 'broadcastSet', broadcast, value, replyTo }), askTimeoutMs);
  }

  #give(kind: string, logged: Line['logged'], make: Given['make'], timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed !== null) return reject(this.#closed);
      const given: Given = { make, timeoutMs, resolve, reject };
      const line = this.#line(kind, logged);
      line.underWay.push(given);
      if (this.#isOpen) this.#send(line, given);
    });
  }

  /** Asked of the next driver where this one dies. */
  async read<R>(make: (replyTo: ReplyTo<R>) => ToJobGenerator, timeoutMs: number): Promise<R> {
    for (;;) {
      await this.#whenOpen();
      try {
        return await this.#ports.generator(make, timeoutMs);
      } catch (thrown) {
        // Its death was told here in the same instant, so that the next one is waited for.
        if (!isDriverRestarted(thrown)) throw thrown;
      }
    }
  }

  /** Rejects with DriverRestarted where the driver dies first. */
  async job<R>(make: (replyTo: ReplyTo<R>) => ToJobGenerator, timeoutMs: number): Promise<R> {
    await this.#whenOpen();
    return this.#ports.generator(make, timeoutMs);
  }

  /** Under a manual clock. */
  advance(batches: number): Promise<BatchTime> {
    return new Promise((resolve, reject) => {
      if (this.#closed !== null) return reject(this.#closed);
      const from = this.#announced ?? this.#opened?.announced;
      if (from === undefined) return reject(new MillraceError('NotInitialized', 'Expected a context that runs; it has not started.'));
      const advance: Advance = { target: targetOf(from, batches, this.#ports.batchIntervalMs), resolve, reject };
      this.#announced = advance.target;
      this.#advances.push(advance);
      if (this.#isOpen) this.#follow(advance, this.#ports.timer((replyTo) => ({ type: 'advance', batches, replyTo })));
    });
  }

  /** A driver runs the program. */
  open(opened: Opened): void {
    if (this.#closed !== null) return;
    this.#opened = opened;
    this.#isOpen = true;
    for (const line of this.#lines.values()) {
      const now = line.logged(opened);
      const logged = loggedOfThoseUnderWay({ before: line.before, now, answered: line.answered, underWay: line.underWay.length });
      for (const given of line.underWay.splice(0, logged)) given.resolve();
      Object.assign(line, { before: now, answered: 0 });
      for (const given of line.underWay) this.#send(line, given);
    }
    let { announced } = opened;
    for (const advance of this.#advances) {
      const rest = restOfAdvance(advance.target, { completed: opened.completed, announced }, this.#ports.batchIntervalMs);
      if (rest.type === 'advance') announced = advance.target;
      this.#follow(advance, this.#restOf(advance, rest));
    }
    this.#announced = announced;
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  /** The driver is gone, and another will follow. */
  lost(): void {
    this.#isOpen = false;
  }

  /** No driver follows. */
  close(why: Error): void {
    if (this.#closed !== null) return;
    this.#closed = why;
    // What was asked of a driver that lives is answered by that.
    if (this.#isOpen) return;
    for (const { reject } of [...this.#waiting.splice(0), ...this.#advances.splice(0), ...[...this.#lines.values()].flatMap((line) => line.underWay.splice(0))]) reject(why);
  }

  #line(kind: string, logged: Line['logged']): Line {
    const known = this.#lines.get(kind);
    if (known !== undefined) return known;
    const line: Line = { logged, before: this.#opened === null ? 0 : logged(this.#opened), answered: 0, underWay: [] };
    this.#lines.set(kind, line);
    return line;
  }

  #send(line: Line, given: Given): void {
    const end = (): void => void (line.underWay = line.underWay.filter((other) => other !== given));
    this.#ports.generator<null>(given.make, given.timeoutMs).then(
      () => {
        end();
        line.answered += 1;
        given.resolve();
      },
      (thrown: unknown) => {
        if (isDriverRestarted(thrown) && this.#closed === null) return;
        end();
        // It may come into the log yet: then it is no answer for another one.
        if (thrown instanceof MillraceError && thrown.code === 'AskTimeout') line.answered += 1;
        given.reject(this.#whyNot(thrown));
      },
    );
  }

  #restOf({ target }: Advance, rest: ReturnType<typeof restOfAdvance>): Promise<BatchTime> {
    if (rest.type === 'advance') return this.#ports.timer((replyTo) => ({ type: 'advance', batches: rest.batches, replyTo }));
    return rest.type === 'done' ? Promise.resolve(target) : this.#ports.batch(target).then(() => target);
  }

  #follow(advance: Advance, asked: Promise<BatchTime>): void {
    const end = (): void => void (this.#advances = this.#advances.filter((other) => other !== advance));
    asked.then(
      (time) => {
        end();
        advance.resolve(time);
      },
      (thrown: unknown) => {
        if (isDriverRestarted(thrown) && this.#closed === null) return;
        end();
        advance.reject(this.#whyNot(thrown));
      },
    );
  }

  /** Where the context has ended, that is what the driver's silence means. */
  #whyNot(thrown: unknown): unknown {
    const isGone = isDriverRestarted(thrown) || (thrown instanceof MillraceError && thrown.code === 'HostGone');
    return isGone ? (this.#closed ?? thrown) : thrown;
  }

  #whenOpen(): Promise<void> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    if (this.#isOpen) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }
}

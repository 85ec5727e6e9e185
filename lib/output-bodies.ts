/**
 * The bodies of foreachRDD on the app's thread: one at a time, each for a bounded time.
 *
 * Invariant: a body holds up the next one until its promise has settled, or for `timeoutMs` at most. What a late body
 * still comes to changes no batch: a failure is logged, and a value is dropped.
 */
import PQueue from 'p-queue';
import { MillraceError, previewOf } from '../protocol/errors.ts';
import type { BatchTime } from '../protocol/time.ts';
import type { Logger } from './actor/logger.ts';
import type { Clock, TimerHandle } from './base/clock.ts';

export interface OutputBodiesOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Is told of a body that fails after it was given up. */
  readonly logger: Logger;
}

export class OutputBodies {
  readonly #options: OutputBodiesOptions;
  readonly #queue = new PQueue({ concurrency: 1 });
  #timer: TimerHandle | null = null;
  #closed = false;

  constructor(options: OutputBodiesOptions) {
    this.#options = options;
  }

  /** Runs `around` with a call that starts the body: that call settles with the body, or rejects with OutputTimeout. */
  run(body: () => unknown, around: (bounded: () => Promise<void>) => Promise<void>): Promise<void> {
    return this.#queue.add(() => around(() => this.#bounded(body)));
  }

  /** What has not begun will not begin: another driver asks for it again. The body under way still holds up the next one. */
  dropWaiting(): void {
    this.#queue.clear();
  }

  /** Nobody waits for a body any more: no timer of one that hangs holds the process. */
  close(): void {
    this.#closed = true;
    if (this.#timer !== null) this.#options.clock.clear(this.#timer);
    this.#timer = null;
  }

  async #bounded(body: () => unknown): Promise<void> {
    const { clock, timeoutMs, logger } = this.#options;
    const running = Promise.resolve(body());
    if (this.#closed) return void (await running);
    let isLate = false;
    const late = new Promise<never>((_, reject) => {
      this.#timer = clock.setTimer(timeoutMs, () => {
        isLate = true;
        reject(new MillraceError('OutputTimeout', `Expected the function of foreachRDD to settle within outputTimeoutMs (${timeoutMs} ms); it has not, and is waited for no longer. Raise the bound, or see what it waits for.`));
      });
    });
    running.catch((thrown: unknown) => {
      if (isLate) logger.log('warn', `A function of foreachRDD that had passed outputTimeoutMs has failed: ${previewOf(thrown instanceof Error ? thrown.message : thrown)}`);
    });
    try {
      await Promise.race([running, late]);
    } finally {
      if (this.#timer !== null) clock.clear(this.#timer);
      this.#timer = null;
    }
  }
}

/** What a body's error is to its batch: ours as it is, any other as OutputFailed. */
export function outputFailure(thrown: unknown, output: number, time: BatchTime, place: string): MillraceError {
  if (thrown instanceof MillraceError && thrown.code !== 'OutputFailed') return thrown;
  const said = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : previewOf(thrown);
  return new MillraceError('OutputFailed', `The function of foreachRDD${place === '' ? '' : ` at ${place}`} failed for the batch at ${time} ms: ${said}`, { cause: thrown, details: { output, batchTime: time, place } });
}

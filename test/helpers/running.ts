/**
 * Contexts on real threads for tests: started, read, and stopped with the test.
 *
 * Invariant: nothing here waits for a time to pass, only for events; what a test leaves running is stopped after it.
 */
import { StreamingContext } from '../../lib/streaming-context.ts';
import type { StreamingProgram } from '../../lib/streaming-context.ts';
import type { OptionsFor, StreamingOptions } from '../../lib/options.ts';
import type { PublishedStream } from '../../lib/dstream/published-stream.ts';
import type { ArgsOf, ExportsOf } from '../../lib/program/exports.ts';
import type { ListenerErrors } from '../../lib/listeners.ts';
import type { ListenerEventName, ListenerEvents } from '../../protocol/listener.ts';
import { MillraceError } from '../../protocol/errors.ts';

interface Test {
  after(fn: () => unknown): void;
}

export const silent = { log: (): void => {} };

/** The built program `test/fixtures/<name>`. */
export function fixture(name: string): URL {
  return new URL(`../fixtures/${name}.js`, import.meta.url);
}

/** A context on two worker threads with batches of 50 ms, not yet started. */
export async function created<P extends StreamingProgram>(t: Test, program: string | URL, options: Partial<StreamingOptions<ArgsOf<P>>> = {}): Promise<StreamingContext<ExportsOf<P>>> {
  const url = typeof program === 'string' ? fixture(program) : program;
  const full = { master: 'local[2]', batchInterval: 50, blockIntervalMs: 10, receiverRestartDelayMs: 100, logger: silent, print: () => {}, ...options } as unknown as OptionsFor<P>;
  const ssc = await StreamingContext.create<P>(url, full);
  t.after(() => ssc.stop({ stopSparkContext: options.sparkContext === undefined }));
  return ssc;
}

export async function started<P extends StreamingProgram>(t: Test, program: string | URL, options: Partial<StreamingOptions<ArgsOf<P>>> = {}): Promise<StreamingContext<ExportsOf<P>>> {
  const ssc = await created<P>(t, program, options);
  await ssc.start();
  return ssc;
}

/** The next event of that name for which `wanted` holds. */
export function nextEvent<Name extends ListenerEventName>(
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- a context of any exports.
  ssc: StreamingContext<any>,
  name: Name,
  wanted: (info: ListenerErrors<ListenerEvents[Name]>) => boolean = () => true,
): Promise<ListenerErrors<ListenerEvents[Name]>> {
  return new Promise((resolve) => {
    const off = ssc.on(name, (info) => {
      if (!wanted(info)) return;
      off();
      resolve(info);
    });
  });
}

/** Sums up a published stream of [word, count], batch by batch. */
export class Totals {
  readonly counts = new Map<string, number>();
  readonly times: number[] = [];
  /** Sum of all counts. */
  sum = 0;
  /** How the stream ended: undefined while it runs, null in good order. */
  end: Error | null | undefined = undefined;
  readonly ended: Promise<void>;
  readonly #waiting = new Set<{ readonly sum: number; readonly resolve: () => void }>();

  constructor(stream: PublishedStream<readonly [string, number]>) {
    this.ended = this.#read(stream);
  }

  /** Resolves when the sum has reached `sum`, or the stream has ended. */
  async reached(sum: number): Promise<void> {
    if (this.sum >= sum || this.end !== undefined) return;
    await new Promise<void>((resolve) => this.#waiting.add({ sum, resolve }));
  }

  async #read(stream: PublishedStream<readonly [string, number]>): Promise<void> {
    try {
      for await (const { time, records } of stream) {
        this.times.push(time);
        for (const [word, count] of records) {
          this.counts.set(word, (this.counts.get(word) ?? 0) + count);
          this.sum += count;
        }
        this.#wake(false);
      }
      this.end = null;
    } catch (thrown) {
      this.end = thrown as Error;
    }
    this.#wake(true);
  }

  #wake(all: boolean): void {
    for (const waiter of this.#waiting) {
      if (!all && this.sum < waiter.sum) continue;
      this.#waiting.delete(waiter);
      waiter.resolve();
    }
  }
}

/** `lines` lines of four words, from a vocabulary of 50, and how often each word is in them. */
export function knownText(lines: number, from = 0): { readonly text: string; readonly counts: Map<string, number> } {
  const counts = new Map<string, number>();
  const all: string[] = [];
  for (let line = from; line < from + lines; line += 1) {
    const words = [0, 1, 2, 3].map((place) => `wörd${(line * 7 + place * 13) % 50}`);
    for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
    all.push(words.join(' '));
  }
  return { text: `${all.join('\n')}\n`, counts };
}

/** The code of what it rejects or throws with; 'none' where it does neither. */
export async function codeOf(act: () => unknown): Promise<string> {
  try {
    await act();
    return 'none';
  } catch (thrown) {
    return thrown instanceof MillraceError ? thrown.code : String(thrown);
  }
}

export function sorted(counts: ReadonlyMap<string, number>): (readonly [string, number])[] {
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
}

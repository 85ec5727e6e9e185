/**
 * What the examples that feed themselves have in common: batches into a queue, results out of a published stream, and an end.
 *
 * Not a program by itself. Input k is pushed as one RDD, and the queue gives one RDD a batch; so the first batch that has anything to say
 * is that of input 0, the next one that of input 1, and an example can work out by itself what each batch must hold.
 *
 *   inputOf(0) inputOf(1) inputOf(2) ...  -->  queue  -->  program  -->  output  -->  onBatch(records, 0), onBatch(records, 1), ...
 */
import { parseArgs } from 'node:util';
import type { BatchTime, PublishedStream, RddQueue, StreamingContext } from 'millrace';

/** How many inputs lie in the queue before they are needed, where there is no last one. */
const inputsAhead = 50;

/** Lines of a few words, a different one for each k up to 12, and around again. */
export function lineOf(k: number): string {
  return lines[k % lines.length] as string;
}

const lines = [
  'the wheel turns the mill',
  'the mill grinds the grain',
  'the grain makes the bread',
  'a river runs to the sea',
  'a river turns the wheel',
  'no grain no bread',
  'still waters run deep',
  'rain fills the river',
  'the sea makes the rain',
  'a stone rolls down',
  'rolling stones grind',
  'bread and water',
] as const;

/** `--batches N` of the command line: 1 or more; without it there is no end but Ctrl-C. */
export function batchesAsked(): number {
  const { values } = parseArgs({ options: { batches: { type: 'string' } } });
  const batches = values.batches === undefined ? Number.POSITIVE_INFINITY : Number(values.batches);
  if (batches >= 1 && (batches === Number.POSITIVE_INFINITY || Number.isInteger(batches))) return batches;
  console.error(`Expected --batches to be a whole number of 1 or more; got ${values.batches}.`);
  process.exit(2);
}

export interface Feed<In, Out> {
  readonly queue: RddQueue<In>;
  readonly output: PublishedStream<Out>;
  /** How many results to see. */
  readonly batches: number;
  /** Where the output has a slide of several batches: how many. Default 1. */
  readonly inputsPerBatch?: number;
  readonly inputOf: (k: number) => readonly In[];
  /** Push an input when the result of the one before was seen, and pass over batches without records. Default: well ahead of the batches. */
  readonly oneByOne?: boolean;
  /** Is shown the result of input k. Returns null, or a sentence on what is wrong with it. */
  readonly onBatch: (records: readonly Out[], k: number, time: BatchTime) => string | null | Promise<string | null>;
}

/** Starts the context, feeds it until as many batches were seen, and stops it. The process ends with 1 where a result was wrong. */
export async function feed<In, Out>(ssc: Pick<StreamingContext, 'start' | 'stop'>, { queue, output, batches, inputsPerBatch = 1, inputOf, oneByOne = false, onBatch }: Feed<In, Out>): Promise<void> {
  const stop = (): void => void ssc.stop().catch(() => {});
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  await ssc.start();

  let pushed = 0;
  const pushUpTo = async (inputs: number): Promise<void> => {
    for (; pushed < Math.min(inputs, batches * inputsPerBatch); pushed += 1) await queue.push(inputOf(pushed));
  };
  // All of it, where it has an end: so nothing that holds this thread up can let a batch go empty.
  const ahead = oneByOne ? inputsPerBatch : batches === Number.POSITIVE_INFINITY ? inputsAhead : batches * inputsPerBatch;
  const feeding = pushUpTo(ahead);
  // A failure shows below, where it is awaited.
  feeding.catch(() => {});

  let seen = 0;
  let wrong: string | null = null;
  for await (const { records, time } of output) {
    // Batches that were due before the first input came, or between two.
    if ((seen === 0 || oneByOne) && records.length === 0) continue;
    wrong = await onBatch(records, seen, time);
    seen += 1;
    if (wrong !== null || seen >= batches) break;
    await feeding.catch(() => {});
    await pushUpTo(seen * inputsPerBatch + ahead).catch(() => {});
  }
  await ssc.stop();
  if (wrong === null && Number.isFinite(batches) && seen < batches) wrong = `the context has stopped after ${seen} of ${batches} batches`;
  console.log(wrong === null ? `${seen} batches, every one as expected` : `Wrong: ${wrong}.`);
  if (wrong !== null) process.exitCode = 1;
}

/** How often each word is in the lines. */
export function countWords(given: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of given) for (const word of line.split(' ')) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

/** Null where the pairs are these counts; else what is wrong with them. */
export function differenceOf(pairs: readonly (readonly [string, number])[], expected: ReadonlyMap<string, number>): string | null {
  for (const [word, count] of pairs) if (expected.get(word) !== count) return `${JSON.stringify(word)} has ${count}, expected ${expected.get(word) ?? 'none'}`;
  return pairs.length === expected.size ? null : `there are ${pairs.length} words, expected ${expected.size}`;
}

/** The n largest, as text: `the 5, mill 2`. */
export function topOf(pairs: readonly (readonly [string, number])[], n: number): string {
  const sorted = [...pairs].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  return sorted.slice(0, n).map(([word, count]) => `${word} ${count}`).join(', ');
}

/**
 * The bare loop that word-count-engine is held against: the least that a program in this language does for the same result
 * with the same functions on the same text; or, of the form `bytes`, for the same result without them. No actors, no stages, no blocks: threads,
 * loops and two barriers.
 *
 *   main                      thread 0 (half of the lines)        thread 1
 *    │ ── count ─────────────► split, pair, sum into one table     the same
 *    │                         per reducer (2)
 *    │ ◄───────── columns of both tables (keys joined, sums as numbers) ──┘
 *    │ ── merge: reducer i's columns of all threads ─► sum into one table
 *    │ ◄───────── columns ─────┘
 *    └ all counts in one array, top 10
 */
import { fileURLToPath } from 'node:url';
import { once } from 'node:events';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { lineBytes, makeLines } from '../../load/zipf-lines.ts';
import { addCounts, lineToWords, topWords, wordToPair } from '../../programs/word-count-functions.ts';
import type { WordCount } from '../../programs/word-count-functions.ts';
import { countBytes } from './byte-table.ts';
import type { WordCounts } from './byte-table.ts';
import { monotonicMs } from '../../wall-clock.ts';

export interface BareLoopOptions {
  readonly lines: number;
  readonly batches: number;
  readonly threads: number;
  /** `closures`: lines are strings, and the functions are called. `bytes`: the bare byte table. */
  readonly form: 'closures' | 'bytes';
}

/** Counts of distinct words as they cross threads. */
interface Columns {
  readonly keys: string;
  readonly sums: Float64Array;
}

type ToThread = { readonly type: 'count' } | { readonly type: 'merge'; readonly columns: readonly Columns[] };

interface ThreadData {
  readonly bytes: SharedArrayBuffer;
  readonly from: number;
  readonly to: number;
  readonly reducers: number;
  readonly form: BareLoopOptions['form'];
}

/** The processing time of each batch, in milliseconds. */
export async function runBareLoop(options: BareLoopOptions): Promise<number[]> {
  const bytes = new SharedArrayBuffer(options.lines * lineBytes);
  makeLines(options.lines, undefined, () => new Uint8Array(bytes));
  const boundary = (thread: number): number => Math.floor((options.lines * thread) / options.threads) * lineBytes;
  const threads = Array.from({ length: options.threads }, (_, thread) => {
    const data: ThreadData = { bytes, from: boundary(thread), to: boundary(thread + 1), reducers: options.threads, form: options.form };
    return new Worker(fileURLToPath(import.meta.url), { workerData: data });
  });
  await Promise.all(threads.map((thread) => once(thread, 'message')));
  const times: number[] = [];
  for (let batch = 0; batch < options.batches; batch += 1) {
    const start = monotonicMs();
    const tables = await askAll<readonly Columns[]>(threads, () => ({ type: 'count' }));
    const merged = await askAll<Columns>(threads, (reducer) => ({ type: 'merge', columns: tables.map((table) => table[reducer]!) }));
    const counts = merged.flatMap(fromColumns);
    topWords(counts);
    times.push(monotonicMs() - start);
    const words = counts.reduce((sum, [, count]) => sum + count, 0);
    if (words !== options.lines * 10) throw new Error(`The bare loop counted ${words} words of ${options.lines * 10}.`);
  }
  await Promise.all(threads.map((thread) => thread.terminate()));
  return times;
}

async function askAll<Reply>(threads: readonly Worker[], message: (index: number) => ToThread): Promise<Reply[]> {
  return Promise.all(
    threads.map(async (thread, index) => {
      const reply = once(thread, 'message');
      thread.postMessage(message(index));
      return (await reply)[0] as Reply;
    }),
  );
}

function runThread(data: ThreadData): void {
  const count = data.form === 'bytes' ? () => tablesOf(countBytes(new Uint8Array(data.bytes, data.from, data.to - data.from)), data.reducers) : countingLines(data);
  const port = parentPort!;
  port.on('message', (message: ToThread) => {
    if (message.type === 'count') port.postMessage(count().map(toColumns));
    else port.postMessage(toColumns(mergeColumns(message.columns)));
  });
  port.postMessage('ready');
}

/** The records of the other sides lie in memory as strings, so they do here. */
function countingLines(data: ThreadData): () => Map<string, number>[] {
  const lines = Buffer.from(data.bytes, data.from, data.to - data.from).toString('latin1').split('\n');
  lines.pop();
  return () => countWords(lines, data.reducers);
}

function tablesOf({ words, counts }: WordCounts, reducers: number): Map<string, number>[] {
  const tables = Array.from({ length: reducers }, () => new Map<string, number>());
  for (let index = 0; index < words.length; index += 1) tables[hash(words[index]!) % reducers]!.set(words[index]!, counts[index]!);
  return tables;
}

function countWords(lines: readonly string[], reducers: number): Map<string, number>[] {
  const tables = Array.from({ length: reducers }, () => new Map<string, number>());
  const all = new Map<string, number>();
  for (let index = 0; index < lines.length; index += 1) {
    const words = lineToWords(lines[index]!);
    for (let at = 0; at < words.length; at += 1) {
      const [key, value] = wordToPair(words[at]!);
      const sum = all.get(key);
      all.set(key, sum === undefined ? value : addCounts(sum, value));
    }
  }
  // Distinct words are few, so they are dealt out to the reducers at the end.
  for (const [key, sum] of all) tables[hash(key) % reducers]!.set(key, sum);
  return tables;
}

function mergeColumns(list: readonly Columns[]): Map<string, number> {
  const merged = new Map<string, number>();
  for (const [key, value] of list.flatMap(fromColumns)) {
    const sum = merged.get(key);
    merged.set(key, sum === undefined ? value : addCounts(sum, value));
  }
  return merged;
}

function toColumns(table: ReadonlyMap<string, number>): Columns {
  return { keys: [...table.keys()].join('\n'), sums: Float64Array.from(table.values()) };
}

function fromColumns(columns: Columns): WordCount[] {
  return columns.sums.length === 0 ? [] : columns.keys.split('\n').map((key, index) => [key, columns.sums[index]!]);
}

function hash(key: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < key.length; index += 1) value = Math.imul(value ^ key.charCodeAt(index), 0x01000193);
  return value >>> 0;
}

// Imported by the benchmark on one thread, run by each of its own threads.
if (!isMainThread && isThreadData(workerData)) runThread(workerData);

function isThreadData(data: unknown): data is ThreadData {
  return typeof data === 'object' && data !== null && 'bytes' in data && 'reducers' in data;
}

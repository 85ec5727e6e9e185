/**
 * One of the bare socket loop's counting threads: counts the words of ranges of lines, until a batch ends.
 *
 * Invariant: a batch's counts are those of all ranges that came since the batch before. The memory of a range may be written again once it is
 * said to be counted.
 *
 *   the loop ── countRange ──► table of the batch ── rangeCounted ──► the loop
 *            ── batchEnds ───► its columns, an empty table
 */
import { parentPort, workerData } from 'node:worker_threads';
import { addCounts, lineToWords, wordToPair } from '../../programs/word-count-functions.ts';
import { countBytes } from './byte-table.ts';

/** `closures`: lines are strings, and the functions are called. `bytes`: the bare byte table. */
export type CountingForm = 'closures' | 'bytes';

export interface CounterData {
  readonly memory: SharedArrayBuffer;
  readonly form: CountingForm;
}

export type ToCounter = { readonly type: 'countRange'; readonly from: number; readonly to: number } | { readonly type: 'batchEnds'; readonly batchTime: number };

export type FromCounter =
  | { readonly type: 'ready' }
  | { readonly type: 'rangeCounted'; readonly from: number; readonly to: number }
  | { readonly type: 'batchCounted'; readonly batchTime: number; readonly keys: string; readonly sums: Float64Array };

function run({ memory, form }: CounterData): void {
  const port = parentPort!;
  const say = (message: FromCounter): void => port.postMessage(message);
  const count = form === 'bytes' ? addBytes : addLines;
  let table = new Map<string, number>();
  port.on('message', (message: ToCounter) => {
    if (message.type === 'countRange') {
      const { from, to } = message;
      count(table, memory, from, to);
      say({ type: 'rangeCounted', from, to });
    } else {
      say({ type: 'batchCounted', batchTime: message.batchTime, keys: [...table.keys()].join('\n'), sums: Float64Array.from(table.values()) });
      table = new Map();
    }
  });
  say({ type: 'ready' });
}

function addBytes(table: Map<string, number>, memory: SharedArrayBuffer, from: number, to: number): void {
  const { words, counts } = countBytes(new Uint8Array(memory, from, to - from));
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index]!;
    table.set(word, (table.get(word) ?? 0) + counts[index]!);
  }
}

function addLines(table: Map<string, number>, memory: SharedArrayBuffer, from: number, to: number): void {
  const lines = Buffer.from(memory, from, to - from).toString('latin1').split('\n');
  // Behind the last line's end.
  lines.pop();
  for (let index = 0; index < lines.length; index += 1) {
    const words = lineToWords(lines[index]!);
    for (let at = 0; at < words.length; at += 1) {
      const [key, value] = wordToPair(words[at]!);
      const sum = table.get(key);
      table.set(key, sum === undefined ? value : addCounts(sum, value));
    }
  }
}

run(workerData as CounterData);

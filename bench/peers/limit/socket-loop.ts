/**
 * The bare loop that word-count-socket is held against: a process of its own, which says what a measured process says (subject-events.ts). The least
 * that a program in this language does for the same result: bytes are read straight into shared memory, ranges of whole lines go to two counting
 * threads as they come, and at each batch's end their counts are added up and the top 10 is taken. No actors, no blocks, no replica, no recovery.
 *
 * Invariant: it shares no code with lib/. A chunk of memory is read into again only when all that was handed out of it is counted; where there is none, nothing is read.
 *
 *   socket ─► | chunk: handed out | open range: lines | part of a line | free | ─► the thread that has less to do
 *             from              start              lineEnd            end
 *
 *   node socket-loop.js '{"port":9999,"batchMs":1000,"recognizeClosures":false}'        closures called, else the byte table
 */
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { usageOf } from '../../machine.ts';
import { wordsPerLine } from '../../load/zipf-lines.ts';
import { topWords } from '../../programs/word-count-functions.ts';
import type { WordCount } from '../../programs/word-count-functions.ts';
import type { SubjectEvent } from '../../subject-events.ts';
import type { SubjectSettings } from '../../subject-settings.ts';
import { epochMs, epochUs, sleep } from '../../wall-clock.ts';
import type { CounterData, FromCounter, ToCounter } from './socket-counter.ts';

/** So large that making and adding up a table for each costs little. */
const chunkBytes = 8 * 1024 * 1024;
/** About two seconds of text at the highest rate: what piles up behind that is the sender's. */
const chunksMax = 32;
/** What one read may bring. A chunk with less than two of them left is full: one read more comes behind a pause. */
const readBytesMax = 65_536;
const newline = 10;
const threads = 2;

interface Counter {
  readonly worker: Worker;
  bytesUnderWay: number;
}

/** Of a batch that has ended: who has counted it. */
interface EndedBatch {
  readonly merged: Map<string, number>;
  left: number;
}

class SocketLoop {
  readonly #memory = new SharedArrayBuffer(chunksMax * chunkBytes);
  readonly #bytes = Buffer.from(this.#memory);
  /** The last one given back is the first one taken: memory that was never needed stays untouched. */
  readonly #free = Array.from({ length: chunksMax }, (_one, index) => chunksMax - 1 - index);
  /** By chunk: ranges that are not counted, and one more for the chunk that is read into. */
  readonly #uses = new Int32Array(chunksMax);
  readonly #ended = new Map<number, EndedBatch>();
  readonly #batchMs: number;
  #counters: Counter[] = [];
  #resume: () => void = () => {};
  #paused = false;
  #chunk = -1;
  #start = 0;
  #end = 0;
  #doneMs = 0;
  batches = 0;

  constructor(batchMs: number) {
    this.#batchMs = batchMs;
    this.#take();
  }

  async start(form: CounterData['form'], port: number): Promise<void> {
    const script = fileURLToPath(new URL('./socket-counter.js', import.meta.url));
    const data: CounterData = { memory: this.#memory, form };
    this.#counters = Array.from({ length: threads }, () => ({ worker: new Worker(script, { workerData: data }), bytesUnderWay: 0 }));
    await Promise.all(this.#counters.map((counter) => this.#listen(counter)));
    const socket = connect({ host: '127.0.0.1', port, onread: { buffer: () => this.#space(), callback: (bytes) => this.#onRead(bytes) } });
    socket.setNoDelay(true);
    socket.resume();
    this.#resume = () => void socket.resume();
  }

  /** At each multiple of the batch interval, for ever. */
  async endBatches(): Promise<never> {
    for (;;) {
      const batchTime = (Math.floor(epochMs() / this.#batchMs) + 1) * this.#batchMs;
      while (epochMs() < batchTime) await sleep(batchTime - epochMs());
      this.#handOut();
      this.#ended.set(batchTime, { merged: new Map(), left: threads });
      for (const { worker } of this.#counters) worker.postMessage({ type: 'batchEnds', batchTime } satisfies ToCounter);
    }
  }

  #listen(counter: Counter): Promise<void> {
    return new Promise((resolve) => {
      counter.worker.on('message', (message: FromCounter) => {
        if (message.type === 'ready') resolve();
        else if (message.type === 'rangeCounted') this.#onRangeCounted(counter, message);
        else this.#onBatchCounted(message);
      });
    });
  }

  #space(): Uint8Array {
    return this.#bytes.subarray(this.#end, Math.min(this.#end + readBytesMax, (this.#chunk + 1) * chunkBytes));
  }

  /** False: nothing more is read until a chunk is free. */
  #onRead(bytes: number): boolean {
    this.#end += bytes;
    const room = (this.#chunk + 1) * chunkBytes - this.#end;
    if (room >= 2 * readBytesMax || this.#move()) return true;
    this.#paused = true;
    return false;
  }

  /** On to another chunk, with the part of a line that is there. */
  #move(): boolean {
    if (this.#free.length === 0) return false;
    this.#handOut();
    const full = this.#chunk;
    const [from, to] = [this.#start, this.#end];
    this.#take();
    this.#bytes.copyWithin(this.#start, from, to);
    this.#end += to - from;
    this.#release(full);
    return true;
  }

  #take(): void {
    this.#chunk = this.#free.pop()!;
    this.#uses[this.#chunk]! += 1;
    this.#start = this.#end = this.#chunk * chunkBytes;
  }

  #handOut(): void {
    const from = this.#start;
    const to = this.#bytes.subarray(from, this.#end).lastIndexOf(newline) + from + 1;
    if (to === from) return;
    const counter = this.#counters.reduce((least, one) => (one.bytesUnderWay < least.bytesUnderWay ? one : least));
    counter.bytesUnderWay += to - from;
    this.#uses[this.#chunk]! += 1;
    this.#start = to;
    counter.worker.postMessage({ type: 'countRange', from, to } satisfies ToCounter);
  }

  #release(chunk: number): void {
    this.#uses[chunk]! -= 1;
    if (this.#uses[chunk] !== 0) return;
    this.#free.push(chunk);
    if (!this.#paused) return;
    this.#paused = false;
    this.#resume();
  }

  #onRangeCounted(counter: Counter, { from, to }: Extract<FromCounter, { type: 'rangeCounted' }>): void {
    counter.bytesUnderWay -= to - from;
    this.#release(Math.floor(from / chunkBytes));
  }

  #onBatchCounted({ batchTime, keys, sums }: Extract<FromCounter, { type: 'batchCounted' }>): void {
    const batch = this.#ended.get(batchTime)!;
    const { merged } = batch;
    if (sums.length > 0) for (const [index, key] of keys.split('\n').entries()) merged.set(key, (merged.get(key) ?? 0) + sums[index]!);
    batch.left -= 1;
    if (batch.left > 0) return;
    this.#ended.delete(batchTime);
    this.#tell(batchTime, [...merged]);
  }

  /** Batches as jobs, one after another: each begins when it is due and the one before is done. */
  #tell(batchTime: number, counts: readonly WordCount[]): void {
    const top = topWords(counts);
    const doneUs = epochUs();
    const words = counts.reduce((sum, [, count]) => sum + count, 0);
    const nowMs = epochMs();
    const beginsMs = Math.max(batchTime, this.#doneMs);
    this.#doneMs = nowMs;
    this.batches += 1;
    say({ event: 'output', batchTime, doneUs, words, keys: counts.length, top: top.length, stamps: [] });
    say({ event: 'batch', batchTime, records: words / wordsPerLine, schedulingDelayMs: beginsMs - batchTime, processingDelayMs: Math.max(0, nowMs - beginsMs), epochMs: nowMs });
  }
}

function say(event: SubjectEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

const settings = JSON.parse(process.argv[2] ?? '{}') as SubjectSettings;
say({ event: 'main', epochMs: epochMs(), version: `Node ${process.versions.node}` });
const loop = new SocketLoop(settings.batchMs);
process.stdin.resume().once('end', () => {
  say({ event: 'end', epochMs: epochMs(), batches: loop.batches, rssPeakMib: Math.round(usageOf(process.pid)?.rssPeakMib ?? Number.NaN) });
  process.exit(0);
});
await loop.start(settings.recognizeClosures === false ? 'closures' : 'bytes', settings.port ?? 0);
say({ event: 'started', epochMs: epochMs() });
await loop.endBatches();

/**
 * A thread that makes handles, and reads and releases those that other threads made, as fast as it can, through cells of
 * shared memory: so the pool is used without any message that would put the threads in order.
 *
 *   cell  | STATE: empty -> making -> full -> reading -> empty | slab | offset | bytes | generation, low | high |
 *   last  | 1: stop |
 */
import { parentPort, workerData } from 'node:worker_threads';
import { SlabPool, type SlabPoolShare } from '../../../lib/storage/slab-pool.ts';

export const cellWords = 6;
/** While a cell is being filled its state is `making` + the host, so that a dead host's cells are known. */
export const cellState = { empty: 0, full: 1, reading: 2, making: 16 } as const;

export interface StressTask {
  readonly share: SlabPoolShare;
  readonly cells: SharedArrayBuffer;
  readonly host: number;
  /** At most; Infinity: until it is told to stop. */
  readonly rounds: number;
  /** A producer only makes handles: what it holds when it is killed is never read by it. */
  readonly producer: boolean;
}

export interface StressReport {
  readonly made: number;
  readonly read: number;
  readonly refused: number;
}

if (parentPort !== null) {
  parentPort.postMessage(run(workerData as StressTask));
}

function run({ share, cells, host, rounds, producer }: StressTask): StressReport {
  const pool = SlabPool.attach(share, host);
  const words = new Int32Array(cells);
  const stop = words.length - 1;
  const count = stop / cellWords;
  let random = host * 7919;
  let made = 0;
  let read = 0;
  let refused = 0;
  for (let round = 0; round < rounds && Atomics.load(words, stop) === 0; round++) {
    random = (Math.imul(random, 1103515245) + 12345) & 0x7fffffff;
    const at = ((random >>> 8) % count) * cellWords;
    if (Atomics.compareExchange(words, at, cellState.empty, cellState.making + host) === cellState.empty) {
      // Now and then a large one.
      const memory = pool.allocate((random >>> 3) % (random % 50 === 0 ? 20_000 : 500));
      if (memory === null) {
        refused += 1;
        Atomics.store(words, at, cellState.empty);
        continue;
      }
      memory.view.fill(random & 0x7f);
      words[at + 1] = memory.handle.slab;
      words[at + 2] = memory.handle.offset;
      words[at + 3] = memory.handle.bytes;
      words[at + 4] = memory.handle.generation % 2 ** 24;
      words[at + 5] = Math.floor(memory.handle.generation / 2 ** 24);
      made += 1;
      Atomics.store(words, at, cellState.full);
      if (made === 200) parentPort?.postMessage('working');
    } else if (!producer && Atomics.compareExchange(words, at, cellState.full, cellState.reading) === cellState.full) {
      const handle = handleAt(words, at);
      const view = pool.view(handle);
      const first = view[0];
      if (!view.every((byte) => byte === first && byte < 0x80)) throw new Error(`Expected ${JSON.stringify(handle)} to be as it was written, got other bytes.`);
      pool.release(handle);
      read += 1;
      Atomics.store(words, at, cellState.empty);
    }
  }
  pool.close();
  return { made, read, refused };
}

export function handleAt(words: Int32Array, at: number): { slab: number; offset: number; bytes: number; generation: number } {
  return { slab: words[at + 1]!, offset: words[at + 2]!, bytes: words[at + 3]!, generation: words[at + 4]! + words[at + 5]! * 2 ** 24 };
}

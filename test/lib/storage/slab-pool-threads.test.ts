/** The pool under real threads: no bytes change under a reader, nothing is lost, also when a thread is killed. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { SlabPool } from '../../../lib/storage/slab-pool.ts';
import type { SharedHandle } from '../../../protocol/rdd.ts';
import { cellState, cellWords, handleAt, type StressReport, type StressTask } from './slab-stress-worker.ts';

const cells = 24;

function makePool(): { pool: SlabPool; words: Int32Array<SharedArrayBuffer> } {
  // Few and small slabs, so that each is used again thousands of times.
  const pool = SlabPool.create({ slabBytes: 4096, poolBytes: 24 * 4096, host: 1, poison: true });
  return { pool, words: new Int32Array(new SharedArrayBuffer((cells * cellWords + 1) * 4)) };
}

function start(pool: SlabPool, words: Int32Array<SharedArrayBuffer>, task: Pick<StressTask, 'host' | 'rounds' | 'producer'>): Worker {
  const workerData: StressTask = { share: pool.share, cells: words.buffer, ...task };
  return new Worker(new URL('./slab-stress-worker.js', import.meta.url), { workerData });
}

async function reportOf(worker: Worker): Promise<StressReport> {
  for (;;) {
    const [message] = (await once(worker, 'message')) as [StressReport | 'working'];
    if (message !== 'working') return message;
  }
}

/** Handles that someone still has to release: in full cells, and in those that a live reader has in hand. */
function handlesInCells(words: Int32Array): SharedHandle[] {
  const handles: SharedHandle[] = [];
  for (let at = 0; at < cells * cellWords; at += cellWords) {
    const state = Atomics.load(words, at);
    if (state === cellState.full || state === cellState.reading) handles.push(handleAt(words, at));
  }
  return handles;
}

t.test('threads that make and release each other\'s handles lose nothing and see no foreign bytes', async (t) => {
  const { pool, words } = makePool();
  const workers = [2, 3, 4].map((host) => start(pool, words, { host, rounds: 30_000, producer: false }));
  t.teardown(() => Promise.all(workers.map((worker) => worker.terminate())));
  const reports = await Promise.all(workers.map(reportOf));
  const made = reports.reduce((sum, report) => sum + report.made, 0);
  const read = reports.reduce((sum, report) => sum + report.read, 0);
  const left = handlesInCells(words);
  t.ok(read > 10_000, `${made} handles made, ${read} read`);
  t.equal(made, read + left.length);
  t.equal(pool.stats().liveHandles, left.length);
  for (const handle of left) pool.release(handle);
  t.match(pool.stats(), { slabs: 24, free: 24, liveHandles: 0 });
});

t.test('a thread that is killed while it allocates leaves nothing behind but the handles that it gave away', async (t) => {
  const { pool, words } = makePool();
  // These read while the dead host's slabs are reclaimed.
  const readers = [2, 3].map((host) => start(pool, words, { host, rounds: Infinity, producer: false }));
  const reports = Promise.all(readers.map(reportOf));
  t.teardown(() => Promise.all(readers.map((worker) => worker.terminate())));
  for (let host = 10; host < 13; host++) {
    const victim = start(pool, words, { host, rounds: Infinity, producer: true });
    await once(victim, 'message');
    await victim.terminate();
    pool.reclaim(host, handlesInCells(words));
    for (let at = 0; at < cells * cellWords; at += cellWords) Atomics.compareExchange(words, at, cellState.making + host, cellState.empty);
  }
  Atomics.store(words, cells * cellWords, 1);
  await reports;
  for (let at = 0; at < cells * cellWords; at += cellWords) {
    if (words[at] === cellState.full) pool.release(handleAt(words, at));
  }
  t.match(pool.stats(), { slabs: 24, free: 24, liveHandles: 0 });
});

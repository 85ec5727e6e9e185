/** Threads by piscina: how the pool's module gets there, and that its end may come at any time. */
import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import t from 'tap';
import { ThreadPool } from '../../../lib/actor/thread-pool.ts';

const filename = new URL('../../fixtures/loaded-how.js', import.meta.url).href;

/**
 * Bug: piscina requires its file before it tries to import it, and a thread that is ended while an ES module is being required
 * aborts the whole process on Node 20. Conditions: a context stopped, or a thread killed, in the milliseconds in which the
 * thread's modules are being linked. Plan: the moment can't be met on purpose, so it is held that no require is on the way.
 */
t.test('the pool\'s module is imported, never required', async (t) => {
  const pool = new ThreadPool({ filename, threads: 1, heapMbMax: 0 });
  t.teardown(() => pool.close());
  const { port } = pool.run({ some: 'task' });
  const [{ init, stack }] = (await once(port, 'message')) as [{ init: unknown; stack: string }];
  t.strictSame(init, { some: 'task' });
  t.match(stack, /loaded-how\.js/);
  t.notMatch(stack, /importSyncForRequire|loadESMFromCJS|runSync/);
  port.close();
});

t.test('threads that are ended while they start end alone', async (t) => {
  for (let round = 0; round < 5; round += 1) {
    const pool = new ThreadPool({ filename, threads: 2, heapMbMax: 0 });
    const tasks = [pool.run(1), pool.run(2)];
    await pool.close();
    for (const { exited, port } of tasks) {
      t.match(await exited, { code: 'HostGone' });
      port.close();
    }
  }
});

t.test('close resolves when a thread that ran something is gone, also where it was told to end before', async (t) => {
  const created = once(process, 'worker') as Promise<[Worker]>;
  const pool = new ThreadPool({ filename, threads: 1, heapMbMax: 0 });
  const { port, exited, kill } = pool.run(1);
  const [first] = await created;
  let gone = false;
  first.once('exit', () => (gone = true));
  await once(port, 'message');
  kill();
  t.match(await exited, { code: 'HostGone' });
  await pool.close();
  t.ok(gone);
  port.close();
});

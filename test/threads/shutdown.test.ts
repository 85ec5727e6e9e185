/** `stopGracefullyOnShutdown`, by real signals to a real process: what it does before it ends, and how it ends. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import type { Test } from 'tap';
import { StreamingContext } from '../../lib/streaming-context.ts';
import { built, builtFile, startLineServer, startNode } from '../helpers/node-process.ts';
import type { Child, LineServer } from '../helpers/node-process.ts';

interface App {
  readonly child: Child;
  /** Of each context. */
  readonly servers: readonly LineServer[];
}

async function app(t: Test, contexts: number, given: object = {}): Promise<App> {
  const servers = await Promise.all(Array.from({ length: contexts }, () => startLineServer(t)));
  const child = startNode(t, [builtFile('test/fixtures/children/shutdown.js'), JSON.stringify({ ports: servers.map(({ port }) => port), ...given })]);
  return { child, servers };
}

/** Sends numbered lines, on and on; resolves when the child has printed some of them. */
async function underLoad(t: Test, { child, servers }: App): Promise<void> {
  for (const server of servers) {
    const connection = await server.connection();
    let sent = 0;
    const sending = setInterval(() => connection.write(`line ${(sent += 1)}\n`), 3);
    t.teardown(() => clearInterval(sending));
  }
  await Promise.all(servers.map(({ port }) => child.prints(new RegExp(`^${port} line \\d+$`, 'm'))));
}

/** What a context has printed: every line once, in order, without a hole. */
function checkLines(t: Test, { child, servers }: App): void {
  for (const { port } of servers) {
    const lines = [...child.stdout.matchAll(new RegExp(`^${port} line (\\d+)$`, 'gm'))].map(([, number]) => Number(number));
    t.ok(lines.length > 0);
    t.strictSame(lines, Array.from({ length: lines.length }, (_, index) => index + 1), 'every line once, in order, with no hole');
  }
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal} in mid-stream: what was received is processed, then the process ends by that signal`, async (t) => {
    const one = await app(t, 1);
    await underLoad(t, one);
    one.child.kill(signal);
    t.strictSame(await one.child.ended, { code: null, signal });
    checkLines(t, one);
    t.match(one.child.stdout, /handlers before 0\n[\s\S]*handlers 1\n[\s\S]*\nended STOPPED\n$/, 'who waits for the end hears of it');
    t.equal(one.child.stderr, '');
  });
}

for (const shared of [false, true]) {
  t.test(`several contexts are all stopped gracefully, with one handler for all of them, ${shared ? 'on the same threads' : 'each on threads of its own'}`, async (t) => {
    const two = await app(t, 2, { shared });
    await underLoad(t, two);
    two.child.kill('SIGTERM');
    t.strictSame(await two.child.ended, { code: null, signal: 'SIGTERM' });
    checkLines(t, two);
    t.match(two.child.stdout, /handlers 1\n[\s\S]*\nended STOPPED STOPPED\n$/);
    t.equal(two.child.stderr, '');
  });
}

t.test('a process with handlers of its own ends as these say: here by itself', async (t) => {
  const one = await app(t, 1, { own: true });
  await underLoad(t, one);
  one.child.kill('SIGTERM');
  t.strictSame(await one.child.ended, { code: 0, signal: null });
  checkLines(t, one);
  t.equal([...one.child.stdout.matchAll(/^own SIGTERM$/gm)].length, 1, 'they hear of it once');
  t.match(one.child.stdout, /\nended STOPPED\n$/);
});

t.test('a second signal ends it at once, with its own status; the same signal passed on by a parent is no second one', async (t) => {
  const one = await app(t, 1, { hangs: true });
  await underLoad(t, one);
  let over = false;
  void one.child.ended.then(() => (over = true));
  one.child.kill('SIGTERM');
  one.child.kill('SIGTERM');
  // Signals so close to each other that they may be the same are one: a person is slower.
  await new Promise((resolve) => setTimeout(resolve, 600));
  t.notOk(over, 'it waits for the output');
  one.child.kill('SIGINT');
  t.strictSame(await one.child.ended, { code: null, signal: 'SIGINT' });
});

t.test('a stop that takes too long is told by the logger, with what was left, and the process ends by the signal', async (t) => {
  const one = await app(t, 1, { hangs: true, timeoutMs: 300 });
  await underLoad(t, one);
  one.child.kill('SIGTERM');
  t.strictSame(await one.child.ended, { code: null, signal: 'SIGTERM' });
  t.match(one.child.stderr, /^millrace error: app \d+, stopped by SIGTERM: Expected everything received to be processed within timeoutMs \(300 ms\); .* not complete.*output 0 \(foreachRDD[^)]*\) of the batch at \d+ ms has not ended/m);
});

t.test('a signal while it starts ends it, too, when it has started', async (t) => {
  const one = await app(t, 1);
  await one.child.prints(/^starting$/m);
  one.child.kill('SIGTERM');
  t.strictSame(await one.child.ended, { code: null, signal: 'SIGTERM' });
  t.match(one.child.stdout, /starting\nhandlers 1\nended STOPPED\n$/);
  t.equal(one.child.stderr, '');
});

t.test('handlers are on the process only while a context that asked for them is active', async (t) => {
  const handlers = (): number => process.listenerCount('SIGTERM') + process.listenerCount('SIGINT');
  const before = handlers();
  const options = { master: 'inline', clock: 'manual', batchInterval: 1_000, allowMultipleContexts: true } as const;
  const make = (stopGracefullyOnShutdown: boolean) => StreamingContext.create((ssc: StreamingContext) => void ssc.batchesStream([[1]]).print(), { ...options, stopGracefullyOnShutdown });
  const without = await make(false);
  await without.start();
  t.equal(handlers(), before, 'none by default');
  const first = await make(true);
  const second = await make(true);
  t.equal(handlers(), before, 'nor before the start');
  await Promise.all([first.start(), second.start()]);
  t.equal(handlers(), before + 2, 'one for each signal');
  await first.stop();
  t.equal(handlers(), before + 2);
  await second.stop();
  t.equal(handlers(), before);
  await without.stop();
});

t.test('on a worker thread, to which no signal comes, the option is refused', async (t) => {
  const text = `
    import { parentPort } from 'node:worker_threads';
    import { StreamingContext } from ${JSON.stringify(new URL('lib/index.js', built).href)};
    try {
      new StreamingContext({ master: 'inline', batchInterval: 100, stopGracefullyOnShutdown: true });
      parentPort.postMessage('none');
    } catch (thrown) {
      parentPort.postMessage(thrown.code + ' ' + thrown.message);
    }
  `;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(text)}`));
  const [said] = (await once(worker, 'message')) as [string];
  t.match(said, /^InvalidOption Expected stopGracefullyOnShutdown to be false on a worker thread/);
  await worker.terminate();
});

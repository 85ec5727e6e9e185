/** `millrace run --checkpoint`, stopped by real signals and run again: nothing is lost, nothing counts twice, and a stop that is late says so. */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import t from 'tap';
import type { Test } from 'tap';
import { builtFile, startLineServer, startNode } from '../helpers/node-process.ts';
import type { Child } from '../helpers/node-process.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const cli = builtFile('lib/cli.js');

function run(t: Test, program: string, directory: string, args: object, ...more: readonly string[]): Child {
  return startNode(t, [cli, 'run', builtFile(`test/fixtures/${program}.js`), '--master', 'local[2]', '--batch', '200', '--checkpoint', directory, '--args', JSON.stringify(args), ...more]);
}

function linesOf({ stdout }: Child): number[] {
  return [...stdout.matchAll(/^line (\d+)$/gm)].map(([, number]) => Number(number));
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

/** The totals that were printed last. */
function totalsOf({ stdout }: Child): number[] {
  return [0, 1, 2].map((rest) => Number([...stdout.matchAll(new RegExp(`^\\(rest ${rest},(\\d+)\\)$`, 'gm'))].at(-1)?.[1] ?? 0));
}

t.test('SIGTERM, SIGINT and SIGTERM again, under load, with a run from the same directory after each: each line once, and the totals of all', async (t) => {
  const server = await startLineServer(t);
  const directory = temporaryDirectory();
  const printed: number[] = [];
  for (const [life, signal] of (['SIGTERM', 'SIGINT', 'SIGTERM'] as const).entries()) {
    const child = run(t, 'counted-lines', directory, { port: server.port });
    const connection = await server.connection();
    let sent = printed.length;
    const sending = setInterval(() => connection.write(`line ${(sent += 1)}\nline ${(sent += 1)}\nline ${(sent += 1)}\n`), 2);
    // Lines of two batches at least.
    await child.prints(new RegExp(`^line ${printed.length + 1}$[\\s\\S]*Time[\\s\\S]*^line \\d+$`, 'm'));
    child.kill(signal);
    t.strictSame(await child.ended, { code: 0, signal: null }, signal);
    clearInterval(sending);
    printed.push(...linesOf(child));
    t.match(child.stderr, life === 0 ? /^millrace: stopping: .*\n$/ : /^millrace: going on from .*: batches up to \d+ ms are complete\.\nmillrace: stopping: .*\n$/, 'nothing has to run again');
    t.strictSame(printed, upTo(printed.length), 'each line once, in order, with no hole');
    t.strictSame(totalsOf(child), [0, 1, 2].map((rest) => printed.filter((number) => number % 3 === rest).length), 'the state of all runs');
  }
});

/** Serves numbered lines without end, from where it is asked to, not further ahead of what is acknowledged than some. */
async function acknowledgingServer(t: Test): Promise<{ readonly port: number; readonly asked: number[]; readonly acknowledged: () => number }> {
  const asked: number[] = [];
  let acknowledged = 0;
  const server = createServer((socket) => {
    socket.on('error', () => {});
    t.teardown(() => socket.destroy());
    let sent = 0;
    const fill = (): void => {
      while (!socket.writableEnded && sent < acknowledged + 50) socket.write(`line ${(sent += 1)}\n`);
    };
    createInterface({ input: socket }).on('line', (line) => {
      const [word, number] = line.split(' ');
      if (word === 'from') {
        asked.push(Number(number));
        sent = Number(number);
        // The acknowledgement may have been lost with the connection.
        acknowledged = Math.max(acknowledged, sent);
      } else acknowledged = Math.max(acknowledged, Number(number));
      fill();
    });
    socket.on('end', () => socket.end());
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close());
  return { port: (server.address() as AddressInfo).port, asked, acknowledged: () => acknowledged };
}

t.test('with a reliable receiver: what it was told is stored is what is processed, and the next run goes on behind it', async (t) => {
  const server = await acknowledgingServer(t);
  const directory = temporaryDirectory();
  const printed: number[] = [];
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGTERM'] as const) {
    const child = run(t, 'acknowledged-lines', directory, { port: server.port });
    await child.prints(new RegExp(`^line ${printed.length + 1}$[\\s\\S]*Time[\\s\\S]*^line \\d+$`, 'm'));
    child.kill(signal);
    t.strictSame(await child.ended, { code: 0, signal: null }, signal);
    t.equal(server.asked.at(-1), printed.length, 'it asked for what is behind the last one');
    printed.push(...linesOf(child));
    t.strictSame(printed, upTo(printed.length), 'each line once, in order, with no hole');
    t.ok(server.acknowledged() <= printed.length, 'nothing was acknowledged that was not processed');
  }
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`a stop by ${signal} that takes longer than --stop-timeout: exit code 3, what was left on stderr, and the next run processes that`, async (t) => {
    const server = await startLineServer(t);
    const directory = temporaryDirectory();
    const child = run(t, 'counted-lines', directory, { port: server.port, hangs: true }, '--stop-timeout', '500ms');
    const connection = await server.connection();
    connection.write('line 1\nline 2\n');
    await child.says(/^hanging$/m);
    connection.write('line 3\nline 4\nline 5\n');
    child.kill(signal);
    t.strictSame(await child.ended, { code: 3, signal: null }, 'although a timer of the app holds the process');
    t.match(child.stderr, /^millrace: StopTimeout: Expected everything received to be processed within timeoutMs \(500 ms\); .*not complete.*; output 2 \(foreachRDD[^)]*\) of the batch at \d+ ms has not ended\. The context is stopped all the same\. What was left is in the log in .*, and is processed after the next getOrCreate\.$/m);
    t.strictSame(linesOf(child), [1, 2]);

    const next = run(t, 'counted-lines', directory, { port: server.port }, '--batches', '8');
    await server.connection();
    t.strictSame(await next.ended, { code: 0, signal: null });
    t.match(next.stderr, /^millrace: going on from .*; batches up to \d+ ms run again first\.$/m);
    const lines = linesOf(next);
    t.strictSame(lines.slice(0, 2), [1, 2], 'the batch that hung runs again');
    t.strictSame(lines.slice(2), upTo(5).slice(2, lines.length), 'then what had come meanwhile');
    t.strictSame(totalsOf(next).reduce((sum, count) => sum + count, 0), lines.length, 'each counted once');
  });
}

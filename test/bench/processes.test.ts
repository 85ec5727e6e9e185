/** The benchmark's processes: the generator over TCP, the bare loop on its threads, the command itself. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { startLoadSource } from '../../bench/load/source.ts';
import { makeLines } from '../../bench/load/zipf-lines.ts';
import { countBytes } from '../../bench/peers/limit/byte-table.ts';
import { runBareLoop } from '../../bench/peers/limit/word-count-loop.ts';

const runScript = fileURLToPath(new URL('../../bench/run.js', import.meta.url));

function runBench(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [runScript, ...args], (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stdout, stderr }));
  });
}

t.test('the generator serves exactly its lines to whoever connects, then closes', async (t) => {
  const source = await startLoadSource({ lines: 500 });
  t.teardown(() => source.stop());
  t.equal(source.openedMs, null, 'nobody has connected');
  const chunks: Buffer[] = [];
  const socket = connect(source.port, '127.0.0.1').on('data', (chunk) => chunks.push(chunk));
  await once(socket, 'close');
  t.ok(Buffer.concat(chunks).equals(makeLines(500)), 'the first 500 lines of the pool');
  t.ok((source.openedMs ?? 0) > 0);
  t.match(source.ticks.find((tick) => tick.event === 'written'), { lines: 500, bytes: 30_000, lag: 0, connection: 1 });
});

t.test('a reader that connects a second time gets the same lines from the first on', async (t) => {
  const source = await startLoadSource({ lines: 10 });
  t.teardown(() => source.stop());
  for (const connection of [1, 2]) {
    const chunks: Buffer[] = [];
    const socket = connect(source.port, '127.0.0.1').on('data', (chunk) => chunks.push(chunk));
    await once(socket, 'close');
    t.ok(Buffer.concat(chunks).equals(makeLines(10)), `connection ${connection}`);
  }
});

t.test('the bare loops count every word, or fail', async (t) => {
  for (const form of ['closures', 'bytes'] as const) {
    const times = await runBareLoop({ lines: 1_001, batches: 3, threads: 2, form });
    t.equal(times.length, 3);
    t.ok(times.every((time) => time > 0));
  }
});

t.test('the bare byte table counts what closures count', async (t) => {
  const bytes = makeLines(1_000);
  const expected = new Map<string, number>();
  for (const word of Buffer.from(bytes.buffer).toString('latin1').trimEnd().split(/[ \n]/)) expected.set(word, (expected.get(word) ?? 0) + 1);
  const { words, counts } = countBytes(bytes);
  t.strictSame(words.map((word, index) => [word, counts[index]]), [...expected]);
  const long = countBytes(Buffer.from('ninechars ninechart abcd abcde ninechars\n'));
  t.strictSame(long.words.map((word, index) => [word, long.counts[index]]), [['ninechars', 2], ['ninechart', 1], ['abcd', 1], ['abcde', 1]]);
});

t.test('bench list names every benchmark', async (t) => {
  const { code, stdout } = await runBench('list');
  t.equal(code, 0);
  for (const name of ['word-count-socket', 'word-count-engine', 'state-update', 'window', 'batch-overhead', 'messages', 'startup']) t.match(stdout, new RegExp(`^${name} `, 'm'));
});

t.test('an unknown name is exit code 2, with the names there are, and nothing on stdout', async (t) => {
  const { code, stdout, stderr } = await runBench('nothing', '--json');
  t.equal(code, 2);
  t.equal(stdout, '');
  t.match(stderr, /There is no benchmark named nothing. There are: word-count-socket/);
});

t.test('with --json the last line of stdout is the result, against its peer', async (t) => {
  const { code, stdout } = await runBench('messages', '--json', '--seconds', '0.05', '--runs', '1', '--peer', 'limit');
  t.equal(code, 0);
  const result = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
  t.match(result, { bench: 'messages', unit: 'messages/s', better: 'higher', value: Number, runs: [Number], peers: { limit: { value: Number, ratio: Number } } });
  t.ok(result.value > 0);
  t.same(result.figures[0].value, result.value);
  t.ok(result.figures.every((figure: { name: unknown }) => typeof figure.name === 'string'));
  t.equal(result.versions.node, process.versions.node);
  t.type(result.machine.cores, 'number');
});

t.test('soak runs its batches in a process of its own, and gives memory in MiB', async (t) => {
  const { code, stdout, stderr } = await runBench('soak', '--batches', '40', '--intervals', '50', '--rate', '500', '--json');
  t.equal(code, 0, stderr);
  const result = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { readonly unit: string; readonly better: string; readonly figures: readonly { readonly name: string; readonly value: number }[]; readonly details: { readonly runs: readonly (readonly { readonly batch: number; readonly words: number; readonly updateKeys: number; readonly mapKeys: number; readonly windowKeys: number }[])[] } };
  t.match(result, { unit: 'MiB', better: 'lower' });
  t.ok((result.figures.find(({ name }) => name === 'RSS, last tenth')?.value ?? 0) > 20);
  const samples = result.details.runs[0] ?? [];
  t.equal(samples.length, 40, 'a sample of each batch');
  t.equal(samples.at(-1)?.batch, 40);
  t.ok((samples.at(-1)?.words ?? 0) > 0, 'under load');
  t.ok(samples.some(({ updateKeys, mapKeys }) => updateKeys > 0 && mapKeys > 0) && samples.some(({ windowKeys }) => windowKeys > 0), 'state and windows hold keys');
  t.ok(result.figures.some(({ name }) => name === 'RSS, trend over the second half, a thousand batches') && result.figures.some(({ name }) => name === 'shared memory in use, peak of the samples'));
});

t.test('state-update counts all keys in each batch, or those that changed, and gives figures for both forms', async (t) => {
  const { code, stdout, stderr } = await runBench('state-update', '--json', '--keys', '2000', '--updates', '100', '--interval', '100', '--seconds', '1', '--runs', '1', '--peer', 'limit');
  t.equal(code, 0, stderr);
  const result = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
  t.match(result, { bench: 'state-update', unit: 'ms', better: 'lower', value: Number, peers: { limit: { value: Number } }, settings: { keys: 2_000, updates: 100, batchMs: 100 } });
  const names = result.figures.map((figure: { name: string }) => figure.name);
  for (const form of ['updateStateByKey', 'mapWithState']) t.ok(names.includes(`${form}: processing time, median`), form);
});

t.test('window measures both forms once the window is full', async (t) => {
  const { code, stdout, stderr } = await runBench('window', '--json', '--window', '2', '--seconds', '4', '--runs', '1');
  t.equal(code, 0, stderr);
  const result = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
  t.match(result, { bench: 'window', unit: 'ms', better: 'lower', value: Number, settings: { windowSeconds: 2 } });
  const names = result.figures.map((figure: { name: string }) => figure.name);
  for (const form of ['with the inverse', 'plain']) t.ok(names.includes(`${form}: processing time, median`), form);
});

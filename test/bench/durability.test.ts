/** The benchmarks of log, recovery and checkpoints: what they judge by, and each of them once, for a short time. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { bytesOfBatches } from '../../bench/checkpoint.ts';
import { startLoadSource } from '../../bench/load/source.ts';
import { textSums } from '../../bench/load/text-sums.ts';
import { makeLineStrings } from '../../bench/load/zipf-lines.ts';
import { sumsOf } from '../../bench/programs/running-count.ts';
import { checkStates } from '../../bench/recovery.ts';
import type { LogEvent, StateEvent } from '../../bench/subject-events.ts';
import { writtenPerBatch } from '../../bench/wal.ts';

const runScript = fileURLToPath(new URL('../../bench/run.js', import.meta.url));

interface Result {
  readonly bench: string;
  readonly value: number;
  readonly figures: readonly { readonly name: string; readonly unit: string; readonly value: number }[];
}

function runBench(...args: string[]): Promise<{ code: number; result: Result; stderr: string }> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [runScript, ...args, '--json', '--runs', '1'], (error, stdout, stderr) => {
      if (error !== null) reject(new Error(`${String(error)}\n${stderr}`));
      else resolve({ code: 0, result: JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Result, stderr });
    });
  });
}

function valueOf({ figures }: Result, name: string): number {
  return figures.find((figure) => figure.name === name)?.value ?? Number.NaN;
}

t.test('the sums of the text are those of a count of its lines, also around its end', (t) => {
  const text = makeLineStrings(50);
  const sums = textSums(50);
  for (const lines of [0, 1, 7, 50, 51, 120]) {
    const counts = new Map<string, number>();
    for (let line = 0; line < lines; line += 1) for (const word of text[line % 50]!.split(' ')) counts.set(`k${Number(word.slice(1))}`, (counts.get(`k${Number(word.slice(1))}`) ?? 0) + 1);
    const [distinct, words, weighted] = sumsOf(counts, 1);
    t.same(sums(lines), { words, weighted, distinct }, `${lines} lines`);
  }
  t.end();
});

t.test('keys that no word has count as keys and nothing else', (t) => {
  t.same(sumsOf([['k0', 0], ['k300', 2], ['k400', 0]], 100), [3, 2, 6]);
  t.end();
});

t.test('a state is right where it is that of the text\'s first lines, and a batch that ran again has the same', (t) => {
  const sums = textSums(50);
  const state = (batchTime: number, lines: number, keys = sums(lines).distinct): StateEvent => ({ event: 'state', batchTime, keys, words: sums(lines).words, weighted: sums(lines).weighted });
  checkStates([state(1, 3), state(2, 5)], [state(2, 5), state(3, 9)], 0, sums);
  const wrong = (first: readonly StateEvent[], second: readonly StateEvent[], message: RegExp): void => void t.throws(() => checkStates(first, second, 0, sums), { message });
  wrong([state(1, 3), state(2, 5)], [state(2, 6)], /the batch at 2 ms has 60 words after it ran again; it had 50/);
  wrong([state(1, 3), state(2, 5)], [state(3, 4)], /has 40 words, and a batch before it had 50/);
  wrong([state(1, 3)], [{ ...state(2, 5), words: 49 }], /which is no whole number of lines/);
  wrong([state(1, 3)], [{ ...state(2, 5), weighted: 1 }], /is not that of the first 5 lines/);
  wrong([state(1, 3)], [state(2, 5, 1)], /has 1 keys; expected/);
  wrong([state(1, 5)], [state(1, 5)], /The state has 50 words after the restart; there were 50 before the kill/);
  wrong([state(1, 5)], [], /The state has 0 words/);
  t.end();
});

t.test('what was written for a batch is what came between its end and that of the one before', (t) => {
  const at = (batchTime: number, bytes: number, syncs: number): LogEvent => {
    const counts = { syncs, directorySyncs: 0, groups: syncs - 1, bytes };
    return { event: 'log', batchTime, epochMs: batchTime, log: counts, state: { ...counts, bytes: 2 * bytes }, checkpoints: { written: 0, bytes: 0, heldMs: 0, heldMsMax: 0 } };
  };
  t.same(bytesOfBatches([at(1, 100, 3), at(2, 110, 5), at(3, 150, 6)]), [30, 120]);
  t.same(writtenPerBatch([at(1, 100, 3), at(2, 110, 5), at(3, 150, 6)]), { syncs: 1.5, groups: 1.5, bytes: 25, batches: 2 });
  t.equal(writtenPerBatch([at(1, 100, 3)]).batches, 0);
  t.end();
});

t.test('a reader that says where it begins gets the lines from there on', async (t) => {
  const source = await startLoadSource({ lines: 5, resumable: true });
  t.teardown(() => source.stop());
  for (const first of [0, 3]) {
    const chunks: Buffer[] = [];
    const socket = connect(source.port, '127.0.0.1').on('data', (chunk) => chunks.push(chunk));
    socket.write(`${first}\n`);
    await once(socket, 'close');
    t.same(Buffer.concat(chunks).toString().split('\n').slice(0, -1), makeLineStrings(first + 5).slice(first));
  }
});

t.test('wal measures with the log and without, counts syncs, and times acknowledgements', async (t) => {
  const { result } = await runBench('wal', '--seconds', '2', '--rate', '2000');
  t.match(result, { bench: 'wal', unit: 'lines/s', better: 'higher', value: Number });
  t.equal(valueOf(result, 'lines sent and not counted'), 0);
  t.ok(valueOf(result, 'counted at 2000 lines/s, without the log') > 0);
  t.ok(valueOf(result, 'syncs of the log a batch, at that rate') > 0);
  t.ok(valueOf(result, 'written to the log a second, at that rate') > 0);
  t.ok(valueOf(result, 'store to acknowledgement, p99') >= valueOf(result, 'store to acknowledgement, median'));
  t.ok(valueOf(result, 'store to acknowledgement, walSyncIntervalMs 0, median') > 0);
});

t.test('recovery kills the process, and finds its state right in the next one', async (t) => {
  const { result, stderr } = await runBench('recovery', '--seconds', '1', '--keys', '20000', '--rate', '1000');
  t.match(result, { bench: 'recovery', unit: 'ms', better: 'lower', value: Number });
  t.match(stderr, /20000 keys: first batch .* the state is right/);
  for (const label of ['20000 keys', 'the words alone']) {
    const at = (name: string): number => valueOf(result, `${label}: ${name}`);
    t.ok(at('to the process\'s first line of code') < at('to the started context') && at('to the process\'s first line of code') < at('kill -9 to the first completed batch'), label);
    t.ok(at('to a batch that is on time') >= at('kill -9 to the first completed batch'), label);
  }
});

t.test('checkpoint measures the pause, and bytes for each number of changed keys', async (t) => {
  const { result } = await runBench('checkpoint', '--seconds', '2', '--keys', '2000', '--updates', '100', '--interval', '200');
  t.match(result, { bench: 'checkpoint', unit: 'ms', better: 'lower', value: Number });
  t.ok(valueOf(result, 'driver\'s thread held by one checkpoint, longest') >= valueOf(result, 'driver\'s thread held by one checkpoint, mean'));
  t.ok(valueOf(result, 'written a batch, 100 keys changed, median') > 0);
  t.ok(valueOf(result, 'one checkpoint file') > 0);
  t.ok(valueOf(result, 'driver\'s answer, p99, without') > 0);
});

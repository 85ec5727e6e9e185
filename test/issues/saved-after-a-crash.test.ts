/**
 * Bug: the names of saved parts were never synced, so after a power cut `_SUCCESS` could stand in a directory without them; and two attempts at
 * one part wrote into the same temporary file, so that one could publish the other's half.
 * Conditions: a crash between any two calls on the file system; an attempt that is still running while the next one runs.
 * Plan: one context saves a batch, on the real file system, with the process "dead" from call n on, for every n: every later call fails, also those
 * that would clean up. What is there then is looked at, and the batch is run again, by another context: the directory is exactly as after a
 * run without a crash. The order of syncs is read from the calls of such a run.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import t from 'tap';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import { startTest } from '../../lib/testing.ts';
import { silent } from '../helpers/running.ts';
import { nodeFiles } from '../../lib/storage/node-files.ts';

const syncCalls = ['openSync', 'writeSync', 'fsyncSync', 'renameSync', 'mkdirSync', 'rmSync'] as const;
const asyncCalls = ['open', 'mkdir', 'rm'] as const;

interface Watched {
  /** `renameSync part-00000`, in order. */
  readonly calls: string[];
  /** The calls from this one on fail. */
  diesAt: number;
}

/** Counts the calls on files below `folder`, and makes them fail where the process is dead. */
function watch(t: { after(fn: () => void): void }, folder: string): Watched {
  const watched: Watched = { calls: [], diesAt: Infinity };
  const opened = new Map<unknown, string>();
  const note = (name: string, target: unknown): void => {
    const path = typeof target === 'string' ? target : opened.get(target);
    if (path?.startsWith(folder) !== true) return;
    if (watched.calls.length >= watched.diesAt) throw Object.assign(new Error('The process is dead.'), { code: 'EIO' });
    watched.calls.push(`${name} ${basename(path)}`);
  };
  const originals = { ...fs };
  const promises = { ...fs.promises };
  for (const name of syncCalls) {
    const original = fs[name] as (...args: unknown[]) => unknown;
    Object.assign(fs, {
      [name]: (...args: unknown[]) => {
        note(name, name === 'renameSync' ? args[1] : args[0]);
        const result = original(...args);
        if (name === 'openSync') opened.set(result, String(args[0]));
        return result;
      },
    });
  }
  for (const name of asyncCalls) {
    const original = fs.promises[name] as (...args: unknown[]) => Promise<unknown>;
    Object.assign(fs.promises, {
      [name]: async (...args: unknown[]) => {
        note(name, args[0]);
        const result = await original(...args);
        if (name === 'open') {
          const handle = result as fs.promises.FileHandle;
          const sync = handle.sync.bind(handle);
          handle.sync = async () => {
            note('sync', args[0]);
            await sync();
          };
        }
        return result;
      },
    });
  }
  syncBuiltinESMExports();
  t.after(() => {
    for (const name of syncCalls) Object.assign(fs, { [name]: originals[name] });
    for (const name of asyncCalls) Object.assign(fs.promises, { [name]: promises[name] });
    syncBuiltinESMExports();
  });
  return watched;
}

async function saveOneBatch(prefix: string): Promise<void> {
  const test = await startTest(
    (ssc: StreamingContext) => void ssc.batchesStream([['a', 'b', 'c', 'd']], 2).saveAsTextFiles(prefix),
    { onBatchFailure: 'skip', taskFailuresMax: 1, logger: silent },
  );
  await test.advance();
  await test.stop();
}

/** Name -> content. */
function contentOf(directory: string): Record<string, string> {
  return fs.existsSync(directory) ? Object.fromEntries(fs.readdirSync(directory).sort().map((name) => [name, fs.readFileSync(join(directory, name), 'utf8')])) : {};
}

const whole = { '_SUCCESS': '', 'part-00000': 'a\nb\n', 'part-00001': 'c\nd\n' };

t.test('a batch that is run again after a crash at any step gives the same directory; until then it is complete or not marked so', async (t) => {
  const folder = fs.mkdtempSync(join(tmpdir(), 'millrace-saved-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  const watched = watch(t, folder);
  await saveOneBatch(join(folder, 'all'));
  const { length } = watched.calls;
  t.ok(length > 15, `${length} steps`);
  t.same(contentOf(join(folder, 'all-1000')), whole);
  for (let step = 0; step < length; step += 1) {
    const prefix = join(folder, `step${step}`);
    watched.calls.length = 0;
    watched.diesAt = step;
    await saveOneBatch(prefix);
    const left = contentOf(`${prefix}-1000`);
    if ('_SUCCESS' in left) t.same(left, whole, `step ${step}: complete`);
    for (const name of ['part-00000', 'part-00001'] as const) if (name in left) t.equal(left[name], whole[name], `step ${step}: a part is whole`);
    watched.diesAt = Infinity;
    await saveOneBatch(prefix);
    t.same(contentOf(`${prefix}-1000`), whole, `step ${step}: the same directory`);
  }
});

t.test('a part is synced before it gets its name, all names before _SUCCESS is made, and that before the batch is complete', async (t) => {
  const folder = fs.mkdtempSync(join(tmpdir(), 'millrace-saved-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  const { calls } = watch(t, folder);
  await saveOneBatch(join(folder, 'out'));
  const relevant = calls.filter((call) => /^(fsyncSync|renameSync|sync|open) /.test(call) && !/^open (out-1000|millrace)/.test(call));
  t.same(relevant.map((call) => call.replace(/millrace-saved-.*/, 'FOLDER')), [
    'fsyncSync .part-00000.1.writing', 'renameSync part-00000', 'fsyncSync .part-00001.1.writing', 'renameSync part-00001',
    'sync out-1000', 'open _SUCCESS', 'sync _SUCCESS', 'sync out-1000', 'sync FOLDER',
  ]);
});

t.test('two attempts at one part at the same time: neither writes into the other\'s file', (t) => {
  const folder = fs.mkdtempSync(join(tmpdir(), 'millrace-saved-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  const watched = watch(t, folder);
  const part = join(folder, 'part-00000');
  const original = fs.fsyncSync;
  let inner = false;
  // The second attempt comes, and ends, when the first one has written all and renamed nothing yet.
  fs.fsyncSync = (descriptor) => {
    if (!inner) {
      inner = true;
      nodeFiles.writeAtomically(part, new TextEncoder().encode('second'));
      t.equal(fs.readFileSync(part, 'utf8'), 'second');
    }
    original(descriptor);
  };
  syncBuiltinESMExports();
  nodeFiles.writeAtomically(part, new TextEncoder().encode('first'));
  t.same(contentOf(folder), { 'part-00000': 'first' });
  t.same(watched.calls.filter((call) => call.startsWith('renameSync')).length, 2);
  t.end();
});

/** textFileStream: which files belong to which batch. */
import t from 'tap';
import { asBatchTime } from '../../../protocol/time.ts';
import type { FileEntry } from '../../../lib/dstream/environment.ts';
import type { FileStreamOptions, FileInputDStream } from '../../../lib/dstream/file-input.ts';
import { ProgramRun } from '../../helpers/program-run.ts';

const file = (name: string, modifiedMs: number, bytes = 3): FileEntry => ({ name, path: `in/${name}`, modifiedMs, bytes });

function fileRun(options?: FileStreamOptions, startTime = 0): { run: ProgramRun; filesOf: (time: number) => readonly string[] } {
  const run = new ProgramRun((ssc) => ssc.textFileStream('in', options).foreachRDD(() => {}), { startTime });
  const stream = run.builder.graph.operators[0] as FileInputDStream;
  return { run, filesOf: (time) => stream.filesOf(asBatchTime(time)) };
}

t.test('lines of new files come in the order of their times, each file once', async (t) => {
  const { run, filesOf } = fileRun();
  run.runner.files.set('in/b', 'b1\nb2\n');
  run.runner.files.set('in/a', 'a1\n');
  run.files = [file('b', 700, 6), file('a', 900)];
  t.same((await run.batch(1_000))[0]?.partitions, [['b1', 'b2'], ['a1']]);
  t.same(filesOf(1_000), ['in/b', 'in/a']);
  run.files = [...run.files, file('a2', 1_500)];
  run.runner.files.set('in/a2', 'new');
  t.same((await run.batch(2_000))[0]?.partitions, [['new']]);
  run.files = [file('b', 2_500, 9)];
  t.same((await run.batch(3_000))[0]?.partitions, [], 'a change to a file that was taken is ignored');
});

t.test('passed over: dot-files, unfinished copies, files of the past and of the future', async (t) => {
  const { run, filesOf } = fileRun();
  run.files = [file('.hidden', 500), file('x.tmp', 500), file('y._COPYING_', 500), file('old', 0), file('later', 1_001)];
  await run.batch(1_000);
  t.same(filesOf(1_000), []);
  await run.batch(2_000);
  t.same(filesOf(2_000), ['in/later'], 'taken when its time has come');
});

t.test('with newFilesOnly false, files from before the start are taken, unless they are too old', async (t) => {
  const { run, filesOf } = fileRun({ newFilesOnly: false, rememberFilesMs: 5_000 });
  run.files = [file('before', 1), file('ancient', -4_000)];
  await run.batch(1_000);
  t.same(filesOf(1_000), ['in/before']);
});

/**
 * Bug: files from before the start were taken, as long as they were newer than the grid point before it.
 * Conditions: newFilesOnly, and a start in the middle of a batch interval: the zero time is floored to the grid.
 * Plan: a start at 700 with batches of 1,000: what is older is passed over, what is newer is not; nor is what the file system's
 * clock may have stamped a tick too early.
 */
t.test('files from between the grid\'s zero and the start are passed over', async (t) => {
  const files = [file('old', 600), file('tick', 695), file('new', 701)];
  const { run, filesOf } = fileRun({}, 700);
  run.files = files;
  await run.batch(1_000);
  t.same(filesOf(1_000), ['in/tick', 'in/new']);
  const all = fileRun({ newFilesOnly: false }, 700);
  all.run.files = files;
  await all.run.batch(1_000);
  t.same(all.filesOf(1_000), ['in/old', 'in/tick', 'in/new']);
});

t.test('settleMs leaves a file alone until nobody has written to it for so long', async (t) => {
  const { run, filesOf } = fileRun({ settleMs: 500 });
  run.files = [file('a', 600)];
  await run.batch(1_000);
  t.same(filesOf(1_000), []);
  await run.batch(2_000);
  t.same(filesOf(2_000), ['in/a']);
});

t.test('names are remembered as long as a file could be met as new, and no longer', async (t) => {
  const { run, filesOf } = fileRun({ rememberFilesMs: 2_000 });
  run.files = [file('a', 900)];
  const taken: number[] = [];
  for (let time = 1_000; time <= 8_000; time += 1_000) {
    await run.batch(time);
    if (filesOf(time).length > 0) taken.push(time);
  }
  t.same(taken, [1_000]);
});

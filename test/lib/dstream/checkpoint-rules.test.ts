/** Checkpoint directory and intervals: what is validated, when, and of which streams. */
import t from 'tap';
import { StorageLevel } from '../../../lib/rdd/storage-level.ts';
import { DStream } from '../../../lib/dstream/dstream.ts';
import type { ProgramBuilder } from '../../../lib/program/program-builder.ts';
import { startTest } from '../../../lib/testing.ts';
import { ProgramRun, builderFor, codeOf } from '../../helpers/program-run.ts';
import { temporaryDirectory } from '../../helpers/temporary-directory.ts';

const numbers = (ssc: ProgramBuilder) => ssc.batchesStream([[1], [2]]);
/** An operator that builds on its own results. */
function stateful(stream: DStream<number>, slideMs = stream.slideMs): DStream<number> {
  return stream.derive<number>({ kind: 'stateful', parents: [stream as DStream<unknown>], slideMs, mustCheckpoint: true, compute: (time, env) => stream.getOrCompute(time, env) }).persist();
}
const started = (make: (ssc: ProgramBuilder) => DStream<unknown>, directory: string | null = 'somewhere') => codeOf(() => new ProgramRun((ssc) => {
  if (directory !== null) ssc.checkpoint(directory);
  make(ssc).print();
}));

t.test('a stream that must be checkpointed, or has an interval, needs a directory', async (t) => {
  t.equal(await started((ssc) => stateful(numbers(ssc)), null), 'CheckpointDirectoryMissing');
  t.equal(await started((ssc) => numbers(ssc).map((x) => x).checkpoint(2_000), null), 'CheckpointDirectoryMissing');
  t.equal(await started((ssc) => stateful(numbers(ssc)).map((x) => x), null), 'CheckpointDirectoryMissing', 'below the output, too');
  t.equal(await started((ssc) => {
    stateful(numbers(ssc));
    return numbers(ssc);
  }, null), 'none', 'no output depends on it');
  t.equal(await started((ssc) => stateful(numbers(ssc))), 'none');
});

t.test('windows with an inverse function need one whatever their durations', async (t) => {
  const pairs = (ssc: ProgramBuilder) => numbers(ssc).map((x): [string, number] => ['k', x]);
  const [add, subtract] = [(a: number, b: number): number => a + b, (a: number, b: number): number => a - b];
  for (const [windowMs, slideMs] of [[2_000, 1_000], [2_000, 2_000], [1_000, 2_000], [0, 1_000]] as const) {
    for (const make of [
      (ssc) => numbers(ssc).countByWindow(windowMs, slideMs),
      (ssc) => numbers(ssc).countByValueAndWindow(windowMs, slideMs),
      (ssc) => numbers(ssc).reduceByWindow(add, subtract, windowMs, slideMs),
      (ssc) => pairs(ssc).reduceByKeyAndWindow(add, subtract, windowMs, slideMs),
      (ssc) => pairs(ssc).reduceByKeyAndWindow(add, subtract, windowMs, slideMs, 2, ([, n]) => n > 0),
    ] as ((ssc: ProgramBuilder) => DStream<unknown>)[]) {
      t.equal(await started(make, null), 'CheckpointDirectoryMissing', `${windowMs} every ${slideMs} ms`);
      t.equal(await started(make), 'none');
    }
    t.equal(await started((ssc) => pairs(ssc).reduceByKeyAndWindow(add, windowMs, slideMs), null), 'none', 'others need none');
  }
});

t.test('the interval is a multiple of the slide, and at least the slide', async (t) => {
  for (const [intervalMs, code] of [[500, 'CheckpointIntervalInvalid'], [1_500, 'CheckpointIntervalInvalid'], [1_000, 'none'], [7_000, 'none']] as const) {
    t.equal(await started((ssc) => stateful(numbers(ssc)).checkpoint(intervalMs)), code, `${intervalMs} ms`);
    t.equal(await started((ssc) => numbers(ssc).map((x) => x).checkpoint(intervalMs)), code, `${intervalMs} ms`);
  }
  t.equal(await started((ssc) => stateful(numbers(ssc), 2_000).checkpoint(3_000)), 'CheckpointIntervalInvalid', 'the slide counts, not the batch');
  t.equal(await codeOf(() => numbers(builderFor()).checkpoint(0)), 'InvalidArgument');
  t.equal(await codeOf(() => numbers(builderFor()).checkpoint(0.5)), 'InvalidArgument');
});

t.test('the default is a multiple of the slide of at least ten seconds', (t) => {
  const ssc = builderFor();
  const of = (slideMs: number) => stateful(numbers(ssc), slideMs).checkpointMs;
  t.same([of(1_000), of(3_000), of(7_000), of(10_000), of(40_000)], [10_000, 12_000, 14_000, 10_000, 40_000]);
  t.equal(stateful(numbers(ssc)).checkpoint(3_000).checkpointMs, 3_000);
  t.equal(numbers(ssc).checkpointMs, null, 'others have none');
  t.end();
});

t.test('checkpoint persists the stream, at the level that it has; a window keeps nothing of its own', async (t) => {
  const ssc = builderFor();
  t.same(numbers(ssc).checkpoint(1_000).storageLevel, StorageLevel.MEMORY_ONLY_SER);
  t.same(numbers(ssc).persist(StorageLevel.DISK_ONLY).checkpoint(1_000).storageLevel, StorageLevel.DISK_ONLY);
  t.equal(await started((ssc) => numbers(ssc).window(2_000).checkpoint(1_000)), 'CheckpointNotPersisted');
  t.equal(await started((ssc) => numbers(ssc).checkpoint(1_000).persist(StorageLevel.NONE)), 'CheckpointNotPersisted');
});

t.test('intervals, levels and the directory can\'t change any more after the start', async (t) => {
  const program = new ProgramRun((ssc) => numbers(ssc).print());
  const [stream] = program.builder.graph.operators as [DStream<number>];
  t.equal(await codeOf(() => stream.checkpoint(1_000)), 'CannotChangeAfterStart');
  t.equal(stream.checkpointMs, null);
  t.equal(await codeOf(() => program.builder.checkpoint('elsewhere')), 'ContextAlreadyStarted');
  t.equal(await codeOf(() => builderFor().checkpoint('')), 'InvalidArgument');
});

t.test('the directory comes from the option or from the program, which counts more', async (t) => {
  const [ofTheOption, ofTheProgram] = [temporaryDirectory(), temporaryDirectory()];
  const program = (ssc: ProgramBuilder, args: { own: boolean } | undefined) => {
    if (args?.own === true) ssc.checkpoint(ofTheProgram);
    return { counts: numbers(ssc).countByWindow(2_000, 1_000).publish() };
  };
  await t.rejects(startTest(program), { code: 'CheckpointDirectoryMissing' });
  for (const [own, directory] of [[false, ofTheOption], [true, ofTheProgram]] as const) {
    const test = await startTest(program, { checkpointDirectory: ofTheOption, args: { own } });
    t.equal(test.ssc.graph.checkpointDirectory, directory);
    await test.advance(2);
    t.same(test.output(test.exports.counts).map(({ records }) => records), [[1], [2]]);
    await test.stop();
  }
});

/** Changes to a program that what the checkpoint holds can't be brought over: an error says which, nothing is lost, and where allowed it begins anew. */
import t from 'tap';
import type { RddQueue } from '../../lib/dstream/rdd-queue.ts';
import type { StreamingContext, StreamingProgram } from '../../lib/streaming-context.ts';
import { Run } from '../helpers/going-on.ts';
import type { Outputs, RunOptions } from '../helpers/going-on.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { told } from '../helpers/told-receiver.ts';

type Test = { after(fn: () => unknown): void };

const add = (a: number, b: number): number => a + b;
const subtract = (a: number, b: number): number => a - b;
/** Batch n has n, for one key. */
const input: [string, number][][] = Array.from({ length: 20 }, (_, index) => [['k', index + 1]]);

/** One life of `batches` batches: what `name` put out, by batch. */
async function life(t: Test, directory: string, program: StreamingProgram, batches: number, options: RunOptions = {}, before: (exports: Record<string, unknown>) => Promise<unknown> = async () => {}): Promise<unknown[]> {
  const outputs: Outputs = new Map();
  const run = await Run.begin(t, directory, program, outputs, options);
  await before(run.exports as Record<string, unknown>);
  await run.advance(batches);
  await run.stop();
  return [...outputs.get('out') ?? []].sort(([a], [b]) => a - b).map(([, seen]) => JSON.parse(seen[0] ?? 'null') as unknown);
}

t.test('a window with an inverse function can\'t go on with another length or slide: what leaves it would never have entered', async (t) => {
  const windowed = (windowMs: number, slideMs: number) => (ssc: StreamingContext) => ({
    out: ssc.batchesStream(input, 1).uid('in').reduceByKeyAndWindow(add, subtract, windowMs, slideMs).uid('window').publish(),
  });
  const directory = temporaryDirectory();
  t.same(await life(t, directory, windowed(3_000, 1_000), 4), [[['k', 1]], [['k', 3]], [['k', 6]], [['k', 9]]]);
  await t.rejects(life(t, directory, windowed(2_000, 1_000), 1), { code: 'CheckpointMismatch', message: /the state of reduceByKeyAndWindow "window" \(windowMs 3000, and 2000 in the program\)/, details: { lost: ['window'] } });
  await t.rejects(life(t, directory, windowed(3_000, 3_000), 1), { code: 'CheckpointMismatch', message: /slideMs 1000, and 3000 in the program/ });
  t.same(await life(t, directory, windowed(3_000, 1_000), 1), [[['k', 3 + 4 + 5]]], 'a refusal changes nothing');
  t.same(await life(t, directory, windowed(2_000, 1_000), 3, { allowNonRestoredState: true }), [[['k', 5 + 6]], [['k', 6 + 7]], [['k', 7 + 8]]]);
  t.same(await life(t, directory, windowed(2_000, 1_000), 1), [[['k', 8 + 9]]], 'nobody is asked again');
});

t.test('a receiver that had a position and is gone, though all its blocks are in batches that are over, is an error', async (t) => {
  const begin = (uid: string) => {
    const { make, running } = told<number>();
    return { running, program: (ssc: StreamingContext) => ({ out: ssc.receiverStream(make).uid(uid).publish(), other: ssc.batchesStream(input, 1).uid('in').publish() }) };
  };
  const directory = temporaryDirectory();
  const first = begin('numbers');
  t.same(await life(t, directory, first.program, 6, {}, async () => (await first.running).storeBatch([1, 2], { position: 2 })), [[1, 2], [], [], [], [], []]);
  await t.rejects(life(t, directory, begin('renamed').program, 1), { code: 'CheckpointMismatch', message: /Only in the checkpoint: the position of receiverStream "numbers"\. Only in the program: receiverStream "renamed"/ });
  const again = begin('numbers');
  await life(t, directory, again.program, 1, {}, async () => t.equal((await again.running).lastAcknowledged, 2));
  const renamed = begin('renamed');
  await life(t, directory, renamed.program, 1, { allowNonRestoredState: true }, async () => t.equal((await renamed.running).lastAcknowledged, null));
});

t.test('a queue that is gone, or that another stream reads, is an error: its pushes would go to another one', async (t) => {
  const reading = (uids: readonly string[]) => (ssc: StreamingContext) => {
    const queues = uids.map(() => ssc.queue<string>());
    const streams = uids.map((uid, index) => ssc.queueStream(queues[index]!).uid(uid));
    return { ...Object.fromEntries(queues.map((queue, index) => [uids[index], queue])), out: ssc.union(streams).publish() };
  };
  const push = (pushed: Readonly<Record<string, string>>) => (exports: Record<string, unknown>) => Promise.all(Object.entries(pushed).map(([uid, record]) => (exports[uid] as RddQueue<string>).push([record])));
  const directory = temporaryDirectory();
  await life(t, directory, reading(['a', 'b']), 1, {}, async (exports) => {
    await push({ a: 'a1', b: 'b1' })(exports);
    await push({ a: 'a2', b: 'b2' })(exports);
  });
  await t.rejects(life(t, directory, reading(['b']), 1), { code: 'CheckpointMismatch', message: /of a program with 2 queues, and this one has 1\. In the checkpoint queueStream "b" reads queue 1, and in the program queue 0/ });
  await t.rejects(life(t, directory, reading(['b', 'a']), 1), { code: 'CheckpointMismatch', message: /queueStream "a" reads queue 0, and in the program queue 1/ });
  t.same(await life(t, directory, reading(['a', 'b', 'c']), 1), [['a2', 'b2']], 'one more behind them is none');
});

t.test('a broadcast variable or an accumulator that is gone, or an accumulator of another name, is an error', async (t) => {
  const counting = (names: readonly string[], variables: number) => (ssc: StreamingContext) => {
    const counts = names.map((name) => ssc.sc.accumulator(0, add, name));
    const broadcasts = Array.from({ length: variables }, () => ssc.sc.broadcast(1));
    const out = ssc.batchesStream(input, 1).uid('in').map(([, value]) => {
      for (const count of counts) count.add(value);
      return value + broadcasts.reduce((sum, { value: one }) => sum + one, 0);
    });
    return { out: out.publish(), ...Object.fromEntries(counts.map((count) => [count.name, count])), ...(variables > 0 ? { variable: broadcasts[0]! } : {}) };
  };
  const directory = temporaryDirectory();
  await life(t, directory, counting(['lines', 'errors'], 1), 1, {}, (exports) => (exports['variable'] as { set(value: number): Promise<unknown> }).set(10));
  await t.rejects(life(t, directory, counting(['lines'], 1), 1), { code: 'CheckpointMismatch', message: /of a program with 2 accumulators, and this one has 1/ });
  await t.rejects(life(t, directory, counting(['errors', 'lines'], 1), 1), { code: 'CheckpointMismatch', message: /accumulator 0 is "lines", and in the program "errors"/ });
  await t.rejects(life(t, directory, counting(['lines', 'errors'], 0), 1), { code: 'CheckpointMismatch', message: /of a program with 1 broadcast variables, and this one has 0/ });
  t.same(await life(t, directory, counting(['lines', 'errors', 'more'], 2), 1), [[2 + 10 + 1]]);
});

/** What a context says of its checkpoint directory: syncs, bytes, checkpoints. */
import t from 'tap';
import { StreamingContext } from '../../lib/streaming-context.ts';
import { Run } from '../helpers/going-on.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const counts = (ssc: StreamingContext) =>
  ssc.batchesStream([[['a', 1]], [['a', 2]], [['a', 3]], [['b', 4]]] as [string, number][][], 2).updateStateByKey((values: readonly number[], state: number | undefined) => (state ?? 0) + values.length).foreachRDD(async (rdd) => void (await rdd.count()));

t.test('with each batch the log and the state\'s log grow, and each checkpoint is counted', async (t) => {
  const directory = temporaryDirectory();
  const run = await Run.begin(t, directory, counts, new Map());
  const stats = async () => {
    const [only, ...more] = await run.ssc.sparkContext.logStats();
    t.same(more, []);
    if (only === undefined) throw new Error('There is a log.');
    return only;
  };
  await run.advance(2);
  const before = await stats();
  t.equal(before.directory, directory);
  await run.advance(2);
  let after = await stats();
  // A batch is complete before its end is in the log.
  while (after.state.bytes === before.state.bytes || after.checkpoints.written === before.checkpoints.written) after = await stats();
  t.ok(after.log.syncs > before.log.syncs && after.log.groups > before.log.groups && after.log.appended > before.log.appended && after.log.bytes > before.log.bytes);
  t.ok(after.state.bytes > before.state.bytes && after.state.syncs > before.state.syncs);
  t.equal(after.log.suspects, 0);
  t.ok(after.checkpoints.written > before.checkpoints.written && after.checkpoints.bytes > before.checkpoints.bytes);
  t.ok(after.checkpoints.heldMs >= after.checkpoints.heldMsMax && after.checkpoints.heldMsMax > 0);
});

t.test('a context that writes nothing down has none', async (t) => {
  const ssc = await StreamingContext.create((one: StreamingContext) => void one.queueStream([]).foreachRDD(() => {}), { master: 'inline', batchInterval: 1_000, clock: 'manual', allowMultipleContexts: true });
  t.after(() => ssc.stop());
  await ssc.start();
  t.same(await ssc.sparkContext.logStats(), []);
  await ssc.stop();
});

t.test('at most two syncs a batch: its end rides along with one of them, and who waits for it does not wait for the next', async (t) => {
  const directory = temporaryDirectory();
  const batches = 10;
  // Nothing is synced for its own sake within the test.
  const options = { walSyncIntervalMs: 3_600_000 };
  const run = await Run.begin(t, directory, counts, new Map(), options);
  await run.advance(batches);
  const [stats] = await run.ssc.sparkContext.logStats();
  // The first is the program's start.
  t.ok((stats?.log.groups ?? Infinity) <= 2 * batches + 1, `${stats?.log.groups} groups`);
  await run.stop();
  const next = await Run.begin(t, directory, counts, new Map(), options);
  t.equal(next.ssc.recoveredFrom?.completed, batches * 1_000, 'its end is in the log');
  await next.stop();
});

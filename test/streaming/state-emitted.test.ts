/** What mapWithState has emitted, asked for later than its state. */
import t from 'tap';
import { startTest } from '../../lib/testing.ts';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const input: [string, number][][] = [[['a', 1]], [['a', 2]], [['a', 3]], [['a', 4]], [], [['a', 5]]];

/**
 * Bug: the state was asked for in every batch, by its snapshots, and what it emitted only in every fourth, by a window. By then the
 * emitted RDD of an earlier batch had been swept; the window led to an RDD that nobody knew, and the driver ended.
 */
t.test('what a state has emitted can be asked for as long as the state is remembered, and is forgotten with it', async (t) => {
  const test = await startTest((ssc: StreamingContext) => {
    const states = ssc.batchesStream(input, 2).mapWithState({ fn: (_time: number, key: string, value: number | undefined): [string, number] => [key, value ?? 0] });
    const windows = states.window(3_000, 4_000).publish();
    const snapshots = states.stateSnapshots().publish();
    return { windows, snapshots };
  }, { checkpointDirectory: temporaryDirectory() });
  t.after(() => test.stop());
  // One after another: between two of them all is cleared that can be.
  // Versions are kept for two checkpoint intervals, which are 20 batches.
  for (let batch = 0; batch < 24; batch += 1) await test.advance(1);
  const early = test.ssc.rdds.made.length;
  for (let batch = 0; batch < 36; batch += 1) await test.advance(1);
  t.same(test.output(test.exports.windows).slice(0, 3).map(({ time, records }) => [time, records]), [[4_000, [['a', 2], ['a', 3], ['a', 4]]], [8_000, [['a', 5]]], [12_000, []]]);
  t.equal(test.output(test.exports.snapshots).length, 60);
  t.equal(test.ssc.rdds.made.length, early, 'as many RDDs are kept after 60 batches as after 24');
});

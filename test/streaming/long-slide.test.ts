/**
 * Windows that take in more batches at once than the id of a shuffle has room for (16): all of them are laid out alike, so none is
 * shuffled, and the bound of `cogroup` does not concern them.
 */
import t from 'tap';
import { testOperation } from '../../lib/testing.ts';
import type { DStream } from '../../lib/dstream/dstream.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

type Pair = readonly [string, number];

const add = (a: number, b: number): number => a + b;
const subtract = (a: number, b: number): number => a - b;
const batches = Array.from({ length: 60 }, (_, batch): Pair[] => [['a', batch], [`b${batch % 3}`, 1]]);

async function windowsOf(make: (pairs: DStream<Pair>) => DStream<Pair>): Promise<readonly Pair[][]> {
  const output = await testOperation<Pair, Pair>(batches, make, { checkpointDirectory: temporaryDirectory() });
  return output.flatMap((records) => (records === null ? [] : [[...records].sort(([a], [b]) => (a < b ? -1 : 1))]));
}

t.test('an incremental window with a slide of 20 batches gives what the plain one gives', async (t) => {
  const plain = await windowsOf((pairs) => pairs.reduceByKeyAndWindow(add, 40_000, 20_000));
  const incremental = await windowsOf((pairs) => pairs.reduceByKeyAndWindow(add, subtract, 40_000, 20_000));
  t.same(incremental, plain);
  t.same(incremental.map(([first]) => first), [['a', 190], ['a', 780], ['a', 1_580]]);
});

/** Slices on the app's thread: what is given can be used as long as its stream remembers, and is forgotten then. */
import t from 'tap';
import type slicedNumbers from '../fixtures/sliced-numbers.ts';
import type { RDD } from '../../lib/rdd/rdd.ts';
import { started } from '../helpers/running.ts';

/** Bug: the app's thread kept each RDD that a slice had given it, and what was made of it, for as long as the context lived. */
t.test('an RDD of a slice, and what was made of it, is good while its stream remembers it, and forgotten then', async (t) => {
  const ssc = await started<typeof slicedNumbers>(t, 'sliced-numbers', { clock: 'manual', batchInterval: 1_000 });
  const { numbers } = ssc.exports;
  const given: RDD<number>[] = [];
  for (let batch = 1; batch <= 8; batch += 1) {
    await ssc.clock.advance(1);
    const [rdd] = await numbers.slice(batch * 1_000, batch * 1_000);
    const twice = rdd!.union(rdd!);
    t.equal(await twice.count(), 10);
    given.push(rdd!, twice);
  }
  const known = given.map((rdd) => {
    try {
      return rdd.getNumPartitions() > 0;
    } catch (error) {
      t.match(error, { code: 'RddReleased' });
      return false;
    }
  });
  // The slice of batch 8 has seen no batch end, that of batch 5 three: it goes with the fourth.
  t.same(known, [1, 2, 3, 4].flatMap(() => [false, false]).concat([5, 6, 7, 8].flatMap(() => [true, true])));
});

t.test('a slice that is asked for again is good for as long again', async (t) => {
  const ssc = await started<typeof slicedNumbers>(t, 'sliced-numbers', { clock: 'manual', batchInterval: 1_000 });
  const { numbers } = ssc.exports;
  await ssc.clock.advance(2);
  const [first] = await numbers.slice(2_000, 2_000);
  await ssc.clock.advance(1);
  const [again] = await numbers.slice(2_000, 2_000);
  t.equal(again!.id, first!.id);
  await ssc.clock.advance(3);
  t.equal(first!.getNumPartitions(), 2);
  await ssc.clock.advance(1);
  t.throws(() => first!.getNumPartitions(), { code: 'RddReleased' });
});

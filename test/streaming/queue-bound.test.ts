/** A queue's bound holds back who pushes: as soon as a batch has taken, they go on. */
import t from 'tap';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import { startTest } from '../../lib/testing.ts';

t.test('a push beyond the bound settles when a batch has taken from the queue, and no record is lost', async (t) => {
  const test = await startTest((ssc: StreamingContext) => {
    const numbers = ssc.queue<number>({ bound: 1 });
    return { numbers, out: ssc.queueStream(numbers).publish({ bound: 100 }) };
  });
  const settled: number[] = [];
  const push = (n: number): Promise<void> => test.exports.numbers.push([n]).then(() => void settled.push(n));
  await push(1);
  const held = [push(2), push(3)];
  // The driver answers in order: once it has answered this, it has seen both pushes.
  await test.ssc.sparkContext.hosts();
  t.same(settled, [1], 'the second and the third wait');
  await test.advance(2);
  await Promise.all(held);
  t.same(settled, [1, 2, 3]);
  await test.advance(1);
  t.same(test.output(test.exports.out).map(({ records }) => records), [[1], [2], [3]]);
  await test.stop();
});

/** Published streams: what a slow reader, a reader that leaves, or none at all does to the output. */
import t from 'tap';
import { asBatchTime } from '../../../protocol/time.ts';
import { PublishedStream } from '../../../lib/dstream/published-stream.ts';
import { codeOf } from '../../helpers/program-run.ts';

const batch = (time: number) => ({ time: asBatchTime(time), records: [time] });

/** True where the promise has settled by now. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  void promise.then(() => (done = true));
  for (let turn = 0; turn < 10; turn += 1) await null;
  return done;
}

t.test('batches come in order, and the loop ends when the stream is closed', async (t) => {
  const stream = new PublishedStream<number>(0);
  const seen: number[] = [];
  const reading = (async () => {
    for await (const { time } of stream) seen.push(time);
  })();
  await stream.deliver(batch(1));
  await stream.deliver(batch(2));
  stream.close();
  await reading;
  t.same(seen, [1, 2]);
});

t.test('hold: a slow reader holds the output back at the bound', async (t) => {
  const stream = new PublishedStream<number>(0, { bound: 2 });
  const reader = stream[Symbol.asyncIterator]();
  const taken: number[] = [];
  t.equal(await settled(stream.deliver(batch(1), () => taken.push(1))), true);
  t.equal(await settled(stream.deliver(batch(2), () => taken.push(2))), true);
  const third = stream.deliver(batch(3), () => taken.push(3));
  t.equal(await settled(third), false);
  t.same(taken, []);
  t.equal((await reader.next()).value?.time, 1);
  t.equal(await settled(third), true);
  t.same(taken, [1]);
  t.equal(stream.dropped, 0);
});

t.test('latest: the oldest is dropped and counted', async (t) => {
  const stream = new PublishedStream<number>(0, { bound: 2, mode: 'latest' });
  const reader = stream[Symbol.asyncIterator]();
  for (const time of [1, 2, 3, 4]) t.equal(await settled(stream.deliver(batch(time))), true);
  t.equal(stream.dropped, 2);
  t.equal((await reader.next()).value?.time, 3);
});

t.test('nobody reads: nothing is held, the newest batches are kept', async (t) => {
  const stream = new PublishedStream<number>(0, { bound: 2 });
  for (const time of [1, 2, 3]) t.equal(await settled(stream.deliver(batch(time))), true);
  t.equal(stream.dropped, 1);
  t.equal((await stream[Symbol.asyncIterator]().next()).value?.time, 2);
});

t.test('a reader that leaves lets go of what it held back, and another may come', async (t) => {
  const stream = new PublishedStream<number>(0, { bound: 1 });
  const first = stream[Symbol.asyncIterator]();
  t.equal(await codeOf(() => stream[Symbol.asyncIterator]()), 'InvalidArgument', 'one reader at a time');
  await stream.deliver(batch(1));
  const held = stream.deliver(batch(2));
  t.equal(await settled(held), false);
  await first.return?.();
  t.equal(await settled(held), true);
  t.equal((await stream[Symbol.asyncIterator]().next()).value?.time, 2);
});

t.test('a stream that ends with an error throws it after the last batch', async (t) => {
  const stream = new PublishedStream<number>(0);
  const boom = new Error('boom');
  await stream.deliver(batch(1));
  stream.close(boom);
  const reader = stream[Symbol.asyncIterator]();
  t.equal((await reader.next()).value?.time, 1);
  await t.rejects(reader.next(), boom);
});

t.test('two reads at once get two batches', async (t) => {
  const stream = new PublishedStream<number>(0);
  const reader = stream[Symbol.asyncIterator]();
  const both = Promise.all([reader.next(), reader.next()]);
  await stream.deliver(batch(1));
  await stream.deliver(batch(2));
  t.same((await both).map((result) => result.value?.time), [1, 2]);
});

t.test('a bound or a mode that can\'t be is refused', async (t) => {
  t.equal(await codeOf(() => new PublishedStream(0, { bound: 0 })), 'InvalidArgument');
  t.equal(await codeOf(() => new PublishedStream(0, { mode: 'newest' as never })), 'InvalidArgument');
});

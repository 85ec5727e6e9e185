/** A batch of more blocks than tasks are of use for. */
import t from 'tap';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import { Run } from '../helpers/going-on.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { told } from '../helpers/told-receiver.ts';

/** The records of each partition of each batch that ran, until `hangsAt`. */
function glommed(seen: [number, number[][]][], hangsAt: number) {
  let enter: () => void = () => {};
  const { make, running } = told<number>();
  const entered = new Promise<void>((resolve) => (enter = resolve));
  const program = (ssc: StreamingContext): void => {
    ssc.receiverStream(make).uid('numbers').foreachRDD(async (rdd, time) => {
      if (Number(time) === hangsAt) {
        enter();
        await new Promise(() => {});
      }
      seen.push([Number(time), await rdd.glom().collect()]);
    });
  };
  return { program, running, entered };
}

t.test('neighbours go together, in the order in which they came; run again after a restart with another parallelism, the batch has the same partitions', async (t) => {
  const directory = temporaryDirectory();
  const seen: [number, number[][]][] = [];
  const first = glommed(seen, 2_000);
  const run = await Run.begin(t, directory, first.program, new Map(), { defaultParallelism: 1, writeAheadLog: true });
  const receiver = await first.running;
  const numbers = Array.from({ length: 10 }, (_, index) => index);
  for (const number of numbers) await receiver.storeBatch([number, number + 100]);
  await run.advance();
  for (const number of numbers) await receiver.storeBatch([number]);
  const hanging = run.ssc.clock.advance(1).catch(() => {});
  await first.entered;
  await run.ended();
  await hanging;

  const second = glommed(seen, -1);
  const again = await Run.begin(t, directory, second.program, new Map(), { defaultParallelism: 3, writeAheadLog: true });
  await again.advance();
  await again.stop();
  const [one, two] = seen;
  t.equal(one?.[0], 1_000);
  t.equal(one?.[1].length, 4, 'four for each slot');
  t.same(one?.[1].flat(), numbers.flatMap((number) => [number, number + 100]));
  t.equal(two?.[0], 2_000);
  t.same(two?.[1].map(({ length }) => length), one?.[1].map(({ length }) => length / 2), 'not those of three slots');
  t.same(two?.[1].flat(), numbers);
});

/**
 * Batches that run again have the partitions that they had, on a machine of another size too: a sink that knows by (batch time, partition) what
 * it has would lose what is in other ones now.
 */
import t from 'tap';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import { Run } from '../helpers/going-on.ts';
import type { RunOptions } from '../helpers/going-on.ts';
import { silent } from '../helpers/running.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

/** The partitions of each batch's sums. The batch at `hangsAt` does not end. */
function counting(seen: [number, number][], hangsAt: number, enter: () => void = () => {}) {
  return (ssc: StreamingContext) => {
    const queue = ssc.queue<number>();
    ssc.queueStream(queue).uid('numbers').map((number): [number, number] => [number, 1]).reduceByKey((a, b) => a + b).foreachRDD((rdd, time) => {
      seen.push([Number(time), rdd.getNumPartitions()]);
      if (Number(time) !== hangsAt) return;
      enter();
      return new Promise<void>(() => {});
    });
    return { queue };
  };
}

/** A run with five partitions that dies within its second batch. */
async function dies(t: { after(fn: () => unknown): void }, directory: string, seen: [number, number][]): Promise<void> {
  let enter: () => void = () => {};
  const entered = new Promise<void>((resolve) => (enter = resolve));
  const run = await Run.begin(t, directory, counting(seen, 2_000, enter), new Map(), { defaultParallelism: 5 });
  const advanced = run.ssc.clock.advance(2).catch(() => {});
  await entered;
  await run.ended();
  await advanced;
}

/** `defaultParallelism` left out. */
const leftOut = { defaultParallelism: undefined } as unknown as RunOptions;

t.test('as long as batches run again the number is that of the run before; behind a stop in good order it is the machine\'s again', async (t) => {
  const directory = temporaryDirectory();
  const seen: [number, number][] = [];
  await dies(t, directory, seen);
  const second = await Run.begin(t, directory, counting(seen, -1), new Map(), { ...leftOut, inlineWorkers: 3 });
  await second.advance(1);
  await second.ssc.stop({ graceful: true });
  const third = await Run.begin(t, directory, counting(seen, -1), new Map(), { ...leftOut, inlineWorkers: 3 });
  await third.advance(1);
  await third.stop();
  t.same(seen, [[1_000, 5], [2_000, 5], [2_000, 5], [3_000, 5], [4_000, 3]]);
});

t.test('another number that is asked for is taken, with a warning of what it may cost', async (t) => {
  const directory = temporaryDirectory();
  const seen: [number, number][] = [];
  await dies(t, directory, seen);
  const warnings: string[] = [];
  const logger = { log: (level: string, text: string) => void (level === 'warn' && warnings.push(text)) };
  const again = await Run.begin(t, directory, counting(seen, -1), new Map(), { defaultParallelism: 2, logger });
  await again.advance(1);
  await again.ssc.stop({ graceful: true });
  t.same(seen.slice(2), [[2_000, 2], [3_000, 2]]);
  t.match(warnings, [/not finished run again with defaultParallelism 2, and had begun with 5/]);
  const third = await Run.begin(t, directory, counting(seen, -1), new Map(), { defaultParallelism: 7, logger });
  await third.advance(1);
  await third.stop();
  t.equal(seen.at(-1)?.[1], 7);
  t.equal(warnings.length, 1, 'where nothing runs again there is nothing to lose');
});

t.test('a context that shares its threads with others has the number that it was given', async (t) => {
  const seen: [number, number][] = [];
  const first = await Run.begin(t, temporaryDirectory(), counting(seen, -1), new Map(), { defaultParallelism: 2, logger: silent });
  const second = await Run.begin(t, temporaryDirectory(), counting(seen, -1), new Map(), { master: undefined, sparkContext: first.ssc.sparkContext, defaultParallelism: 4 } as never);
  await second.advance(1);
  await first.advance(1);
  t.same(seen, [[1_000, 4], [1_000, 2]]);
});

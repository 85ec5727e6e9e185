/** Who reads dead letters when the driver's thread dies, or the process: at least once, and once for each driver. */
import t from 'tap';
import type pickyNumbers from '../fixtures/picky-numbers.ts';
import { StreamingContext } from '../../lib/streaming-context.ts';
import type { StreamingOptions } from '../../lib/options.ts';
import { faults } from '../../lib/testing.ts';
import { fixture, nextEvent, silent } from '../helpers/running.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

t.setTimeout(120_000);

type Letter = readonly [time: number, record: unknown];
type Options = Partial<StreamingOptions> & { readonly middle?: (time: number) => Promise<void> };

/** Refused are 13, 23, ...: one in each batch. */
const refused = (batches: number): Letter[] => Array.from({ length: batches }, (_, index) => [(index + 1) * 1_000, 10 * (index + 1) + 3]);

async function begin(t: { after(fn: () => unknown): void }, directory: string, { middle = async () => {}, ...options }: Options = {}) {
  const ssc = await StreamingContext.getOrCreate<typeof pickyNumbers>(directory, fixture('picky-numbers'), { master: 'local[2]', clock: 'manual', batchInterval: 1_000, allowMultipleContexts: true, logger: silent, app: { middle }, ...options } as never);
  t.after(() => ssc.stop());
  const letters: Letter[] = [];
  const reading = (async () => {
    try {
      for await (const { records } of ssc.exports.letters) for (const { batchTime, record } of records) letters.push([Number(batchTime), record]);
    } catch {
      // The context has failed: what came before is there.
    }
  })();
  await ssc.start();
  return { ssc, letters, reading };
}

t.test('the driver dies within a batch: the reader reads on; dead letters of the batch that runs again may come again, all others come once', async (t) => {
  let died = false;
  const middle = async (time: number): Promise<void> => {
    if (time !== 3_000 || died) return;
    died = true;
    await faults(ssc as never).killThread('driver', 0, 'exit');
  };
  const { ssc, letters, reading } = await begin(t, temporaryDirectory(), { middle });
  const restarted = nextEvent(ssc, 'driverRestarted');
  for (let batch = 1; batch <= 5; batch += 1) await ssc.clock.advance();
  t.match(await restarted, { recoveredFrom: { completed: 2_000, generated: 3_000 } });
  await ssc.stop();
  await reading;
  const again = letters.filter(([time]) => time === 3_000);
  t.same(again, [...(again.length === 2 ? refused(3).slice(2) : []), ...refused(3).slice(2)], 'once, or once for each driver');
  t.same(letters.filter(([time]) => time !== 3_000), refused(5).filter(([time]) => time !== 3_000));
});

t.test('a process that ends within a batch: who reads in the next one gets the dead letters of that batch, and none of those that are complete', async (t) => {
  const directory = temporaryDirectory();
  let reached: () => void = () => {};
  const inBatch = new Promise<void>((resolve) => (reached = resolve));
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  const first = await begin(t, directory, {
    driverRestartsMax: 0,
    middle: async (time) => {
      if (time < 3_000) return;
      reached();
      await held;
    },
  });
  await first.ssc.clock.advance(2);
  const third = first.ssc.clock.advance().catch(() => {});
  await inBatch;
  // As after the end of the process, the driver is gone, and nothing more is written.
  const failed = nextEvent(first.ssc, 'failed');
  await faults(first.ssc as never).killThread('driver', 0, 'exit');
  await failed;
  release();
  await third;
  await first.ssc.stop().catch(() => {});
  await first.reading;
  t.same(first.letters.filter(([time]) => time < 3_000), refused(2));
  const second = await begin(t, directory);
  await second.ssc.clock.advance();
  await second.ssc.stop();
  await second.reading;
  t.same(second.letters, refused(4).slice(2));
});

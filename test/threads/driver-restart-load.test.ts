/** The driver's thread dies under load: a reliable receiver and a state come out as without a death. */
import t from 'tap';
import type totalledLines from '../fixtures/totalled-lines.ts';
import type { Total } from '../fixtures/totalled-lines.ts';
import { numberedLinesFile } from '../helpers/numbered-lines.ts';
import { created, nextEvent } from '../helpers/running.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const lines = 6_000;

/** By key, what comes without a death: lines, and the sum of their numbers. */
function expectedTotals(): Map<number, Total> {
  const totals = new Map<number, Total>();
  for (let line = 0; line < lines; line += 1) {
    const [count, sum] = totals.get(line % 40) ?? [0, 0];
    totals.set(line % 40, [count + 1, sum + line]);
  }
  return totals;
}

for (const how of ['terminate', 'throw'] as const) {
  t.test(`a driver that dies twice (${how}) while a reliable receiver fills a state loses no line and counts none twice`, async (t) => {
    const ssc = await created<typeof totalledLines>(t, 'totalled-lines', { args: { file: numberedLinesFile(lines) }, checkpointDirectory: temporaryDirectory() });
    let newest = new Map<number, Total>();
    const seen = (): number => [...newest.values()].reduce((sum, [count]) => sum + count, 0);
    const due = [0.2, 0.5].map((part) => part * lines);
    let deaths = 0;
    const back = nextEvent(ssc, 'driverRestarted', ({ restarts }) => restarts === 2);
    const times: number[] = [];
    await ssc.start();
    const reading = (async (): Promise<void> => {
      // The reader that the app holds is the same throughout.
      for await (const { time, records } of ssc.exports.totals) {
        times.push(time);
        newest = new Map(records as readonly (readonly [number, Total])[]);
        if (seen() >= (due[deaths] ?? Infinity)) {
          deaths += 1;
          await ssc.sparkContext.killHost(1, how);
        }
        if (seen() >= lines && deaths === 2) break;
      }
    })();
    await back;
    await reading;
    t.equal(seen(), lines);
    await ssc.stop({ graceful: true });
    t.same([...newest].sort(([a], [b]) => a - b), [...expectedTotals()].sort(([a], [b]) => a - b));
    t.equal(Number(ssc.exports.read.value), lines, 'the accumulator counts each line once');
    const unique = [...new Set(times)].sort((a, b) => a - b);
    t.same(unique, unique.map((_, index) => (unique[0] as number) + index * 50), 'no batch time is left out');
  });
}

/** Workers that die again and again, in every way, one or all at once, with a reliable receiver and no log: each record exactly once. */
import t from 'tap';
import type numberedLines from '../fixtures/numbered-lines.ts';
import { faults } from '../../lib/testing.ts';
import type { ThreadDeath } from '../../lib/spark-context.ts';
import { numberedLinesFile } from '../helpers/numbered-lines.ts';
import { created, nextEvent, Totals } from '../helpers/running.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const lines = 6_000;
/** Threads that may die within 10 s are 20. */
const kills = 12;
const ways: readonly ThreadDeath[] = ['terminate', 'throw', 'exit', 'rejection'];

for (const hasState of [false, true]) {
  t.test(`each record comes exactly once, whichever workers die meanwhile${hasState ? ', and counts once in the state' : ''}`, async (t) => {
    const file = numberedLinesFile(lines);
    let printed = '';
    const ssc = await created<typeof numberedLines>(t, 'numbered-lines', {
      args: { file, turns: 100_000, hasState },
      print: (text) => void (printed += text),
      // State needs a directory; what is received is not logged there.
      ...(hasState ? { checkpointDirectory: temporaryDirectory(), writeAheadLog: false } : {}),
    });
    const totals = new Totals(ssc.exports.counts as never);
    const failures: Error[] = [];
    ssc.on('failed', ({ error }) => void failures.push(error));
    let lost = 0;
    ssc.on('threadLost', () => void (lost += 1));
    await ssc.start();
    for (let kill = 0; kill < kills; kill += 1) {
      await totals.reached((lines * (kill + 1)) / (kills + 2));
      const back = nextEvent(ssc, 'threadStarted');
      await faults(ssc).killThread('worker', kill % 2, ways[kill % ways.length]);
      // Both: a batch has no worker at all for a while.
      if (kill % 4 === 3) await faults(ssc).killThread('worker', (kill + 1) % 2).catch(() => {});
      await back;
    }
    await totals.reached(lines);
    await ssc.stop({ graceful: true });
    t.ok(lost >= kills, `${lost} workers died`);
    t.same(failures, []);
    t.equal(totals.sum, lines);
    t.equal(totals.counts.size, lines, 'none is missing');
    t.ok([...totals.counts.values()].every((count) => count === 1), 'none comes twice');
    if (hasState) {
      const last = new Map([...printed.matchAll(/^\((\d),(\d+)\)$/gm)].map(([, digit, count]) => [digit, Number(count)]));
      t.same([...last.values()], Array.from({ length: 10 }, () => lines / 10));
    }
  });
}

/** Receivers on real threads: a reliable one loses nothing with its thread; one that throws, rejects or hangs is started again. */
import t from 'tap';
import type numberedLines from '../fixtures/numbered-lines.ts';
import { numberedLinesFile } from '../helpers/numbered-lines.ts';
import { created, nextEvent, started, Totals } from '../helpers/running.ts';

const lines = 4_000;

for (const ioThreads of [1, 2]) {
  t.test(`a receiver with positions whose thread dies again and again brings each record exactly once, with ${ioThreads} io threads and no log`, async (t) => {
    const ssc = await created<typeof numberedLines>(t, 'numbered-lines', { args: { file: numberedLinesFile(lines) }, ioThreads });
    const totals = new Totals(ssc.exports.counts as never);
    const lives: number[] = [];
    ssc.on('receiverStarted', ({ host }) => void lives.push(host));
    const first = nextEvent(ssc, 'receiverStarted');
    await ssc.start();
    await first;
    for (const part of [0.1, 0.3]) {
      await totals.reached(lines * part);
      const back = nextEvent(ssc, 'receiverStarted');
      await ssc.sparkContext.killHost(lives.at(-1) as never, 'exit');
      await back;
    }
    await totals.reached(lines);
    await ssc.stop({ graceful: true });
    t.equal(totals.sum, lines);
    t.ok([...totals.counts.values()].every((count) => count === 1), 'none twice');
    t.equal(new Set(lives).size, 3);
  });
}

t.test('a receiver that never returns has its thread ended, is started on another one, and begins where it was', async (t) => {
  const ssc = await created<typeof numberedLines>(t, 'numbered-lines', { args: { file: numberedLinesFile(200), fault: 'loop' }, receiverTimeoutMs: 1_000 });
  const totals = new Totals(ssc.exports.counts as never);
  const told = nextEvent(ssc, 'receiverError');
  const lost = nextEvent(ssc, 'threadLost');
  await ssc.start();
  t.match(await told, { willRestart: true, error: { code: 'ReceiverFailed', message: /thread of the receiver to answer within 1000 ms/ } });
  t.equal((await lost).role, 'io');
  await totals.reached(200);
  t.equal(totals.sum, 200);
});

for (const [fault, message] of [['throw', 'never starts'], ['reject', 'never runs']] as const) {
  t.test(`a receiver whose onStart does ${fault} fails more often than it may: the stream says so, and the context fails`, async (t) => {
    const ssc = await created<typeof numberedLines>(t, 'numbered-lines', { args: { file: numberedLinesFile(1), fault }, receiverRestartsMax: 2, receiverRestartDelayMs: 10 });
    const errors: string[] = [];
    ssc.on('receiverError', ({ message, willRestart }) => void (willRestart && errors.push(message)));
    const stopped = nextEvent(ssc, 'receiverStopped');
    await ssc.start();
    const waiting = ssc.awaitTermination();
    await t.rejects(waiting, { code: 'RestartIntensityReached' });
    t.match((await stopped).error, { code: 'RestartIntensityReached', details: { name: 'receiverStream', restartsMax: 2 } });
    t.equal(errors.length, 3);
    t.ok(errors.every((text) => text.includes(message)), `${errors}`);
    t.equal(ssc.getState(), 'STOPPED', 'nothing of it runs any more when the failure is told to who waits for the end');
  });
}

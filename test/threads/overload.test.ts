/** More comes than is taken, over a real connection: the sender is held back, memory keeps its bound, nothing is lost, and then it is over. */
import t from 'tap';
import type socketWords from '../fixtures/socket-words.ts';
import type { BatchInfo } from '../../protocol/listener.ts';
import { SparkContext } from '../../lib/spark-context.ts';
import { knownText, silent, sorted, started, Totals } from '../helpers/running.ts';
import { textServer } from '../helpers/text-server.ts';

const slabBytes = 262_144;
const poolBytes = 32 * slabBytes;
/** A quarter is left to the tasks. */
const receivedBytesMax = poolBytes * 0.75;
const linesPerPart = 2_000;
/** Far more than memory and what both ends' systems keep of a connection, so that a sender who is not held back would be told by it. */
const sentBytesMin = 64 * 1_048_576;

for (const recognizeClosures of [true, false]) {
  t.test(`closures ${recognizeClosures ? 'recognised' : 'called'}: no batch runs, and the sender waits; batches run, and every line is counted; what comes later is on time`, async (t) => {
    const sparkContext = new SparkContext({ master: 'local[2]', logger: silent, defaultParallelism: 2, slabBytes, blockMemoryBytesMax: poolBytes });
    t.after(() => sparkContext.stop());
    const server = await textServer(t);
    const ssc = await started<typeof socketWords>(t, 'socket-words', { clock: 'manual', batchInterval: 1_000, recognizeClosures, sparkContext, args: { port: server.port } });
    const totals = new Totals(ssc.exports.counts);
    const batches: BatchInfo[] = [];
    ssc.on('batchCompleted', (info) => void batches.push(info as unknown as BatchInfo));
    const usedBytes = async (): Promise<number> => (await sparkContext.blockStats()).usedBytes;

    const part = knownText(linesPerPart);
    const bytes = Buffer.from(part.text);
    const parts = Math.ceil(sentBytesMin / bytes.length);
    let partsSent = 0;
    const sending = (async () => {
      for (; partsSent < parts; partsSent += 1) await server.send(bytes);
    })();

    // All that receivers may have, but for the slab that is being filled and the next one.
    while ((await usedBytes()) < receivedBytesMax - 2 * slabBytes);
    t.ok(partsSent < parts, 'the sender has not got rid of it: nothing takes it');

    let usedMax = 0;
    const words = linesPerPart * 4;
    for (let left = 10 * parts; totals.sum < parts * words && left > 0; left -= 1) {
      await ssc.clock.advance(1);
      usedMax = Math.max(usedMax, await usedBytes());
    }
    await sending;
    await totals.reached(parts * words);
    t.same(sorted(totals.counts), sorted(new Map([...part.counts].map(([word, count]) => [word, count * parts]))), 'nothing is lost, and nothing counted twice');
    t.ok(usedMax <= poolBytes, `${usedMax} bytes at most, of ${poolBytes}`);
    const most = Math.max(...batches.map(({ records }) => records));
    t.ok(most * (bytes.length / linesPerPart) <= receivedBytesMax, `no batch had more than memory holds: ${most} records`);

    const before = totals.sum;
    await server.send('late\n');
    while (totals.sum === before) await ssc.clock.advance(1);
    t.equal(totals.counts.get('late'), 1);
    // What batches held goes with them; an open slab stays with the receiver.
    for (let left = 100; (await usedBytes()) > receivedBytesMax / 4 && left > 0; left -= 1) await ssc.clock.advance(1);
    t.ok((await usedBytes()) <= receivedBytesMax / 4, 'memory is free again');
    await ssc.stop({ stopSparkContext: false });
  });
}

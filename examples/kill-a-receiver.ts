/**
 * Kills the thread that a receiver lives on, in mid-stream, and shows it coming back.
 *
 *   node dist/examples/kill-a-receiver.js
 *
 * Nothing has acknowledged the lines that a plain socket gives us, so those which the thread had read and not yet handed over are
 * lost with it, and reported as such; so is what the server sends before the new receiver has connected. Batches go on all the while.
 */
import { Seconds, StreamingContext } from 'millrace';
import { faults } from 'millrace/testing';
import { startTextServer } from './text-server.js';
import type wordCount from './word-count.js';

const server = await startTextServer();
const ssc = await StreamingContext.create<typeof wordCount>(new URL('./word-count.js', import.meta.url), {
  master: 'local[2]',
  appName: 'KillAReceiver',
  batchInterval: Seconds(0.5),
  args: { host: '127.0.0.1', port: server.port },
  print: () => {},
  // What happens is told by the listeners below.
  logger: { log: () => {} },
});

ssc.on('receiverStarted', ({ stream, host }) => console.log(`receiver of stream ${stream} runs on thread ${host}`));
ssc.on('threadLost', ({ host, role, error }) => console.log(`thread ${host} (${role}) has died: ${error.message}`));
ssc.on('threadStarted', ({ host, role }) => console.log(`thread ${host} (${role}) is up`));
ssc.on('recordsLost', ({ records }) => console.log(`${records < 0 ? 'an unknown number of' : records} lines were lost with it`));

await ssc.start();
const serving = setInterval(() => void server.send(10), 20);

let batches = 0;
let counted = 0;
for await (const { records } of ssc.exports.counts) {
  const words = records.reduce((sum, [, count]) => sum + count, 0);
  batches += 1;
  counted += words;
  console.log(`batch ${batches}: ${words} words`);
  if (batches === 3) {
    console.log('killing the io thread');
    await faults(ssc).killThread('io');
  }
  if (batches === 8) {
    clearInterval(serving);
    void ssc.stop({ graceful: true });
  }
}
await ssc.stop();
await server.close();
console.log(`${batches} batches, ${counted} words counted`);

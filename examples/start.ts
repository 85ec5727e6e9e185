/**
 * What `npm start` runs: the word count over a text that this process serves itself, with every count checked.
 *
 *   npm start                       prints a batch a second until Ctrl-C
 *   npm start -- --batches 5        ends by itself after five batches with data
 *
 * The counts go to standard output, what is said about them to standard error. Exit code 1 where a count is wrong.
 */
import { parseArgs } from 'node:util';
import { Seconds, StreamingContext } from 'millrace';
import { CountChecker } from './check-counts.js';
import { startTextServer } from './text-server.js';
import type wordCount from './word-count.js';

const { values } = parseArgs({ options: { batches: { type: 'string' } } });
const batchesMax = values.batches === undefined ? Number.POSITIVE_INFINITY : Number(values.batches);
if (!(batchesMax >= 1) || (batchesMax !== Number.POSITIVE_INFINITY && !Number.isInteger(batchesMax))) {
  console.error(`Expected --batches to be a whole number of 1 or more; got ${values.batches}.`);
  process.exit(2);
}

const server = await startTextServer();
const ssc = await StreamingContext.create<typeof wordCount>(new URL('./word-count.js', import.meta.url), {
  master: 'local[2]',
  appName: 'NetworkWordCount',
  batchInterval: Seconds(1),
  args: { host: '127.0.0.1', port: server.port },
});
await ssc.start();
console.error(`Serving a text on 127.0.0.1:${server.port} and counting its words${batchesMax === Number.POSITIVE_INFINITY ? '; Ctrl-C ends it' : ''}.`);

const checker = new CountChecker();
let batches = 0;
let failure: string | null = null;

// Lines are sent all the time. Before the last batch that was asked for only one more portion goes out, so that it ends there.
const serving = setInterval(() => {
  server.send(25);
  if (batches >= batchesMax - 1 && server.linesSent > checker.lines) clearInterval(serving);
}, 100);

let stopping: Promise<void> | null = null;
const stop = (): void => {
  clearInterval(serving);
  stopping ??= ssc.stop({ graceful: true });
  // A failure of the stop is thrown where it is awaited, below.
  stopping.catch(() => {});
};
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
// npm runs this in a shell and passes signals to that shell, which may die of one and keep it to itself.
const shell = process.ppid;
setInterval(() => process.ppid === shell || stop(), 250).unref();

for await (const { time, records } of ssc.exports.counts) {
  if (records.length === 0) continue;
  batches += 1;
  const wrong = checker.check(records);
  if (wrong !== null) {
    failure = `The batch at ${time} ms is wrong: ${wrong}.`;
    stop();
  }
  if (batches >= batchesMax && checker.lines === server.linesSent) stop();
}

await stopping;
if (failure === null && checker.lines !== server.linesSent) failure = `${server.linesSent} lines were served, and ${checker.lines} were counted.`;
await server.close();
console.error(failure ?? `${batches} batches, ${checker.lines} lines, ${checker.words} words: every count is right for the text that was served.`);
process.exitCode = failure === null ? 0 : 1;

/**
 * A reliable receiver whose thread is killed twice in mid-stream: each line of its file comes exactly once all the same.
 *
 *   node dist/examples/reliable-receiver.js
 *
 * The receiver is in programs/file-lines.ts. Compare kill-a-receiver.ts, where a plain socket loses what was on its way.
 */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Milliseconds, StreamingContext } from 'millrace';
import { faults } from 'millrace/testing';
import type fileLines from './programs/file-lines.js';

const linesWanted = 3_000;
const directory = mkdtempSync(join(tmpdir(), 'millrace-lines-'));
const path = join(directory, 'lines.txt');
let written = 0;
const write = (): void => {
  const lines = Array.from({ length: Math.min(50, linesWanted - written) }, () => `line ${(written += 1)}\n`);
  appendFileSync(path, lines.join(''));
};
writeFileSync(path, '');

const ssc = await StreamingContext.create<typeof fileLines>(new URL('./programs/file-lines.js', import.meta.url), {
  master: 'local[1]',
  appName: 'ReliableReceiver',
  batchInterval: Milliseconds(200),
  args: { path },
  // What happens is told by the listeners below.
  logger: { log: () => {} },
});
ssc.on('receiverStarted', ({ host }) => console.log(`the receiver runs on thread ${host}`));
ssc.on('threadLost', ({ host }) => console.log(`thread ${host} has died`));

await ssc.start();
const writing = setInterval(write, 10);
const kills = [500, 1_500];
const seen: string[] = [];
for await (const { records } of ssc.exports.lines) {
  seen.push(...records);
  if (seen.length >= (kills[0] ?? Infinity)) {
    kills.shift();
    await faults(ssc).killThread('io');
  }
  if (seen.length >= linesWanted) break;
}
clearInterval(writing);
await ssc.stop({ graceful: true });
rmSync(directory, { recursive: true });

const wrong = seen.findIndex((line, index) => line !== `line ${index + 1}`);
console.log(`${seen.length} lines of ${written}; ${wrong < 0 ? 'each exactly once, in order' : `wrong from line ${wrong + 1}`}`);
process.exitCode = wrong < 0 && seen.length === written ? 0 : 1;

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
const seen: string[] = [];
/** Not far ahead of what came out, so that each death is in the middle of the stream. */
const write = (): void => {
  const lines = Array.from({ length: Math.max(0, Math.min(50, linesWanted - written, seen.length + 300 - written)) }, () => `line ${(written += 1)}\n`);
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
let lives = 0;
ssc.on('receiverStarted', ({ host }) => {
  lives += 1;
  console.log(`the receiver runs on thread ${host}`);
});
ssc.on('threadLost', ({ host }) => console.log(`thread ${host} has died`));

await ssc.start();
const writing = setInterval(write, 10);
const killAt = [500, 1_500];
let killed = 0;
for await (const { records } of ssc.exports.lines) {
  seen.push(...records);
  if (lives > killed && seen.length >= (killAt[killed] ?? Infinity)) {
    killed += 1;
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

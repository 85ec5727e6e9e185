/** The log on the machine's own disk: what was appended is read back, in segments, by groups. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { createPrng } from '../../../../lib/base/prng.ts';
import { SystemClock } from '../../../../lib/base/clock.ts';
import { LogWriter } from '../../../../lib/storage/log/log-writer.ts';
import { readLog } from '../../../../lib/storage/log/read-log.ts';
import { nodeDisk } from '../../../../lib/storage/node-disk.ts';
import { builtFile, startNode } from '../../../helpers/node-process.ts';

const clock = new SystemClock();
const utf8 = (text: string) => Buffer.from(text, 'utf8');

t.test('what was appended is read back, with its numbers, types and places', async (t) => {
  const directory = join(mkdtempSync(join(tmpdir(), 'millrace-log-')), 'a/log');
  t.teardown(() => rmSync(join(directory, '../..'), { recursive: true, force: true }));
  const { nextSequence } = await readLog({ disk: nodeDisk, directory, fromSequence: 1, onFrame: () => {} });
  t.equal(nextSequence, 1);
  const writer = await LogWriter.open({ disk: nodeDisk, directory, nextSequence, clock, segmentBytesMax: 200 });
  const shared = new Uint8Array(new SharedArrayBuffer(10_000)).fill(7);
  const positions = await Promise.all([writer.append(1, [utf8('one')]), writer.append(2, [utf8('t'), utf8('wo')]), writer.append(3, [])]);
  positions.push(await writer.append(4, [utf8('x'), shared]));
  positions.push(await writer.append(5, [utf8('five')]));
  await writer.close();
  t.equal(readdirSync(directory).length, 3);
  const frames: unknown[] = [];
  const content = await readLog({ disk: nodeDisk, directory, fromSequence: 1, onFrame: ({ sequence, type, body, file, offset }) => void frames.push([sequence, type, body.length, file === positions[sequence - 1]?.file, offset]) });
  t.strictSame(frames, [[1, 1, 3, true, 84], [2, 2, 3, true, 111], [3, 3, 0, true, 138], [4, 4, 10_001, true, 84], [5, 5, 4, false, 84]], 'the last group was written again');
  t.match(content, { nextSequence: 6, frames: 5, tornBytes: 0 });
  for (const { file, offset, bytes, sequence } of positions) t.equal((await nodeDisk.read(file, offset, offset + bytes)).length, [3, 3, 0, 10_001, 4][sequence - 1]);
});

t.test('a process that is killed at any moment loses nothing that it had acknowledged', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-killed-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const prng = createPrng('log-killed');
  let acknowledged = 0;
  for (let life = 0; life < 8; life += 1) {
    const child = startNode(t, [builtFile('test/fixtures/children/appends-to-log.js'), directory]);
    // Later ones at another moment each: so many acknowledgements after it has begun.
    const target = acknowledged + 1 + prng.int(300);
    await child.prints(new RegExp(`acknowledged ${target}\\n`));
    child.kill('SIGKILL');
    await child.ended;
    const [, found, wrong] = /^found (\d+) wrong (\d+)\n/.exec(child.stdout) ?? [];
    t.equal(wrong, '0');
    t.ok(Number(found) >= acknowledged, `found ${found} of ${acknowledged} acknowledged ones`);
    acknowledged = Math.max(...[...child.stdout.matchAll(/acknowledged (\d+)\n/g)].map(([, number]) => Number(number)));
    t.ok(acknowledged >= target);
  }
});

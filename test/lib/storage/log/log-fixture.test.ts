/** Logs that earlier releases have written stay readable. A file in test/fixtures/formats is never changed: a new form is a new one. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { ManualClock } from '../../../../lib/base/clock.ts';
import { crc32c } from '../../../../lib/storage/crc32c.ts';
import { LogWriter } from '../../../../lib/storage/log/log-writer.ts';
import { readLog } from '../../../../lib/storage/log/read-log.ts';
import { nodeDisk } from '../../../../lib/storage/node-disk.ts';
import { SimulatedDisk } from '../../../../lib/storage/simulated-disk.ts';
import { directory, filesOf, readAll } from '../../../helpers/log.ts';
import { projectRoot } from '../../../helpers/project.ts';

const bodies = [Buffer.from('received block'), Buffer.from([0, 255, 127, 10]), Buffer.alloc(0), Buffer.alloc(1_000, 'z'), Buffer.from('the end')];

/** What the fixture of version 1 was made by. */
async function write(): Promise<ReadonlyMap<string, Uint8Array>> {
  const disk = new SimulatedDisk({ seed: 1 });
  const writer = await LogWriter.open({ disk, directory, nextSequence: 1, clock: new ManualClock({ epochMs: 1_700_000_000_000 }), segmentBytesMax: 300 });
  await Promise.all([writer.append(1, [bodies[0]!]), writer.append(2, [bodies[1]!])]);
  await writer.append(3, [bodies[2]!]);
  await writer.append(255, [bodies[3]!.subarray(0, 400), bodies[3]!.subarray(400)]);
  await writer.append(1, [bodies[4]!]);
  await writer.close();
  return await filesOf(disk);
}

t.test('version 1 is read, and is what is written today', async (t) => {
  const fixture = join(projectRoot, 'test/fixtures/formats/log-1');
  if (process.argv.includes('--make') && !existsSync(fixture)) {
    mkdirSync(fixture, { recursive: true });
    for (const [name, bytes] of await write()) writeFileSync(join(fixture, name), bytes);
  }
  const folder = mkdtempSync(join(tmpdir(), 'millrace-format-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(fixture, folder, { recursive: true });
  const frames: unknown[] = [];
  const content = await readLog({ disk: nodeDisk, directory: folder, fromSequence: 1, readOnly: true, onFrame: ({ sequence, type, body }) => void frames.push([sequence, type, Buffer.from(body).toString('hex')]) });
  t.match(content, { nextSequence: 6, tornBytes: 0, segments: 3 });
  t.strictSame(frames, [1, 2, 3, 255, 1].map((type, index) => [index + 1, type, bodies[index]!.toString('hex')]));

  for (const [name, bytes] of await write()) t.equal(Buffer.from(bytes).toString('hex'), Buffer.from(await nodeDisk.read(join(fixture, name), 0, Infinity)).toString('hex'), `${name}: a change of form is a new version`);
});

t.test('the checksum is crc32c, over any parts, in shared memory too', (t) => {
  const digits = Buffer.from('123456789');
  const shared = new Uint8Array(new SharedArrayBuffer(9));
  shared.set(digits);
  t.equal(crc32c([digits]), 0xe3069283);
  t.equal(crc32c([shared.subarray(0, 4), new Uint8Array(0), digits.subarray(4)]), 0xe3069283);
  t.equal(crc32c([]), 0);
  t.end();
});

t.test('numbers beyond 32 bits are written and read', async (t) => {
  const disk = new SimulatedDisk({ seed: 1 });
  const nextSequence = 2 ** 52 + 3;
  const writer = await LogWriter.open({ disk, directory, nextSequence, clock: new ManualClock() });
  await writer.append(1, [Buffer.from('far')]);
  await writer.close();
  t.match(await readAll(disk, { fromSequence: nextSequence }), { frames: [{ sequence: nextSequence, text: 'far' }], content: { nextSequence: nextSequence + 1 } });
});

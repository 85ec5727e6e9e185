/** What a disk promises, of the machine's and of the simulated one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Disk } from '../../../lib/storage/disk.ts';
import { nodeDisk, without } from '../../../lib/storage/node-disk.ts';
import { SimulatedDisk } from '../../../lib/storage/simulated-disk.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-disk-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

const disks: readonly (readonly [string, () => Disk])[] = [
  ['the machine\'s disk', () => nodeDisk],
  ['the simulated disk', () => new SimulatedDisk({ seed: 1 })],
  ['the simulated disk with short writes', () => new SimulatedDisk({ seed: 2, shortWrites: true })],
];
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

for (const [index, [name, make]] of disks.entries()) {
  t.test(`${name}: files are made, written, read, renamed, cut and removed`, async (t) => {
    const disk = make();
    const directory = `${folder}/${index}/a/b`;
    t.strictSame(await disk.list(directory), []);
    await t.rejects(disk.create(`${directory}/x`), { code: 'ENOENT' });
    await disk.makeDirectory(directory);
    await disk.makeDirectory(directory);
    const file = await disk.create(`${directory}/x`);
    await t.rejects(disk.create(`${directory}/x`), { code: 'EEXIST' });
    const shared = new Uint8Array(new SharedArrayBuffer(3)).fill(0x61);
    await file.append([Buffer.from('one'), new Uint8Array(0), shared.subarray(1)]);
    await file.append([]);
    // More parts than a system call takes.
    await file.append(Array.from({ length: 3_000 }, (_, part) => Buffer.from(`${part % 10}`)));
    await file.sync();
    await file.close();
    await disk.syncDirectory(directory);
    t.equal(await disk.size(`${directory}/x`), 3_005);
    t.equal(text(await disk.read(`${directory}/x`, 2, 9)), 'eaa0123');
    t.equal(text(await disk.read(`${directory}/x`, 3_003, 9_999)), '89');
    t.equal((await disk.read(`${directory}/x`, 9_000, 9_999)).length, 0);
    await disk.truncate(`${directory}/x`, 4);
    await (await disk.create(`${directory}/c`)).close();
    await disk.rename(`${directory}/x`, `${directory}/c`);
    t.strictSame(await disk.list(directory), ['c']);
    t.equal(text(await disk.read(`${directory}/c`, 0, 99)), 'onea');
    await disk.remove(`${directory}/c`);
    await disk.remove(`${directory}/c`);
    t.strictSame(await disk.list(directory), []);
    const failing = [() => disk.read(`${directory}/c`, 0, 1), () => disk.size(`${directory}/c`), () => disk.rename(`${directory}/c`, `${directory}/d`), () => disk.syncDirectory(`${directory}/none`)];
    for (const call of failing) await t.rejects(async () => void (await call()), { code: 'ENOENT' });
    const lock = await disk.lock(`${directory}/lock`);
    await t.rejects(disk.lock(`${directory}/lock`), { code: 'LogLocked' });
    await lock.release();
    await (await disk.lock(`${directory}/lock`)).release();
  });
}

t.test('a short write goes on where it ended', (t) => {
  const parts = ['abc', 'd', 'efg'].map((part) => Buffer.from(part));
  const rest = (bytes: number): string => without(parts, bytes).map(text).join('|');
  t.strictSame([0, 1, 3, 4, 5, 7].map(rest), ['abc|d|efg', 'bc|d|efg', 'd|efg', 'efg', 'fg', '']);
  t.end();
});

t.test('a power cut leaves what was synced, and any part of the rest', async (t) => {
  const lengths = new Set<number>();
  const seen = { zeros: 0, gone: 0, there: 0 };
  for (let seed = 0; seed < 300; seed += 1) {
    const disk = new SimulatedDisk({ seed });
    await disk.makeDirectory('d');
    const file = await disk.create('d/f');
    await file.append([Buffer.alloc(700, 'a')]);
    await file.sync();
    await disk.syncDirectory('d');
    await file.append([Buffer.alloc(1_300, 'b')]);
    const other = await disk.create('d/g');
    await other.sync();
    disk.crash();
    const after = await disk.read('d/f', 0, 9_999);
    t.ok(after.subarray(0, 700).every((byte) => byte === 0x61), 'what was synced stays');
    t.ok(after.subarray(700).every((byte) => byte === 0x62 || byte === 0));
    lengths.add(after.length);
    if (after.subarray(700).includes(0)) seen.zeros += 1;
    seen[(await disk.list('d')).includes('g') ? 'there' : 'gone'] += 1;
  }
  t.ok(lengths.size > 20 && lengths.has(700) && lengths.has(2_000), 'torn at any byte');
  t.ok(seen.zeros > 20 && seen.gone > 50 && seen.there > 50, JSON.stringify(seen));
});

t.test('after a sync that failed the next one says nothing, and the power cut shows it', async (t) => {
  let lost = 0;
  for (let seed = 0; seed < 60; seed += 1) {
    const disk = new SimulatedDisk({ seed });
    await disk.makeDirectory('d');
    const file = await disk.create('d/f');
    await disk.syncDirectory('d');
    await file.append([Buffer.from('data')]);
    disk.fail({ call: 'sync', code: 'EIO' });
    await t.rejects(file.sync(), { code: 'EIO' });
    await file.sync();
    t.equal(text(await disk.read('d/f', 0, 9)), 'data', 'it can be read');
    disk.crash();
    if (text(await disk.read('d/f', 0, 9)) !== 'data') lost += 1;
  }
  t.ok(lost > 15 && lost < 45, `${lost} of 60`);
});

t.test('the same seed and calls give the same run; what a dead session asked for does not settle', async (t) => {
  const life = async (seed: number): Promise<string> => {
    const disk = new SimulatedDisk({ seed, shortWrites: true });
    const session = disk.session();
    await session.makeDirectory('d');
    const file = await session.create('d/f');
    await session.syncDirectory('d');
    let settled = 0;
    void file.append([Buffer.alloc(5_000, 'a')]).finally(() => (settled += 1));
    void session.create('d/g').finally(() => (settled += 1));
    for (let turn = 0; turn < 6; turn += 1) await Promise.resolve();
    disk.crash();
    void session.list('d').finally(() => (settled += 1));
    await new Promise((resolve) => setImmediate(resolve));
    return `${settled} ${(await disk.list('d')).join()} ${await disk.size('d/f')}`;
  };
  const runs = await Promise.all(Array.from({ length: 30 }, (_, seed) => life(seed)));
  t.strictSame(await Promise.all(Array.from({ length: 30 }, (_, seed) => life(seed))), runs);
  t.ok(new Set(runs).size > 8, runs.join('; '));
});

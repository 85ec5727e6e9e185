/** The writer: which appends share a sync, when a segment is closed, what each failure of the disk costs. */
import t from 'tap';
import { MillraceError } from '../../../../protocol/errors.ts';
import { SimulatedDisk } from '../../../../lib/storage/simulated-disk.ts';
import type { LogWriter } from '../../../../lib/storage/log/log-writer.ts';
import { bytesOfText, directory, openLog, readAll, textsOf } from '../../../helpers/log.ts';

const append = (writer: LogWriter, ...texts: readonly string[]) => Promise.all(texts.map((text) => writer.append(1, bytesOfText(text))));
const settled = () => new Promise((resolve) => setImmediate(resolve));
const names = (from: number, count: number): string[] => Array.from({ length: count }, (_, index) => `${from + index}`);

t.test('what comes while a sync runs is one next write and one next sync', async (t) => {
  const disk = new SimulatedDisk({ seed: 1 });
  const { writer } = await openLog(disk);
  await append(writer, '1');
  const before = disk.statistics;
  const first = append(writer, ...names(2, 100));
  // On its way, and the others come meanwhile, at different turns.
  for (let turn = 0; turn < 4; turn += 1) await Promise.resolve();
  const others = names(102, 50).map((text, index) => Promise.resolve().then(() => (index % 2 === 0 ? Promise.resolve() : undefined)).then(() => writer.append(1, bytesOfText(text))));
  await Promise.all([first, ...others]);
  t.equal(disk.statistics.syncs - before.syncs, 2);
  t.equal(writer.statistics.groups, 3);
  t.equal(disk.statistics.created, 1, 'in one file');
  await writer.close();
  t.strictSame(textsOf(await readAll(disk)).sort((one, other) => Number(one) - Number(other)), names(1, 151));
});

t.test('syncs are at least the interval apart, but for what is urgent, which takes along all that waits', async (t) => {
  const disk = new SimulatedDisk({ seed: 1 });
  const { writer, clock } = await openLog(disk, { syncIntervalMs: 200, timeStands: true });
  await append(writer, '1');
  const { syncs } = disk.statistics;
  let done = 0;
  const waiting = names(2, 10).map((text) => writer.append(1, bytesOfText(text)).then(() => (done += 1)));
  await settled();
  clock.advanceBy(199);
  await settled();
  t.equal(done, 0, 'not before its time');
  clock.advanceBy(1);
  await Promise.all(waiting);
  t.equal(disk.statistics.syncs, syncs + 1);
  const quiet = writer.append(1, bytesOfText('12'));
  await writer.append(1, bytesOfText('13'), { urgent: true });
  await quiet;
  t.equal(disk.statistics.syncs, syncs + 2, 'no time has passed');
  const last = writer.append(1, bytesOfText('14'));
  await writer.close();
  await last;
  t.strictSame(textsOf(await readAll(disk)), names(1, 14), 'nor does close wait');
});

t.test('what is lazy goes with the next sync that is due for something else, and else after two intervals', async (t) => {
  const disk = new SimulatedDisk({ seed: 1 });
  const { writer, clock } = await openLog(disk, { syncIntervalMs: 200, timeStands: true });
  await append(writer, '1');
  const { syncs } = disk.statistics;
  let done = 0;
  const lazily = (text: string): Promise<unknown> => writer.append(1, bytesOfText(text), { lazy: true }).then(() => (done += 1));
  const first = lazily('2');
  await settled();
  clock.advanceBy(150);
  const eager = writer.append(1, bytesOfText('3'));
  await settled();
  clock.advanceBy(50);
  await Promise.all([first, eager]);
  t.equal(disk.statistics.syncs, syncs + 1, 'of the two the earlier one counts');
  const second = lazily('4');
  await settled();
  clock.advanceBy(399);
  await settled();
  t.equal(done, 1, 'the interval is over, and nobody waits');
  clock.advanceBy(1);
  await second;
  t.equal(disk.statistics.syncs, syncs + 2);
  await writer.close();
});

t.test('without syncs nothing is synced, and an append settles when it is written', async (t) => {
  const disk = new SimulatedDisk({ seed: 1 });
  const { writer } = await openLog(disk, { sync: false });
  await append(writer, '1', '2');
  await append(writer, '3');
  t.match([disk.statistics.syncs, disk.statistics.directorySyncs, writer.statistics.syncs], [0, 0, 0]);
  disk.kill();
  t.strictSame(textsOf(await readAll(disk)), ['1', '2', '3'], 'the end of the process costs nothing');
});

t.test('a segment is closed when it is full, and when it is old', async (t) => {
  const disk = new SimulatedDisk({ seed: 1 });
  const { writer, clock } = await openLog(disk, { segmentBytesMax: 64 + 5 * 25, segmentMsMax: 1_000, timeStands: true });
  for (const text of names(1, 7)) await append(writer, text);
  t.strictSame((await disk.list(directory)).map((name) => Number(name.slice(0, 20))), [1, 6]);
  clock.advanceBy(999);
  await append(writer, '8');
  clock.advanceBy(1);
  t.equal(writer.statistics.segmentsKept, 2, 'an idle log makes no files');
  await append(writer, '9');
  await append(writer, 'x'.repeat(5_000));
  await append(writer, '.');
  t.strictSame((await disk.list(directory)).map((name) => Number(name.slice(0, 20))), [1, 6, 9, 10, 11], 'what is larger than a segment has one for itself');
  await writer.close();
  t.equal((await readAll(disk)).frames.length, 11);
});

t.test('closeFileAfterWrite: each group has a file of its own, which nobody writes to again', async (t) => {
  const disk = new SimulatedDisk({ seed: 1 });
  const { writer } = await openLog(disk, { closeFileAfterWrite: true });
  await append(writer, '1', '2');
  await append(writer, '3');
  await append(writer, '4');
  t.strictSame((await disk.list(directory)).map((name) => Number(name.slice(0, 20))), [1, 3, 4]);
  t.strictSame(textsOf(await readAll(disk)), names(1, 4));
});

t.test('segments go when all in them lies below; the oldest first, and never the last', async (t) => {
  const disk = new SimulatedDisk({ seed: 1 });
  const { writer, troubles } = await openLog(disk, { closeFileAfterWrite: true });
  for (const text of names(1, 6)) await append(writer, text);
  await writer.removeBefore(1);
  t.equal(writer.statistics.segmentsKept, 6);
  await writer.removeBefore(4);
  t.strictSame((await disk.list(directory)).map((name) => Number(name.slice(0, 20))), [4, 5, 6]);
  disk.fail({ call: 'remove', code: 'EIO', after: 1 });
  await writer.removeBefore(6);
  t.match(troubles, [{ doing: 'remove', file: /5\.log/ }]);
  t.strictSame((await disk.list(directory)).map((name) => Number(name.slice(0, 20))), [5, 6], 'none is missing between two');
  await writer.removeBefore(100);
  t.equal(writer.statistics.segmentsKept, 1);
  await append(writer, '7');
  t.match(await readAll(disk, { fromSequence: 6 }), { code: null, frames: [{ sequence: 6 }, { sequence: 7 }] });
  t.match(await readAll(disk), { code: 'WalCorrupted' }, 'who wants more than there is, is told');
});

t.test('a segment that failed before it held anything is no reason to remove those before it', async (t) => {
  const disk = new SimulatedDisk({ seed: 1 });
  const { writer } = await openLog(disk, { attemptsMax: 2 });
  await append(writer, '1', '2');
  // The open segment; the header of the next one passes, its first frame fails.
  disk.fail({ call: 'append', code: 'EIO' });
  disk.fail({ call: 'append', code: 'EIO', after: 1 });
  await t.rejects(append(writer, '3'), { code: 'LogFailed' });
  await writer.removeBefore(3);
  disk.crash();
  t.match(await readAll(disk, { fromSequence: 3 }), { code: null });
  t.strictSame(textsOf(await readAll(disk)).slice(0, 2), ['1', '2']);
});

t.test('a place that was given out is good until its number is removed, also where a reader has written it again', async (t) => {
  const disk = new SimulatedDisk({ seed: 1 });
  const first = await openLog(disk);
  await append(first.writer, '1');
  const [two] = await append(first.writer, '2');
  disk.crash();
  const read = await readAll(disk);
  t.equal(read.content?.settledBytes, 25);
  const { writer } = await openLog(disk, { nextSequence: 3 });
  await append(writer, '3');
  await writer.removeBefore(2);
  t.equal(Buffer.from(await disk.read(two!.file, two!.offset, two!.offset + two!.bytes)).toString(), '2');
  await writer.removeBefore(3);
  t.strictSame((await disk.list(directory)).map((name) => Number(name.slice(0, 20))), [3]);
});

t.test('a file that a reader is at, and that goes, is an error for the reader alone', async (t) => {
  const disk = new SimulatedDisk({ seed: 1 });
  const { writer } = await openLog(disk, { closeFileAfterWrite: true });
  for (const text of names(1, 3)) await append(writer, text);
  const { readLog } = await import('../../../../lib/storage/log/read-log.ts');
  const reading = readLog({ disk, directory, fromSequence: 1, readOnly: true, onFrame: ({ sequence }) => (sequence === 1 ? writer.removeBefore(3) : undefined) });
  await t.rejects(reading, { code: 'ENOENT' });
  await append(writer, '4');
  t.strictSame(textsOf(await readAll(disk, { fromSequence: 3 })), ['3', '4']);
});

const faults = [
  { name: 'ENOSPC on write', plan: (disk: SimulatedDisk) => disk.fail({ call: 'append', code: 'ENOSPC' }) },
  { name: 'EIO on write', plan: (disk: SimulatedDisk) => disk.fail({ call: 'append', code: 'EIO' }) },
  { name: 'EIO on sync', plan: (disk: SimulatedDisk) => disk.fail({ call: 'sync', code: 'EIO' }) },
  { name: 'EIO on write, then EMFILE', plan: (disk: SimulatedDisk) => (disk.fail({ call: 'append', code: 'EIO' }), disk.fail({ call: 'create', code: 'EMFILE', times: 2 })) },
  { name: 'EIO on write, then on the sync of the directory', plan: (disk: SimulatedDisk) => (disk.fail({ call: 'append', code: 'EIO' }), disk.fail({ call: 'syncDirectory', code: 'EIO' })) },
  { name: 'a file that is not where it was', plan: (disk: SimulatedDisk) => disk.fail({ call: 'size', code: 'ENOENT' }) },
];

for (const { name, plan } of faults) {
  t.test(`${name}: nobody notices but the log, which goes on in a new file`, async (t) => {
    const disk = new SimulatedDisk({ seed: name });
    const { writer, troubles } = await openLog(disk);
    const positions = await append(writer, '1', '2');
    plan(disk);
    positions.push(...(await append(writer, '3', '4')), ...(await append(writer, '5')));
    t.ok(troubles.length >= 1 && troubles.every(({ doing, attempt }, index) => doing === 'write' && attempt === index + 1));
    t.not(positions[2]!.file, positions[1]!.file);
    t.equal(positions[2]!.file, positions[4]!.file);
    t.strictSame(positions.map(({ sequence }) => sequence), [1, 2, 3, 4, 5]);
    for (const [index, { file, offset, bytes }] of positions.entries()) t.equal(Buffer.from(await disk.read(file, offset, offset + bytes)).toString(), `${index + 1}`);
    disk.crash();
    t.strictSame(textsOf(await readAll(disk)), names(1, 5), 'also after a power cut');
  });
}

t.test('a disk that fails again and again rejects what waits, and takes what comes once it is mended', async (t) => {
  for (const code of ['ENOSPC', 'EIO', 'EMFILE']) {
    const disk = new SimulatedDisk({ seed: 1 });
    const { writer, troubles } = await openLog(disk, { attemptsMax: 4 });
    await append(writer, '1');
    disk.fail({ call: code === 'EMFILE' ? 'create' : 'append', code, times: Infinity });
    if (code === 'EMFILE') disk.fail({ call: 'sync', code: 'EIO' });
    const failing = append(writer, '2', '3');
    await Promise.resolve();
    await Promise.resolve();
    const behind = writer.append(1, bytesOfText('4'));
    behind.catch(() => {});
    await t.rejects(failing, { code: 'LogFailed', retryable: true, cause: { code }, details: { attempts: 4 } });
    await t.rejects(behind, { code: 'LogFailed' }, 'what was appended behind it, too');
    t.equal(troubles.length, 4);
    t.equal(writer.statistics.waiting, 0);
    disk.heal();
    t.strictSame((await append(writer, 'two', 'three')).map(({ sequence }) => sequence), [2, 3], 'the numbers have no gap');
    disk.crash();
    t.strictSame(textsOf(await readAll(disk)), ['1', 'two', 'three']);
  }
});

t.test('a disk that is full gives back what a write that failed took of it', async (t) => {
  const disk = new SimulatedDisk({ seed: 1 });
  const { writer } = await openLog(disk, { attemptsMax: 2 });
  const [first] = await append(writer, '1');
  disk.roomBytes = 500;
  await t.rejects(append(writer, 'x'.repeat(1_000)), { code: 'LogFailed' });
  t.equal(await disk.size(first!.file), 64 + 25);
  t.equal((await disk.list(directory)).length, 1);
});

t.test('a directory that vanishes under the log is no place where something is durable', async (t) => {
  const disk = new SimulatedDisk({ seed: 1 });
  const { writer } = await openLog(disk, { attemptsMax: 3 });
  await append(writer, '1');
  disk.vanish(directory);
  await t.rejects(append(writer, '2'), { code: 'LogFailed', cause: { code: 'ENOENT' } });
  t.strictSame(await disk.list(directory), [], 'it is not made again, as if nothing had been in it');
  await disk.makeDirectory(directory);
  await append(writer, 'two');
  t.match(await readAll(disk), { code: 'WalCorrupted', message: /begins at 2/ });
});

t.test('closed, it takes nothing more, and what was appended before is there', async (t) => {
  const disk = new SimulatedDisk({ seed: 1 });
  const { writer } = await openLog(disk);
  const before = append(writer, '1', '2');
  const closing = writer.close();
  const error = await writer.append(1, bytesOfText('3')).catch((thrown: unknown) => thrown);
  t.ok(error instanceof MillraceError && error.code === 'LogClosed');
  await Promise.all([before, closing, writer.close()]);
  t.strictSame(textsOf(await readAll(disk)), ['1', '2']);
});

t.test('what can\'t be written is refused where it is given', async (t) => {
  const { writer } = await openLog(new SimulatedDisk({ seed: 1 }));
  for (const type of [0, 256, 1.5]) await t.rejects(writer.append(type, []), { code: 'InvalidArgument' });
  const huge = { length: 2 ** 28 + 1 } as Uint8Array;
  await t.rejects(writer.append(1, [huge]), { code: 'InvalidArgument', details: { bytes: 2 ** 28 + 1 } });
  t.strictSame((await append(writer, '1')).map(({ sequence }) => sequence), [1]);
});

/** A log that was cut off, or in which bits have changed: what was acknowledged comes back, or it is said that it does not. */
import t from 'tap';
import { SimulatedDisk } from '../../../../lib/storage/simulated-disk.ts';
import { bytesOfText, diskOf, filesOf, openLog, readAll, textsOf } from '../../../helpers/log.ts';
import type { Files, Read } from '../../../helpers/log.ts';

const texts = ['one', 'two', 'three', '', 'five is longer', '6', 'seven', '\0\0\0\0', 'nine', 'ten'];

/** Three segments, groups of one and more, a segment that failed and whose end was written again. */
async function smallLog(): Promise<{ readonly files: Files; readonly frames: readonly { readonly file: string; readonly end: number }[] }> {
  const disk = new SimulatedDisk({ seed: 3 });
  const { writer, troubles } = await openLog(disk, { segmentBytesMax: 170 });
  const append = (from: number, to: number) => Promise.all(texts.slice(from, to).map((text) => writer.append(1, bytesOfText(text))));
  const positions = [...(await append(0, 1)), ...(await append(1, 3)), ...(await append(3, 4))];
  disk.fail({ call: 'sync', code: 'EIO' });
  positions.push(...(await append(4, 6)), ...(await append(6, 8)), ...(await append(8, 9)), ...(await append(9, 10)));
  await writer.close();
  t.equal(troubles.length, 1);
  return { files: await filesOf(disk), frames: positions.map(({ file, offset, bytes }) => ({ file: file.split('/').at(-1)!, end: offset + bytes + 4 })) };
}

const changed = (files: Files, name: string, change: (bytes: Uint8Array) => Uint8Array): Files => new Map([...files].map(([other, bytes]) => [other, other === name ? change(Uint8Array.from(bytes)) : bytes]));

function isPrefix(read: Read): boolean {
  return read.frames.every(({ sequence, text }, index) => sequence === index + 1 && text === texts[index]);
}

t.test('cut off at any byte, it gives the frames before the cut, or says that some are missing behind it', async (t) => {
  const { files, frames } = await smallLog();
  const last = [...files.keys()].at(-1)!;
  t.equal(files.size, 5, [...files.keys()].join());
  let cuts = 0;
  const wrong: unknown[] = [];
  for (const [name, { length }] of files) {
    for (let at = 0; at < length; at += 1) {
      cuts += 1;
      const disk = await diskOf(changed(files, name, (bytes) => bytes.subarray(0, at)));
      const read = await readAll(disk);
      const whole = frames.filter(({ file, end }) => file !== name || end <= at).length;
      const kept = frames.findIndex(({ file, end }) => file === name && end > at);
      const expected = kept < 0 ? texts.length : kept;
      const good = isPrefix(read) && (read.code === null ? read.frames.length === texts.length || (name === last && read.frames.length === expected && read.content.nextSequence === expected + 1) : read.code === 'WalCorrupted' && name !== last);
      if (!good) wrong.push({ name, at, whole, read });
      // Read again, it is the same, and nothing is torn any more.
      const again = await readAll(disk);
      if (again.code !== read.code || textsOf(again).join('|') !== textsOf(read).join('|')) wrong.push({ name, at, again });
    }
  }
  t.ok(cuts > 600, `${cuts} cuts`);
  t.strictSame(wrong.slice(0, 3), []);
});

t.test('with any bit changed, it gives all that was acknowledged, or says where the damage is', async (t) => {
  const { files } = await smallLog();
  const wrong: unknown[] = [];
  const counts = { harmless: 0, found: 0 };
  for (const [name, { length }] of files) {
    for (let at = 0; at < length * 8; at += 1) {
      const disk = await diskOf(changed(files, name, (bytes) => {
        bytes[at >>> 3]! ^= 1 << (at & 7);
        return bytes;
      }));
      const read = await readAll(disk);
      counts[read.code === null ? 'harmless' : 'found'] += 1;
      const good = isPrefix(read) && (read.code === null ? read.frames.length === texts.length : read.code === 'WalCorrupted' && read.message.includes(name));
      if (!good) wrong.push({ name, at, read });
    }
  }
  t.strictSame(wrong.slice(0, 3), []);
  t.ok(counts.found > 2_000, JSON.stringify(counts));
  // In one of the two headers, and in what was written again elsewhere.
  t.ok(counts.harmless >= files.size * 64 * 8, JSON.stringify(counts));
});

t.test('what is set aside is reported, all else is read, and the log is whole again', async (t) => {
  const { files } = await smallLog();
  const wrong: unknown[] = [];
  for (const [name, { length }] of files) {
    for (let at = 0; at < length; at += 1) {
      const disk = await diskOf(changed(files, name, (bytes) => {
        bytes[at]! ^= 0x55;
        return bytes;
      }));
      const read = await readAll(disk, { quarantine: true });
      const lost = read.content?.quarantined.flatMap(({ from, to }) => Array.from({ length: (to ?? 11) - (from ?? 11) }, (_, index) => from! + index)) ?? [];
      const came = read.frames.map(({ sequence }) => sequence);
      const all = [...came, ...lost].sort((one, other) => one - other);
      const good = read.frames.every(({ sequence, text }) => text === texts[sequence - 1]) && all.join() === '1,2,3,4,5,6,7,8,9,10' && came.length >= 9 - (at < 64 ? 9 : 0);
      if (!good) wrong.push({ name, at, read, lost });
      const again = await readAll(disk);
      if (again.code !== null || again.frames.map(({ sequence }) => sequence).join() !== came.join()) wrong.push({ name, at, came, again });
    }
  }
  t.strictSame(wrong.slice(0, 3), []);
});

t.test('a segment that is missing is named; set aside, the gap is a known one', async (t) => {
  const { files, frames } = await smallLog();
  let corrupted = 0;
  for (const name of files.keys()) {
    const rest = new Map([...files].filter(([other]) => other !== name));
    const disk = await diskOf(rest);
    const read = await readAll(disk);
    const isLast = name === [...files.keys()].at(-1);
    t.ok(isPrefix(read));
    // Of what was written again, what failed may hold all, too.
    if (frames.some(({ file }) => file === name) && !isLast && textsOf(read).length < texts.length) {
      t.equal(read.code, 'WalCorrupted', name);
      corrupted += 1;
      const mended = await readAll(disk, { quarantine: true });
      t.equal(mended.code, null);
      t.equal(textsOf(await readAll(disk)).join('|'), textsOf(mended).join('|'), 'it stays known');
    }
  }
  t.ok(corrupted >= 2);
  const read = await readAll(await diskOf(new Map()), { fromSequence: 5 });
  t.match(read, { code: 'WalCorrupted', message: /reach to number 4/ }, 'nor may all be missing');
  const short = await readAll(await diskOf(files), { fromSequence: 20 });
  t.match(short, { code: 'WalCorrupted', message: /reach to number 19 at least; it ends with 10/ });
  t.match(await readAll(await diskOf(files), { fromSequence: 20, quarantine: true }), { content: { nextSequence: 20 } });
});

t.test('a segment under another\'s name, and a frame at another place, are not taken for theirs', async (t) => {
  const { files } = await smallLog();
  const [one, two] = [...files.keys()];
  const swapped = await readAll(await diskOf(new Map([...files].map(([name, bytes]) => [name, name === two ? files.get(one!)! : bytes]))));
  t.match(swapped, { code: 'WalCorrupted', message: new RegExp(two!) });
  // Two frames of the same length and group, exchanged.
  const disk = new SimulatedDisk({ seed: 1 });
  const { writer } = await openLog(disk);
  await Promise.all(['aa', 'bb', 'cc'].map((text) => writer.append(1, bytesOfText(text))));
  const written = await filesOf(disk);
  const moved = changed(written, [...written.keys()][0]!, (bytes) => {
    const second = bytes.slice(64 + 26, 64 + 52);
    bytes.copyWithin(64 + 26, 64 + 52, 64 + 78);
    bytes.set(second, 64 + 52);
    return bytes;
  });
  const read = await readAll(await diskOf(moved));
  t.match(read, { code: 'WalCorrupted' });
  t.strictSame(textsOf(read), ['aa']);
});

t.test('a form of a later version is left to the release that knows it', async (t) => {
  const { files } = await smallLog();
  const { crc32c } = await import('../../../../lib/storage/crc32c.ts');
  const last = [...files.keys()].at(-1)!;
  const later = changed(files, last, (bytes) => {
    const view = Buffer.from(bytes.buffer);
    for (const at of [0, 32]) {
      view.writeUInt16LE(2, at + 8);
      view.writeUInt32LE(crc32c([view.subarray(at, at + 28)]), at + 28);
    }
    return bytes;
  });
  const disk = await diskOf(later);
  t.match(await readAll(disk, { quarantine: true }), { code: 'FormatUnknown', message: /version 1; it is of version 2/ });
  t.strictSame(await disk.list('app/log'), [...files.keys()].sort(), 'and stays as it is');
});

t.test('sectors that were never written are a torn end, whatever of the same write is behind them; in front of what was synced later they are damage', async (t) => {
  const written = async (later: boolean): Promise<Files> => {
    const disk = new SimulatedDisk({ seed: 1 });
    const { writer } = await openLog(disk);
    await writer.append(1, bytesOfText('one'));
    await Promise.all(['x'.repeat(2_000), 'three', 'y'.repeat(600)].map((text) => writer.append(1, bytesOfText(text))));
    if (later) await writer.append(1, bytesOfText('five'));
    return await filesOf(disk);
  };
  // Of the first of them: its header and what is behind it in that sector; a sector in its midst; the one that holds its end and the next frame.
  for (const [start, end] of [[64 + 27, 512], [1_024, 1_536], [2_048, 2_560]] as const) {
    const zeroed = async (later: boolean): Promise<Files> => {
      const files = await written(later);
      return changed(files, [...files.keys()][0]!, (bytes) => bytes.fill(0, start, end));
    };
    const torn = await diskOf(await zeroed(false));
    const read = await readAll(torn);
    t.match(read, { code: null, content: { nextSequence: 2, tornBytes: 2_024 + 29 + 624 } }, `zeros from ${start}`);
    t.strictSame(textsOf(read), ['one']);
    t.match(await readAll(torn), { code: null, content: { nextSequence: 2, tornBytes: 0 } }, 'counted once');
    t.match(await readAll(await diskOf(await zeroed(true)), { quarantine: false }), { code: 'WalCorrupted', frames: [{ text: 'one' }] });
    const mended = await readAll(await diskOf(await zeroed(true)), { quarantine: true });
    t.equal(textsOf(mended).at(-1), 'five');
  }
});

t.test('what is read can be bounded: nothing is taken for a length that the file does not hold', async (t) => {
  const { files } = await smallLog();
  const last = [...files.keys()].at(-1)!;
  // All lengths that a changed byte can say.
  for (let byte = 4; byte < 8; byte += 1) {
    const disk = await diskOf(changed(files, last, (bytes) => {
      bytes[64 + byte] = 0xff;
      return bytes;
    }));
    const { bytesRead } = disk.statistics;
    t.match(await readAll(disk), { code: 'WalCorrupted' });
    t.ok(disk.statistics.bytesRead - bytesRead < 20_000);
  }
});

/** Checkpoints as files: what is damaged is noticed, which of them count, how many stay. */
import t from 'tap';
import { asBatchTime } from '../../../protocol/time.ts';
import { MillraceError } from '../../../protocol/errors.ts';
import { ManualClock } from '../../../lib/base/clock.ts';
import type { RecoveryBook } from '../../../lib/recovery/book.ts';
import { checkpointsKept, decodeCheckpoint, encodeCheckpoint, listCheckpoints, writeCheckpoint } from '../../../lib/recovery/checkpoint-file.ts';
import { logNeedsOf } from '../../../lib/recovery/log-needs.ts';
import { recover } from '../../../lib/recovery/recover.ts';
import { SimulatedDisk } from '../../../lib/storage/simulated-disk.ts';
import { contentOf, fold, identityOf } from '../../helpers/recovery-events.ts';
import type { PlacedEvent } from '../../helpers/recovery-events.ts';
import { directory, Life } from '../../helpers/recovery-life.ts';

const events: PlacedEvent[] = [
  { event: { type: 'programStarted', identity: identityOf([['in', 'socket']]) }, place: null },
  { event: { type: 'batchGenerated', time: asBatchTime(1_000), inputs: [], broadcasts: [3] }, place: null },
];
const whole = Buffer.concat(encodeCheckpoint(fold(events)));

/** The code of what it is refused with, or whether it is the same book. */
function readOf(bytes: Uint8Array): string {
  try {
    return JSON.stringify(contentOf(decodeCheckpoint('a file', bytes))) === JSON.stringify(contentOf(fold(events))) ? 'same' : 'another book';
  } catch (thrown) {
    return thrown instanceof MillraceError ? thrown.code : String(thrown);
  }
}

t.test('any bit that has changed is noticed, or changes nothing', (t) => {
  const seen = new Map<string, number>();
  for (let offset = 0; offset < whole.length; offset += 1) {
    for (let bit = 0; bit < 8; bit += 1) {
      const damaged = Buffer.from(whole);
      damaged[offset] = damaged[offset]! ^ (1 << bit);
      const read = readOf(damaged);
      // The version says of itself that it is another one; two bytes of the header are not used.
      const expected = offset >= 8 && offset < 10 ? 'FormatUnknown' : offset >= 10 && offset < 12 ? 'same' : 'CheckpointCorrupted';
      if (read !== expected) t.fail(`bit ${bit} of byte ${offset}: ${read}, and not ${expected}`);
      seen.set(read, (seen.get(read) ?? 0) + 1);
    }
  }
  t.same([seen.get('same'), seen.get('FormatUnknown')], [16, 16]);
  t.end();
});

t.test('a checkpoint that was cut off anywhere, or that goes on, is damaged', (t) => {
  t.equal(readOf(whole), 'same');
  for (let bytes = 0; bytes < whole.length; bytes += 1) if (readOf(whole.subarray(0, bytes)) !== 'CheckpointCorrupted') t.fail(`cut off at ${bytes}`);
  t.equal(readOf(Buffer.concat([whole, Buffer.alloc(1)])), 'CheckpointCorrupted');
  t.end();
});

async function diskWith(times: readonly number[]): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk({ seed: 1 });
  await disk.makeDirectory(directory);
  for (const time of times) await writeCheckpoint(disk, directory, time, [whole]);
  return disk;
}

t.test('ten are kept; one of the same batch time is the backup of the next; the newest come first', async (t) => {
  const disk = await diskWith(Array.from({ length: 13 }, (_, index) => (index + 1) * 1_000));
  t.same(await listCheckpoints(disk, directory), Array.from({ length: checkpointsKept }, (_, index) => `checkpoint-${(13 - index) * 1_000}`));
  await writeCheckpoint(disk, directory, 13_000, [whole]);
  t.same((await listCheckpoints(disk, directory)).slice(0, 3), ['checkpoint-13000', 'checkpoint-13000.bk', 'checkpoint-12000']);
  t.equal((await writeCheckpoint(disk, directory, 13_000, [whole])).length, checkpointsKept, 'a third one takes the place of the first');
  t.same(await disk.list(directory), [...await listCheckpoints(disk, directory)].sort(), 'nothing else is left there');
});

t.test('times are compared as numbers, and names of other things do not count', async (t) => {
  const disk = await diskWith([9_000, 10_000, -1_000]);
  for (const name of ['checkpoint-11000.writing', 'checkpoint-', 'checkpoint-x', 'a-checkpoint-12000', 'checkpoint-1.bk.bk']) await (await disk.create(`${directory}/${name}`)).close();
  t.same(await listCheckpoints(disk, directory), ['checkpoint-10000', 'checkpoint-9000', 'checkpoint--1000']);
});

t.test('a checkpoint whose writing was cut off is no obstacle to the next one', async (t) => {
  const disk = await diskWith([]);
  await (await disk.create(`${directory}/checkpoint-1000.writing`)).close();
  await writeCheckpoint(disk, directory, 1_000, [whole]);
  t.same(await disk.list(directory), ['checkpoint-1000']);
});

/** A life of 14 batches with a checkpoint after each: files are small, so that the log's begin is gone. */
async function longLife(disk: SimulatedDisk): Promise<RecoveryBook> {
  const life = await Life.begin(disk, { segmentBytesMax: 4_096 });
  for (let batch = 1; batch <= 14; batch += 1) await life.batch(batch);
  const { book } = life;
  await life.files.close();
  return book;
}

t.test('each damaged checkpoint is passed over, with a warning, for an older one: the log gives the same book', async (t) => {
  const disk = new SimulatedDisk({ seed: 2 });
  const expected = contentOf(await longLife(disk));
  const names = await listCheckpoints(disk, directory);
  t.equal(names.length, checkpointsKept);
  t.not([...await disk.list(`${directory}/log`)].sort()[0], `${'1'.padStart(20, '0')}.log`, 'the log does not reach back to its beginning');
  for (const [index, name] of names.entries()) {
    const recovered = await recover({ disk, directory });
    t.same(contentOf(recovered!.book), expected, `from ${name} on`);
    t.equal(recovered!.warnings.length, index);
    for (const warning of recovered!.warnings) t.match(warning, /could not be read .*CheckpointCorrupted|could not be read .*checksum/);
    disk.flipBit(`${directory}/${name}`, 40, 3);
  }
  await t.rejects(recover({ disk, directory }), { code: 'CheckpointCorrupted', message: new RegExp(names[0]!) }, 'none is left: the newest is named');
});

t.test('the log reaches back to the oldest checkpoint also where many are of one batch time, and an earlier process has left some', async (t) => {
  const disk = new SimulatedDisk({ seed: 3 });
  const first = await Life.begin(disk, { segmentBytesMax: 4_096 });
  for (let batch = 1; batch <= 4; batch += 1) await first.batch(batch);
  await first.files.close();
  const second = await Life.begin(disk, { segmentBytesMax: 4_096 });
  await second.batch(5);
  // As when slow batches end one after the other while no new one begins.
  for (let more = 0; more < 20; more += 1) await second.more();
  const expected = contentOf(second.book);
  await second.files.close();
  for (const name of await listCheckpoints(disk, directory)) {
    t.same(contentOf((await recover({ disk, directory }))!.book), expected, `from ${name} on`);
    disk.flipBit(`${directory}/${name}`, 40, 3);
  }
});

t.test('segments that no checkpoint needs are removed, of the state\'s log too, and recovering misses none of them', async (t) => {
  const disk = new SimulatedDisk({ seed: 4 });
  const expected = contentOf(await longLife(disk));
  const states = [...await disk.list(`${directory}/state`)].sort();
  t.not(states[0], `${'1'.padStart(20, '0')}.log`, 'the begin of the state\'s log is gone');
  const recovered = await recover({ disk, directory });
  t.same(contentOf(recovered!.book), expected);
  t.equal(recovered!.nextStateSequence, 15);
  const { state } = logNeedsOf(recovered!.book);
  await disk.remove(`${directory}/state/${String(state).padStart(20, '0')}.log`);
  await t.rejects(recover({ disk, directory }), { code: 'WalCorrupted' }, 'one that is needed is missed');
});

t.test('a directory without a log is no program\'s', async (t) => {
  const disk = new SimulatedDisk({ seed: 5, clock: new ManualClock() });
  await disk.makeDirectory(directory);
  t.equal(await recover({ disk, directory }), null);
});

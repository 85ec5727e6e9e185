/** From a directory to the book: what has been removed because nobody needs it is not missed, and what is needed is. */
import t from 'tap';
import { applyEvent, emptyBook } from '../../../lib/recovery/book.ts';
import type { RecoveryBook } from '../../../lib/recovery/book.ts';
import { encodeCheckpoint, writeCheckpoint } from '../../../lib/recovery/checkpoint-file.ts';
import { encodeBlock, encodeEvent, frameTypes } from '../../../lib/recovery/event-codec.ts';
import { recover } from '../../../lib/recovery/recover.ts';
import { ManualClock } from '../../../lib/base/clock.ts';
import { frameHeaderBytes } from '../../../lib/storage/log/frame.ts';
import { LogWriter } from '../../../lib/storage/log/log-writer.ts';
import type { LogPosition } from '../../../lib/storage/log/open-segment.ts';
import { SimulatedDisk } from '../../../lib/storage/simulated-disk.ts';
import type { StateLink } from '../../../protocol/rdd.ts';
import type { RecoveryEvent } from '../../../protocol/recovery.ts';
import { asBlockId } from '../../../protocol/ids.ts';
import { asBatchTime } from '../../../protocol/time.ts';

const directory = '/program';
const started: RecoveryEvent = { type: 'programStarted', identity: { url: null, args: null, appName: 'x', batchIntervalMs: 1_000, zeroTime: 0, startTime: 0, fingerprint: { hash: '', operators: [] } } as never };

function completed(time: number, place: LogPosition | null, oldest = time): RecoveryEvent {
  const links = [{ time: asBatchTime(time), snapshot: true, pairs: place === null ? null : { id: 'x', codec: 'records', records: 1, place: { file: place.file.slice(directory.length + 1), offset: place.offset, bytes: place.bytes } }, extra: null } as unknown as StateLink];
  const version = place === null ? null : { time: asBatchTime(time), base: null, stateVersion: 1, links };
  return { type: 'batchCompleted', time: asBatchTime(time), accumulators: null, states: [{ uid: 'counts', oldest: asBatchTime(oldest), time: asBatchTime(time), version }] };
}

async function stateLog(disk: SimulatedDisk, nextSequence = 1): Promise<LogWriter> {
  return LogWriter.open({ disk, directory: `${directory}/state`, nextSequence, clock: new ManualClock(), closeFileAfterWrite: true });
}

function bookOf(...events: readonly RecoveryEvent[]): RecoveryBook {
  const book = emptyBook();
  for (const [index, event] of events.entries()) applyEvent(book, index + 1, event, null);
  // The events themselves are in no log here.
  book.sequence = 0;
  return book;
}

t.test('the state\'s log is read from where the book needs it', async (t) => {
  const disk = new SimulatedDisk({ seed: 1 });
  const log = await stateLog(disk);
  const places: LogPosition[] = [];
  for (const text of ['one', 'two', 'three']) places.push(await log.append(3, [Buffer.from(text)]));
  await log.removeBefore(3);
  await log.close();
  const [, second, third] = places;
  await writeCheckpoint(disk, directory, 1_000, encodeCheckpoint(bookOf(started, completed(1_000, third!))));
  t.match(await recover({ disk, directory }), { nextStateSequence: 4 });
  await writeCheckpoint(disk, directory, 2_000, encodeCheckpoint(bookOf(started, completed(1_000, second!))));
  await t.rejects(recover({ disk, directory }), { code: 'WalCorrupted' }, 'one that is needed is missed');
});

t.test('a segment that was written again under its number stays as long as that number is needed', async (t) => {
  const disk = new SimulatedDisk({ seed: 1 });
  const log = await LogWriter.open({ disk, directory: `${directory}/state`, nextSequence: 1, clock: new ManualClock() });
  const [place] = await Promise.all([log.append(3, [Buffer.from('one')]), log.append(3, [Buffer.from('two')])]);
  // Killed: what its last write left is written again by whoever reads it.
  disk.kill();
  await writeCheckpoint(disk, directory, 1_000, encodeCheckpoint(bookOf(started, completed(1_000, place!))));
  const recovered = await recover({ disk, directory });
  t.equal(recovered?.nextStateSequence, 3);
  const next = await stateLog(disk, 3);
  await next.append(3, [Buffer.from('three')]);
  await next.removeBefore(1);
  t.equal(Buffer.from(disk.files.readRange(place!.file, place!.offset, place!.offset + place!.bytes)).toString(), 'one');
  await next.removeBefore(3);
  t.strictSame(disk.filesBelow(`${directory}/state`).map((path) => path.slice(-6)), ['03.log'], 'and goes with it');
});

/** Two steps of a state, each of a batch; both were written again by the reader of a process that was killed, and are named where they were first. */
async function writtenAgain(): Promise<{ readonly disk: SimulatedDisk; readonly places: readonly LogPosition[] }> {
  const disk = new SimulatedDisk({ seed: 1 });
  const log = await LogWriter.open({ disk, directory: `${directory}/state`, nextSequence: 1, clock: new ManualClock() });
  const places = await Promise.all([log.append(3, [Buffer.from('one')]), log.append(3, [Buffer.from('two')])]);
  disk.kill();
  await writeCheckpoint(disk, directory, 2_000, encodeCheckpoint(bookOf(started, completed(1_000, places[0]!), completed(2_000, places[1]!, 1_000))));
  await recover({ disk, directory });
  return { disk, places };
}

t.test('a step of a state that is damaged where the book names it is told of, though the log has it again somewhere else', async (t) => {
  const { disk, places } = await writtenAgain();
  t.equal(disk.filesBelow(`${directory}/state`).length, 2);
  t.match(await recover({ disk, directory }), { warnings: [] });
  disk.flipBit(places[1]!.file, places[1]!.offset + 1, 0);
  await t.rejects(recover({ disk, directory }), { code: 'WalCorrupted', details: { file: places[1]!.file, offset: places[1]!.offset } });
  const recovered = await recover({ disk, directory, quarantine: true });
  t.match(recovered?.book.states.get('counts'), { upTo: 2_000, versions: [{ time: 1_000 }] }, 'the version before stands in');
  t.equal(recovered?.book.states.get('counts')?.versions.length, 1);
  t.match(recovered?.warnings, [/offset \d+ of \/program\/state.* is damaged/]);
});

/** Three blocks of the same length, of which a checkpoint knows: of the log only what follows them is read back. */
async function threeBlocks(closeFileAfterWrite: boolean): Promise<{ readonly disk: SimulatedDisk; readonly places: readonly LogPosition[] }> {
  const disk = new SimulatedDisk({ seed: 1 });
  const log = await LogWriter.open({ disk, directory: `${directory}/log`, nextSequence: 1, clock: new ManualClock(), closeFileAfterWrite });
  const book = emptyBook();
  applyEvent(book, 1, started, null);
  const places: LogPosition[] = [];
  for (const name of ['b1', 'b2', 'b3']) {
    const event: Extract<RecoveryEvent, { type: 'blockAdded' }> = { type: 'blockAdded', uid: 'in', block: asBlockId(name), codec: 'text', records: 1, epoch: 0, position: null };
    const { parts, dataOffset } = encodeBlock(event, Buffer.from(`the data of ${name}`));
    const position = await log.append(frameTypes.block, parts);
    places.push(position);
    applyEvent(book, position.sequence + 1, event, { file: position.file.slice(directory.length + 1), offset: position.offset + dataOffset, bytes: position.bytes - dataOffset });
  }
  await log.close();
  const next = await LogWriter.open({ disk, directory: `${directory}/log`, nextSequence: 4, clock: new ManualClock() });
  await next.append(frameTypes.event, encodeEvent({ type: 'batchesForgotten', upTo: asBatchTime(0) }));
  await next.close();
  book.sequence = 3;
  await writeCheckpoint(disk, directory, 1_000, encodeCheckpoint(book));
  t.equal((await recover({ disk, directory }))?.book.blocks.size, 3);
  return { disk, places };
}

for (const closeFileAfterWrite of [true, false]) {
  t.test(`a block that is damaged in a part of the log which is not read back is told of (${closeFileAfterWrite ? 'a file for each' : 'one file'})`, async (t) => {
    const { disk, places: [, second] } = await threeBlocks(closeFileAfterWrite);
    disk.flipBit(second!.file, second!.offset + second!.bytes - 1, 4);
    await t.rejects(recover({ disk, directory }), { code: 'WalCorrupted', details: { file: second!.file } });
    t.strictSame([...(await recover({ disk, directory, quarantine: true }))!.book.blocks.keys()], ['b1', 'b3']);
  });
}

t.test('a file that is missing, and a frame that is missing in one, are told of, though what comes then is whole', async (t) => {
  const separate = await threeBlocks(true);
  await separate.disk.remove(separate.places[0]!.file);
  await t.rejects(recover({ disk: separate.disk, directory }), { code: 'WalCorrupted', details: { file: separate.places[0]!.file } });
  const { disk, places: [first, second] } = await threeBlocks(false);
  const bytes = Buffer.from(disk.files.readRange(first!.file, 0, disk.files.size(first!.file)));
  // The second block's frame lies now where the first one's was.
  disk.replace(first!.file, Buffer.concat([bytes.subarray(0, first!.offset - frameHeaderBytes), bytes.subarray(second!.offset - frameHeaderBytes)]));
  await t.rejects(recover({ disk, directory }), { code: 'WalCorrupted', details: { file: first!.file } });
  t.strictSame([...(await recover({ disk, directory, quarantine: true }))!.book.blocks.keys()], []);
});

t.test('a version that failed settles the state\'s time; one that comes again changes nothing', (t) => {
  const at = { sequence: 1, file: `${directory}/state/00000000000000000001.log`, offset: 0, bytes: 1 };
  const book = bookOf(started, completed(1_000, at), completed(2_000, null));
  t.match(book.states.get('counts'), { upTo: 2_000, versions: [{ time: 1_000 }] });
  applyEvent(book, 10, completed(2_000, at), null);
  t.match(book.states.get('counts')?.versions, [{ time: 1_000 }]);
  t.equal(book.states.get('counts')?.versions.length, 1);
  t.end();
});

/** From a directory to the book: what has been removed because nobody needs it is not missed, and what is needed is. */
import t from 'tap';
import { applyEvent, emptyBook } from '../../../lib/recovery/book.ts';
import type { RecoveryBook } from '../../../lib/recovery/book.ts';
import { encodeCheckpoint, writeCheckpoint } from '../../../lib/recovery/checkpoint-file.ts';
import { recover } from '../../../lib/recovery/recover.ts';
import { ManualClock } from '../../../lib/base/clock.ts';
import { LogWriter } from '../../../lib/storage/log/log-writer.ts';
import type { LogPosition } from '../../../lib/storage/log/open-segment.ts';
import { SimulatedDisk } from '../../../lib/storage/simulated-disk.ts';
import type { StateLink } from '../../../protocol/rdd.ts';
import type { RecoveryEvent } from '../../../protocol/recovery.ts';
import { asBatchTime } from '../../../protocol/time.ts';

const directory = '/program';
const started: RecoveryEvent = { type: 'programStarted', identity: { url: null, args: null, appName: 'x', batchIntervalMs: 1_000, zeroTime: 0, startTime: 0, fingerprint: { hash: '', operators: [] } } as never };

function completed(time: number, place: LogPosition | null): RecoveryEvent {
  const links = [{ time: asBatchTime(time), snapshot: true, pairs: place === null ? null : { id: 'x', codec: 'records', records: 1, place: { file: place.file.slice(directory.length + 1), offset: place.offset, bytes: place.bytes } }, extra: null } as unknown as StateLink];
  const version = place === null ? null : { time: asBatchTime(time), base: null, stateVersion: 1, links };
  return { type: 'batchCompleted', time: asBatchTime(time), accumulators: null, states: [{ uid: 'counts', oldest: asBatchTime(time), time: asBatchTime(time), version }] };
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

t.test('a version that failed settles the state\'s time; one that comes again changes nothing', (t) => {
  const at = { sequence: 1, file: `${directory}/state/00000000000000000001.log`, offset: 0, bytes: 1 };
  const book = bookOf(started, completed(1_000, at), completed(2_000, null));
  t.match(book.states.get('counts'), { upTo: 2_000, versions: [{ time: 1_000 }] });
  applyEvent(book, 10, completed(2_000, at), null);
  t.match(book.states.get('counts')?.versions, [{ time: 1_000 }]);
  t.equal(book.states.get('counts')?.versions.length, 1);
  t.end();
});

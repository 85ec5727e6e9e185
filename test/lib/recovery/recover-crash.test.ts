/**
 * A program's files on a disk that ends under them: at every call of a small history the process is killed, or the power goes; what is recovered
 * is the book of all events that were acknowledged. A run that fails names the call.
 */
import t from 'tap';
import type { RecoveryEvent } from '../../../protocol/recovery.ts';
import { recover } from '../../../lib/recovery/recover.ts';
import type { Recovered } from '../../../lib/recovery/recover.ts';
import { SimulatedDisk } from '../../../lib/storage/simulated-disk.ts';
import { contentOf, fold } from '../../helpers/recovery-events.ts';
import { dataOf, directory, Life } from '../../helpers/recovery-life.ts';

const batches = 4;

/** What is in the book, wherever it lies: a group that was written again lies elsewhere. */
function placeless(content: unknown): unknown {
  return JSON.parse(JSON.stringify(content, (key, value: unknown) => (key === 'place' && value !== null && typeof value === 'object' && 'file' in value ? { bytes: (value as { bytes?: unknown }).bytes } : value)));
}

/** Of each block and each step that the book names: the bytes are where it says. */
async function unreadable(disk: SimulatedDisk, { book }: Recovered): Promise<string[]> {
  const named = [
    ...[...book.blocks].map(([id, { place }]) => ({ id: String(id), place })),
    ...[...book.states.values()].flatMap(({ versions }) => versions.flatMap(({ links }) => links.flatMap((link) => (link?.pairs?.place != null && 'file' in link.pairs.place ? [{ id: String(link.pairs.id), place: link.pairs.place }] : [])))),
  ];
  const bad: string[] = [];
  for (const { id, place: { file, offset, bytes } } of named) {
    const found = await disk.read(`${directory}/${file}`, offset, offset + bytes);
    if (!Buffer.from(found).equals(dataOf(id))) bad.push(id);
  }
  return bad;
}

interface History {
  readonly events: RecoveryEvent[];
  acknowledged: number;
}

/** Lives until the disk ends under it, or to its end. Its promises never settle in the first case. */
async function live(disk: SimulatedDisk, history: History, from: number): Promise<void> {
  // A later life begins with what the one before had given to the log, acknowledged or not.
  const life = await Life.begin(disk.session() as never, {
    segmentBytesMax: 4_096,
    onEvent: (event) => void history.events.push(event),
    onAcknowledged: () => void (history.acknowledged = history.events.length),
  });
  for (let batch = from; batch < from + batches; batch += 1) await life.batch(batch);
  await life.files.close();
}

/** The disk ends at the call of that number, counted from now. False: there are fewer calls. */
async function liveUntil(disk: EndingDisk, call: number, how: 'kill' | 'crash', history: History, from: number): Promise<boolean> {
  return await new Promise((resolve, reject) => {
    disk.endAt(call, how, () => resolve(true));
    live(disk.disk, history, from).then(() => {
      disk.endAt(Infinity, how, () => {});
      resolve(false);
    }, reject);
  });
}

class EndingDisk {
  readonly disk: SimulatedDisk;
  #left = Infinity;
  #end: () => void = () => {};

  constructor(seed: number) {
    this.disk = new SimulatedDisk({
      seed,
      shortWrites: true,
      latencyMs: () => {
        this.#left -= 1;
        // After this call's own turn has begun: it may have done a part of its work.
        if (this.#left === 0) void Promise.resolve().then(() => this.#end());
        return 0;
      },
    });
  }

  endAt(call: number, how: 'kill' | 'crash', ended: () => void): void {
    this.#left = call;
    this.#end = () => {
      this.disk[how]();
      ended();
    };
  }
}

/** Gives what is wrong, or null. */
async function wrongWith(disk: SimulatedDisk, { events, acknowledged }: History): Promise<{ readonly what: string | null; readonly there: number }> {
  const recovered = await recover({ disk: disk.session() as never, directory });
  const there = recovered === null ? 0 : recovered.nextSequence - 1;
  if (there < acknowledged) return { there, what: `${acknowledged} events were acknowledged, and ${there} are there` };
  if (there > events.length) return { there, what: `${there} events are there, and ${events.length} were given` };
  if (recovered === null) return { there, what: null };
  const expected = fold(events.slice(0, there).map((event) => ({ event, place: event.type === 'blockAdded' ? { file: 'anywhere', offset: 0, bytes: dataOf(event.block).length } : null })));
  const [mine, theirs] = [recovered.book, expected].map((book) => JSON.stringify(placeless(contentOf(book))));
  if (mine !== theirs) return { there, what: `another book: ${mine}, and not ${theirs}` };
  const bad = await unreadable(disk, recovered);
  return { there, what: bad.length > 0 ? `${bad.join()} can't be read` : null };
}

for (const how of ['kill', 'crash'] as const) {
  t.test(`${how === 'kill' ? 'a process that is killed' : 'a power cut'} at any call loses no event that was acknowledged, and the next life goes on`, async (t) => {
    let calls = 0;
    const counts = { lost: 0, unfinished: 0 };
    for (let call = 1; ; call += 1) {
      const disk = new EndingDisk(call);
      const history: History = { events: [], acknowledged: 0 };
      const ended = await liveUntil(disk, call, how, history, 1);
      if (!ended) break;
      calls += 1;
      const first = await wrongWith(disk.disk, history);
      if (first.what !== null) return t.fail(`call ${call}: ${first.what}`);
      if (first.there < history.events.length) counts.lost += 1;
      else if (first.there > history.acknowledged) counts.unfinished += 1;
      // What was not there when it was recovered never comes back.
      history.events.length = first.there;
      history.acknowledged = first.there;
      // The second life ends somewhere, too: while it recovers, or later.
      if (await liveUntil(disk, 1 + ((call * 7) % 90), how, history, 11)) {
        const second = await wrongWith(disk.disk, history);
        if (second.what !== null) return t.fail(`call ${call}, second life: ${second.what}`);
        history.events.length = second.there;
        history.acknowledged = second.there;
      }
      await live(disk.disk, history, 21);
      const third = await wrongWith(disk.disk, history);
      if (third.what !== null || third.there !== history.events.length) return t.fail(`call ${call}, third life: ${third.what}`);
    }
    t.ok(calls > 50, 'the history has calls', { calls });
    t.ok(counts.lost > 0, 'some events were given to the log and are not there', counts);
  });
}

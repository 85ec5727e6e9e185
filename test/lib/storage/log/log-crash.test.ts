/**
 * Random lives of a log on a disk with faults: appends, kills, power cuts, failing syncs and writes, full disks; against the list of what was
 * appended and what was acknowledged. A run that fails prints its seed.
 */
import t from 'tap';
import { createPrng } from '../../../../lib/base/prng.ts';
import type { Prng } from '../../../../lib/base/prng.ts';
import { SimulatedDisk } from '../../../../lib/storage/simulated-disk.ts';
import { bytesOfText, openLog, readAll, textsOf } from '../../../helpers/log.ts';

const runs = 150;
const livesOfRun = 6;

/** Gives what is wrong, or null. */
async function run(seed: number, counts: Record<string, number>): Promise<string | null> {
  const prng = createPrng(`log-crash/${seed}`);
  const disk = new SimulatedDisk({ seed, shortWrites: prng.int(2) === 0 });
  /** Texts by sequence number, as the last recovery found them and acknowledgements made them: must be there. */
  let durable: string[] = [];
  /** All that was ever given to the log. */
  const appended = new Set<string>();
  let made = 0;
  for (let life = 0; life < livesOfRun; life += 1) {
    // A process that is ended while it recovers has not seen anything for sure.
    if (prng.int(4) === 0) {
      void readAll(disk.session());
      await turns(prng.int(prng.int(2) === 0 ? 100 : 600));
      counts['endedInRecovery'] = (counts['endedInRecovery'] ?? 0) + 1;
      end(disk, prng);
    }
    const session = disk.session();
    const read = await readAll(session);
    if (read.content === null) return `life ${life}: ${read.code} ${read.message}`;
    const texts = textsOf(read);
    if (durable.some((text, index) => texts[index] !== text)) return `life ${life}: lost: ${JSON.stringify(durable)} / ${JSON.stringify(texts)}`;
    const unknown = texts.find((text) => !appended.has(text));
    if (unknown !== undefined || new Set(texts).size !== texts.length) return `life ${life}: never appended, or twice: ${JSON.stringify(texts)}`;
    if (read.content.nextSequence !== texts.length + 1) return `life ${life}: ${texts.length} frames and ${read.content.nextSequence} is next`;
    // What was read was acted on: from now on it must stay.
    durable = texts;

    const { writer } = await openLog(session, { nextSequence: read.content.nextSequence, segmentBytesMax: 1_000 + prng.int(3_000), attemptsMax: 3, closeFileAfterWrite: prng.int(8) === 0 });
    plan(disk, prng);
    const append = (): void => {
      const text = `${seed}.${(made += 1)}.`.padEnd(prng.int(prng.int(4) === 0 ? 3_000 : 60), 'x');
      appended.add(text);
      void writer.append(1, bytesOfText(text), { urgent: prng.int(2) === 0 }).then(
        ({ sequence }) => {
          counts['acknowledged'] = (counts['acknowledged'] ?? 0) + 1;
          durable[sequence - 1] = text;
        },
        () => (counts['rejected'] = (counts['rejected'] ?? 0) + 1),
      );
    };
    for (let burst = prng.int(12); burst >= 0; burst -= 1) {
      for (let count = prng.int(4); count >= 0; count -= 1) append();
      // Back-off is over only when all promises have settled; else the end may come between any two of them.
      await turns(prng.int(60));
      if (prng.int(3) === 0) await new Promise((resolve) => setImmediate(resolve));
      if (prng.int(6) === 0) disk.heal();
    }
    counts['suspects'] = (counts['suspects'] ?? 0) + writer.statistics.suspects;
    // A hole would mean that one was acknowledged before another that was appended first.
    if (durable.includes(undefined as unknown as string)) return `life ${life}: acknowledged out of order`;
    end(disk, prng);
    disk.heal();
  }
  return null;
}

function plan(disk: SimulatedDisk, prng: Prng): void {
  const times = 1 + prng.int(4);
  switch (prng.int(7)) {
    case 0:
      return disk.fail({ call: 'sync', code: 'EIO', after: prng.int(8), times });
    case 1:
      return disk.fail({ call: 'append', code: 'EIO', after: prng.int(8), times });
    case 2:
      disk.roomBytes = prng.int(6_000);
      return;
    case 3:
      return disk.fail({ call: prng.pick(['create', 'syncDirectory'] as const), code: prng.pick(['EMFILE', 'EIO']), after: prng.int(3), times });
    default:
  }
}

function end(disk: SimulatedDisk, prng: Prng): void {
  if (prng.int(3) > 0) disk.crash();
  else disk.kill();
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await Promise.resolve();
}

t.test('whatever ends it, all that was acknowledged is there, in order, and nothing that was not appended', async (t) => {
  const counts: Record<string, number> = {};
  for (let seed = 1; seed <= runs; seed += 1) {
    const wrong = await run(seed, counts);
    if (wrong !== null) return t.fail(`seed ${seed}: ${wrong}`);
  }
  t.comment(JSON.stringify(counts));
  for (const [name, least] of Object.entries({ acknowledged: 5_000, rejected: 200, suspects: 200, endedInRecovery: 100 })) t.ok(counts[name]! > least, `${name}: ${counts[name]}`);
});

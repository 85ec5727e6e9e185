/**
 * Received blocks on real threads that die under load, without a log and with sources that send nothing twice: what was acknowledged is in the
 * output, once; of a `_2` level, also what the dead thread had stored and not yet reported.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import type pushingReceivers from '../fixtures/pushing-receivers.ts';
import type { HostId } from '../../protocol/ids.ts';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import { created } from '../helpers/running.ts';

type Level = 'MEMORY_ONLY' | 'MEMORY_ONLY_2';

/** Threads that may die within 10 s are 20. */
const rounds = 8;

interface Stream {
  host: HostId | null;
  /** How often it has said that something was acknowledged. */
  acknowledgements: number;
}

interface Pushed {
  readonly ssc: StreamingContext;
  readonly folder: string;
  readonly streams: readonly Stream[];
  readonly output: string[];
  /** What the logger was told. */
  readonly said: string[];
  /** Resolves when each receiver runs on a thread that lives, and has had something acknowledged there. */
  allAcknowledge(): Promise<void>;
  kill(host: HostId): Promise<void>;
}

async function pushed(t: Test, level: Level, ioThreads: number): Promise<Pushed> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-pushed-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const receivers = 2;
  const said: string[] = [];
  const logger = { log: (_level: string, text: string) => void said.push(text) };
  const ssc = await created<typeof pushingReceivers>(t, 'pushing-receivers', { args: { folder, receivers, level }, ioThreads, logger });
  const streams: Stream[] = Array.from({ length: receivers }, () => ({ host: null, acknowledgements: 0 }));
  const waiting = new Set<() => void>();
  const wake = (): void => [...waiting].forEach((look) => look());
  ssc.on('receiverStarted', ({ stream, host }) => {
    Object.assign(streams[stream]!, { host, acknowledgements: 0 });
    wake();
  });
  ssc.on('receiverError', ({ stream, message }) => {
    if (message !== 'acknowledged') return;
    streams[stream]!.acknowledgements += 1;
    wake();
  });
  const output: string[] = [];
  void (async () => {
    for await (const { records } of ssc.exports.records) output.push(...(records as string[]));
  })();
  await ssc.start();
  return {
    ssc,
    folder,
    streams,
    output,
    said,
    allAcknowledge: () =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!streams.every(({ host, acknowledgements }) => host !== null && acknowledgements > 0)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    async kill(host) {
      for (const stream of streams) if (stream.host === host) Object.assign(stream, { host: null, acknowledgements: 0 });
      await ssc.sparkContext.killHost(host);
    },
  };
}

/** Every life's own file. */
function acknowledgedIn(folder: string): string[] {
  return readdirSync(folder).flatMap((life) => readFileSync(join(folder, life, 'acknowledged'), 'utf8').split('\n').filter((line) => line !== ''));
}

for (const [level, ioThreads] of [['MEMORY_ONLY_2', 2], ['MEMORY_ONLY_2', 1], ['MEMORY_ONLY', 2]] as const) {
  t.test(`what was acknowledged is processed once, whichever of ${ioThreads} io threads dies after that, and dies again: ${level}`, async (t) => {
    const run = await pushed(t, level, ioThreads);
    let lives = 0;
    run.ssc.on('receiverStarted', () => void (lives += 1));
    for (let round = 0; round < rounds; round += 1) {
      await run.allAcknowledge();
      const [first, second] = run.streams.map(({ host }) => host as HostId);
      // The one that has the first copy; then the one that had the second and has by now made a new one, or both in the same moment.
      await run.kill(first as HostId);
      if (round % 3 === 2 && second !== first) await run.kill(second as HostId);
      if (round % 3 === 0) {
        await run.allAcknowledge();
        await run.kill(run.streams[1]!.host as HostId);
      }
    }
    await run.allAcknowledge();
    await run.ssc.stop({ graceful: true });
    const acknowledged = acknowledgedIn(run.folder);
    const processed = new Set(run.output);
    t.ok(acknowledged.length > rounds * 2 * 3, `${acknowledged.length} records were acknowledged, in ${readdirSync(run.folder).length} lives`);
    t.ok(lives >= rounds);
    t.same(acknowledged.filter((record) => !processed.has(record)), [], 'nothing that was acknowledged is missing');
    t.equal(run.output.length, processed.size, 'nothing comes twice');
    const served = run.said.filter((text) => /\d+ blocks of a block manager that is gone are reported from here/.test(text));
    if (level === 'MEMORY_ONLY') t.same(served, [], 'nobody else knows them');
    else t.ok(served.length > 0, `blocks that were not yet reported came from their replica, after ${served.length} deaths`);
    // Of one io thread's blocks the driver serves, and has nobody else to tell.
    if (ioThreads === 2) t.same(run.said.filter((text) => /^.io .*no replica/.test(text)), [], 'and each had one, by then on a third thread');
  });
}

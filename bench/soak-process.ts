/**
 * The process under the soak benchmark: runs programs/soak.ts for so many batches and says, now and then, what memory it holds.
 *
 * Invariant: it uses the public API alone. It ends after its batches, when its stdin ends, or when the stream fails. Batches follow one
 * another by a manual clock: the next begins when the last is complete, and no sooner than the interval after its beginning. So a machine that
 * is slower than the interval takes longer, and no backlog is taken for a leak. What comes over the socket meanwhile is held back by TCP.
 *
 *   node soak-process.js '{"master":"local[2]","batchMs":20,"port":9999,"batches":10000,"samples":100,...}'
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Milliseconds, StreamingContext } from 'millrace';
import type { BatchInfo } from 'millrace';
import { describeVersions, usageOf } from './machine.ts';
import type soak from './programs/soak.ts';
import type { SoakApp } from './programs/soak.ts';
import type { SoakSettings } from './soak-settings.ts';
import { blockIntervalFor } from './subject-settings.ts';
import type { SubjectEvent } from './subject-events.ts';
import { epochMs, sleep } from './wall-clock.ts';

const settings = JSON.parse(process.argv[2] ?? '{}') as SoakSettings;
let batches = 0;
let words = 0;
let timedOut = 0;
let windowKeys = 0;
const stateKeys = { updateStateByKey: 0, mapWithState: 0 };

const { millrace, node } = describeVersions();
say({ event: 'main', epochMs: epochMs(), version: `Millrace ${millrace}, Node ${node}` });
try {
  await run();
} catch (error) {
  say({ event: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  process.exitCode = 1;
}
say({ event: 'end', epochMs: epochMs(), batches, rssPeakMib: Math.round(usageOf(process.pid)?.rssPeakMib ?? Number.NaN) });

async function run(): Promise<void> {
  const app: SoakApp = {
    onCounts: (count) => void (words += count),
    onState: (form, keys) => void (stateKeys[form] = keys),
    onTimedOut: (keys) => void (timedOut += keys),
    onWindow(keys, different) {
      windowKeys = keys;
      if (different > 0) throw new Error(`Of the ${keys} keys of a window, ${different} have other counts with the inverse function than without.`);
    },
  };
  const ssc = await StreamingContext.create<typeof soak>(new URL('./programs/soak.js', import.meta.url), {
    appName: 'millrace-soak',
    master: settings.master,
    batchInterval: Milliseconds(settings.batchMs),
    clock: 'manual',
    blockIntervalMs: blockIntervalFor(settings.batchMs),
    blockMemoryBytesMax: settings.poolBytes,
    slabBytes: settings.slabBytes,
    app: { ...app },
    args: {
      host: '127.0.0.1', port: settings.port, rememberMs: settings.rememberMs, windowMs: settings.windowMs, slideMs: settings.slideMs, idleMs: settings.idleMs, idleBatches: Math.round(settings.idleMs / settings.batchMs),
      // State asks for one. Nothing is written there yet.
      checkpointDirectory: join(tmpdir(), `millrace-soak-${process.pid}`),
    },
  });
  const { factor, lines, clean } = ssc.exports;
  let published = 0;
  const reading = (async () => {
    for await (const { records } of clean) published += records.length;
  })();
  const sampleEvery = Math.max(1, Math.floor(settings.batches / settings.samples));
  const sample = async (batch: number, info: Pick<BatchInfo, 'processingDelayMs' | 'schedulingDelayMs'> | null): Promise<void> => {
    const [blocks, storage] = await Promise.all([ssc.sparkContext.blockStats(), ssc.sparkContext.storageStats()]);
    await factor.set(1 + (batch % 3));
    say({
      event: 'memory', batch, epochMs: epochMs(), rssMib: usageOf(process.pid)?.rssMib ?? process.memoryUsage.rss() / 2 ** 20,
      usedBytes: blocks.usedBytes, heldHandles: blocks.heldHandles, scopes: blocks.scopes,
      persistedPartitions: storage.persistedPartitions, diskBytes: storage.diskBytes, rdds: storage.rdds, spilled: storage.spilled, sourceBlocksOnDisk: storage.sourceBlocksOnDisk,
      processingDelayMs: info?.processingDelayMs ?? 0, schedulingDelayMs: info?.schedulingDelayMs ?? 0, lines: lines.value, words,
      updateKeys: stateKeys.updateStateByKey, mapKeys: stateKeys.mapWithState, windowKeys, timedOut,
    });
  };
  let ended = false;
  process.stdin.resume().once('end', () => (ended = true)).once('error', () => (ended = true));
  let last: Pick<BatchInfo, 'processingDelayMs' | 'schedulingDelayMs'> | null = null;
  ssc.on('batchCompleted', (info) => void (last = info));
  await ssc.start();
  say({ event: 'started', epochMs: epochMs() });
  while (!ended && batches < settings.batches) {
    const paced = sleep(settings.batchMs);
    await ssc.clock.advance(1);
    batches += 1;
    // Throws what an output has failed with.
    if (batches % sampleEvery === 0) await ssc.awaitTermination(0).then(() => sample(batches, last));
    await paced;
  }
  await ssc.stop();
  await reading;
  if (timedOut === 0 && batches * settings.batchMs > 10 * settings.idleMs) throw new Error('No key has timed out: the program did not do its work.');
  if (published === 0) throw new Error('Nothing was published: the program did not do its work.');
  process.stdin.destroy();
}

function say(event: SubjectEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

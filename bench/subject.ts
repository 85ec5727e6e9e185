/**
 * Millrace under measurement: a process of its own that runs one of bench/programs/ and says what happens (subject-events.ts).
 *
 * Invariant: it uses the public API alone, as an app that embeds Millrace does. It ends when its stdin ends, after
 * `stopAfterBatches`, or when the stream fails.
 *
 *   node subject.js '{"program":"socket","master":"local[2]","batchMs":1000,"port":9999}'
 */
import { Milliseconds, StreamingContext } from 'millrace';
import { describeVersions, usageOf } from './machine.ts';
import type acknowledged from './programs/acknowledged.ts';
import type { AcknowledgedApp } from './programs/acknowledged.ts';
import type keyedState from './programs/keyed-state.ts';
import type { KeyedStateApp } from './programs/keyed-state.ts';
import type memoryWordCount from './programs/memory-word-count.ts';
import type runningCount from './programs/running-count.ts';
import type { RunningCountApp, StateSums } from './programs/running-count.ts';
import type shuffle from './programs/shuffle.ts';
import type socketWordCount from './programs/socket-word-count.ts';
import type { WordCountApp } from './programs/socket-word-count.ts';
import type windowedWordCount from './programs/windowed-word-count.ts';
import { isStamp, topWords } from './programs/word-count-functions.ts';
import { blockIntervalFor, checkpoints } from './subject-settings.ts';
import type { SubjectSettings } from './subject-settings.ts';
import type { SubjectEvent } from './subject-events.ts';
import { epochMs, epochUs, monotonicMs, sleep } from './wall-clock.ts';

const settings = JSON.parse(process.argv[2] ?? '{}') as SubjectSettings;
let batches = 0;
/** Where it has none, to ask after each batch would be work for the driver that is no batch's. */
const hasLog = checkpoints(settings);

const { millrace, node } = describeVersions();
say({ event: 'main', epochMs: epochMs(), version: `Millrace ${millrace}, Node ${node}` });
try {
  await run();
} catch (error) {
  say({ event: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  process.exitCode = 1;
}
say({ event: 'end', epochMs: epochMs(), batches, rssPeakMib: Math.round(usageOf(process.pid)?.rssPeakMib ?? process.memoryUsage.rss() / 2 ** 20) });

async function run(): Promise<void> {
  const ssc = await createContext();
  const ended = new Promise<void>((resolve) => {
    process.stdin.resume().once('end', resolve).once('error', () => resolve());
    ssc.on('batchCompleted', (batch) => {
      batches += 1;
      say({
        event: 'batch',
        batchTime: batch.batchTime,
        records: batch.records,
        schedulingDelayMs: batch.schedulingDelayMs ?? 0,
        processingDelayMs: batch.processingDelayMs ?? 0,
        epochMs: epochMs(),
      });
      if (batches === settings.stopAfterBatches) resolve();
      void tellLog(ssc, batch.batchTime);
    });
  });
  await ssc.start();
  say({ event: 'started', epochMs: epochMs() });
  if (settings.askEveryMs !== undefined) void askDriver(ssc, settings.askEveryMs);
  // Rejects with the cause when the stream fails; resolves when it was stopped.
  await Promise.race([ended, ssc.awaitTermination()]);
  await ssc.stop({ graceful: settings.graceful === true });
  process.stdin.destroy();
}

/** All the batch's counts lie here: the top 10 is taken, then the clock is read, as on the peer's side. */
function onCounts(batchTime: number, counts: Parameters<WordCountApp['onCounts']>[1]): void {
  const top = topWords(counts);
  const doneUs = epochUs();
  let words = 0;
  const stamps: [number, number][] = [];
  for (const [word, count] of counts) {
    if (isStamp(word)) stamps.push([Number(word.slice(1)), count]);
    else words += count;
  }
  say({ event: 'output', batchTime, doneUs, words, keys: counts.length, top: top.length, stamps });
}

/** Of a batch of keyed state only a count comes here. */
function onCount(batchTime: number, count: number): void {
  say({ event: 'output', batchTime, doneUs: epochUs(), words: 0, keys: count, top: 0, stamps: [] });
}

/** The sums of each partition, as those of the whole state. */
function onState(batchTime: number, sums: readonly StateSums[]): void {
  const sum = (which: 0 | 1 | 2): number => sums.reduce((total, one) => total + one[which], 0);
  say({ event: 'state', batchTime, keys: sum(0), words: sum(1), weighted: sum(2) });
}

function onLatencies(ms: readonly number[]): void {
  say({ event: 'latency', of: 'acknowledgement', epochMs: epochMs(), ms });
}

/** Where it has a log. It may have stopped by then. */
async function tellLog({ sparkContext }: StreamingContext, batchTime: number): Promise<void> {
  if (!hasLog) return;
  const [stats] = await sparkContext.logStats().catch(() => []);
  if (stats !== undefined) say({ event: 'log', batchTime, epochMs: epochMs(), log: stats.log, state: stats.state, checkpoints: stats.checkpoints });
}

/** How long the driver's thread needs to answer is how long it is held up by something else. */
async function askDriver({ sparkContext }: StreamingContext, everyMs: number): Promise<void> {
  let ms: number[] = [];
  let toldMs = monotonicMs();
  while (!sparkContext.isStopped) {
    const startMs = monotonicMs();
    await sparkContext.hosts().catch(() => []);
    const endMs = monotonicMs();
    ms.push(endMs - startMs);
    if (endMs - toldMs >= 200) {
      say({ event: 'latency', of: 'answer', epochMs: epochMs(), ms });
      ms = [];
      toldMs = endMs;
    }
    await sleep(everyMs);
  }
}

/** As an app does it: a program's URL, its type, its arguments. */
async function createContext() {
  const app: WordCountApp & KeyedStateApp & RunningCountApp & AcknowledgedApp = { onCounts, onCount, onState, onLatencies };
  const options = {
    appName: 'millrace-bench',
    master: settings.master,
    batchInterval: Milliseconds(settings.batchMs),
    blockIntervalMs: settings.blockMs ?? blockIntervalFor(settings.batchMs),
    ...(settings.walSyncIntervalMs === undefined ? {} : { walSyncIntervalMs: settings.walSyncIntervalMs }),
    ...(settings.recognizeClosures === undefined ? {} : { recognizeClosures: settings.recognizeClosures }),
    ...(settings.checkpointIntervalMs === undefined ? {} : { checkpointIntervalMs: settings.checkpointIntervalMs }),
    app: { ...app },
  };
  const { program, checkpointDirectory = '' } = settings;
  const logged = settings.writeAheadLog === true ? { checkpointDirectory } : {};
  const address = { host: '127.0.0.1', port: settings.port ?? 0 };
  switch (program) {
    case 'socket':
      return StreamingContext.create<typeof socketWordCount>(new URL('./programs/socket-word-count.js', import.meta.url), { ...options, ...logged, args: address });
    case 'memory': {
      const args = { lines: settings.lines ?? 0, batches: settings.batches ?? 0, ...(settings.textFile === undefined ? {} : { textFile: settings.textFile }) };
      return StreamingContext.create<typeof memoryWordCount>(new URL('./programs/memory-word-count.js', import.meta.url), { ...options, args });
    }
    case 'windowInverse':
    case 'windowPlain': {
      const form = program === 'windowInverse' ? 'inverse' : 'plain';
      const args = { ...address, form, windowMs: settings.windowMs ?? 0, slideMs: settings.batchMs, checkpointDirectory } as const;
      return StreamingContext.create<typeof windowedWordCount>(new URL('./programs/windowed-word-count.js', import.meta.url), { ...options, args });
    }
    case 'runningCount':
      return StreamingContext.getOrCreate<typeof runningCount>(checkpointDirectory, new URL('./programs/running-count.js', import.meta.url), { ...options, args: { ...address, keys: settings.keys ?? 0 } });
    case 'acknowledged': {
      const args = { storesPerSecond: settings.storesPerSecond ?? 0, recordsPerStore: settings.recordsPerStore ?? 0 };
      return StreamingContext.create<typeof acknowledged>(new URL('./programs/acknowledged.js', import.meta.url), { ...options, ...logged, args });
    }
    case 'groupByKey':
    case 'join': {
      const args = { form: program, batches: settings.batches ?? 0, pairs: settings.pairs ?? 0, keys: settings.keys ?? 1 };
      return StreamingContext.create<typeof shuffle>(new URL('./programs/shuffle.js', import.meta.url), { ...options, args });
    }
    case 'updateStateByKey':
    case 'mapWithState': {
      const args = { form: program, keys: settings.keys ?? 0, updates: settings.updates ?? 0, checkpointDirectory };
      return StreamingContext.create<typeof keyedState>(new URL('./programs/keyed-state.js', import.meta.url), { ...options, args });
    }
  }
}

function say(event: SubjectEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

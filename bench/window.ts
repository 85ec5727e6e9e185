/**
 * window: what a batch costs whose result is the word count of the last 30 s.
 *
 * Invariant: measured only once the window is full. Every result is checked: its words must be those that came within the window.
 */
import { repeat, repeatOn } from './bench.ts';
import type { Bench, BenchOutcome, BenchRequest } from './bench.ts';
import { wordsPerLine } from './load/zipf-lines.ts';
import type { Measured } from './result.ts';
import { runSocket } from './socket-run.ts';
import type { SocketRun } from './socket-run.ts';
import { median, significant } from './statistics.ts';
import { millrace, spark } from './subjects.ts';
import type { Subject } from './subjects.ts';

const linesPerSecond = 5_000;
const batchMs = 1_000;
const defaultWindowSeconds = 30;
/** After the window has become full. */
const fullSeconds = 3;
/** What has piled up while the process was starting is done first. */
const settleSecondsMax = 60;
/** How far a window's words may be from what the rate gives: lines of so many seconds lie in blocks that cross its edges. */
const edgeSeconds = 1;

const forms = [
  { program: 'windowInverse', label: 'with the inverse' },
  { program: 'windowPlain', label: 'plain' },
] as const;

export const window: Bench = {
  name: 'window',
  summary: 'word counts of the last 30 s every second at 50,000 words/s, with the inverse function and without: processing time',
  unit: 'ms',
  better: 'lower',
  definition: 'median processing time of a batch with the inverse function, the window being full',
  peers: ['spark'],
  defaults: { seconds: 20, runs: 3 },
  run,
};

async function run(request: BenchRequest): Promise<BenchOutcome> {
  const figures: Measured[] = [];
  const details: Record<string, unknown>[] = [];
  const versions: Record<string, string> = {};
  for (const form of forms) {
    const ours = await repeat(request.runs, () => measure(millrace, form, request));
    const theirs = await repeatOn(request, 'spark', () => measure(spark, form, request));
    figures.push(...figuresOf(form.label, ours, theirs));
    for (const [name, runs] of [['millrace', ours], ['spark', theirs]] as const) {
      for (const one of runs) details.push({ name, form: form.program, ...one.judgement, keys: median(one.outputs.map(({ keys }) => keys)), coresUsed: one.coresUsed });
    }
    if (theirs[0] !== undefined) versions['spark'] = theirs[0].version;
  }
  return {
    figures,
    settings: { linesPerSecond, wordsPerLine, batchMs, windowSeconds: windowSecondsOf(request), partitions: 2, master: masterOf(millrace, request), peerMaster: masterOf(spark, request) },
    details: { runs: details },
    versions,
  };
}

async function measure(subject: Subject, form: (typeof forms)[number], request: BenchRequest): Promise<SocketRun> {
  const windowSeconds = windowSecondsOf(request);
  const one = await runSocket({
    subject,
    program: form.program,
    windowMs: windowSeconds * 1_000,
    master: masterOf(subject, request),
    batchMs,
    linesPerSecond,
    settleSecondsMax,
    phases: { rampSeconds: 0, warmSeconds: windowSeconds + fullSeconds, windowSeconds: request.seconds, tailSeconds: request.seconds / 3 },
  });
  const { judgement, outputs } = one;
  const words = median(outputs.map((output) => output.words));
  const verdict = judgement.stable ? 'stable' : `not stable: ${judgement.reasons.join('; ')}`;
  request.log(`${subject.name} ${form.label}: processing median ${significant(judgement.processingMedianMs, 3)} ms, ${words} words in the window (${verdict})`);
  const expected = linesPerSecond * wordsPerLine * windowSeconds;
  if (judgement.stable && !(Math.abs(words / expected - 1) <= edgeSeconds / windowSeconds)) {
    throw new Error(`${subject.name}, ${form.label}: a window of ${windowSeconds} s held ${words} words; expected about ${expected}.`);
  }
  return one;
}

function figuresOf(label: string, ours: readonly SocketRun[], theirs: readonly SocketRun[]): Measured[] {
  const figure = (name: string, unit: string, pick: (one: SocketRun) => number): Measured => ({
    name: `${label}: ${name}`,
    unit,
    better: 'lower',
    runs: ours.map(pick),
    peers: { spark: theirs.map(pick) },
  });
  return [
    figure('processing time, median', 'ms', (one) => one.judgement.processingMedianMs),
    figure('processing time, p99', 'ms', (one) => one.judgement.processingP99Ms),
    figure('peak RSS', 'MiB', (one) => one.rssPeakMib ?? Number.NaN),
  ];
}

function windowSecondsOf(request: BenchRequest): number {
  return request.options.window ?? defaultWindowSeconds;
}

function masterOf(subject: Subject, request: BenchRequest): string {
  return (subject.name === 'spark' ? request.options.peerMaster : request.options.master) ?? 'local[2]';
}

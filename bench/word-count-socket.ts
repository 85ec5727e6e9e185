/**
 * word-count-socket: the network word count, and the highest rate of lines that it sustains.
 *
 * Invariant: both sides are measured in the same way, that of sustained-rate.ts.
 */
import type { Bench, BenchOutcome, BenchRequest } from './bench.ts';
import { millrace, spark } from './subjects.ts';
import { detailsOf, figuresAtBest, masterOf, measureSustained, rateFigure, socketBatchMs, stepLinesPerSecond } from './sustained-rate.ts';

export const wordCountSocket: Bench = {
  name: 'word-count-socket',
  summary: 'network word count, 1 s batches: the highest sustained rate (--rate R: one rate, and whether it holds)',
  unit: 'lines/s',
  better: 'higher',
  definition: 'the highest rate, in steps of 25,000 lines/s, that was stable in most of the runs (see bench/README.md); with --rate, the lines counted per second',
  peers: ['spark'],
  defaults: { seconds: 30, runs: 3 },
  run,
};

async function run(request: BenchRequest): Promise<BenchOutcome> {
  const { closures = 'recognized' } = request.options;
  const ours = await measureSustained({ subject: millrace, label: `millrace, closures ${closures}`, settings: { recognizeClosures: closures === 'recognized' } }, request);
  const theirs = request.peers.has('spark') ? await measureSustained({ subject: spark }, request) : null;
  return {
    figures: [rateFigure('', ours, theirs, request), ...figuresAtBest(ours, theirs, request)],
    settings: { closures, batchMs: socketBatchMs, step: stepLinesPerSecond, master: masterOf(millrace, request), peerMaster: masterOf(spark, request) },
    details: { millrace: detailsOf(ours), ...(theirs === null ? {} : { spark: detailsOf(theirs) }) },
    ...(theirs === null ? {} : { versions: { spark: theirs.measured[0]?.run.version ?? 'unknown' } }),
  };
}

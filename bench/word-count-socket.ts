/**
 * word-count-socket: the network word count, and the highest rate of lines that it sustains.
 *
 * Invariant: all sides are measured in the same way, that of sustained-rate.ts, and fed by the same generator.
 */
import type { Bench, BenchOutcome, BenchRequest } from './bench.ts';
import { limit, millrace, spark } from './subjects.ts';
import { closuresOf, detailsOf, figuresAtBest, masterOf, measureSustained, rateFigure, socketBatchMs, stepLinesPerSecond } from './sustained-rate.ts';
import type { SustainedRate } from './sustained-rate.ts';

export const wordCountSocket: Bench = {
  name: 'word-count-socket',
  summary: 'network word count, 1 s batches: the highest sustained rate (--rate R: one rate, and whether it holds)',
  unit: 'lines/s',
  better: 'higher',
  definition: 'the highest rate, in steps of 25,000 lines/s, that was stable in most of the runs (see bench/README.md); with --rate, the lines counted per second',
  peers: ['spark', 'limit'],
  defaults: { seconds: 30, runs: 3 },
  run,
};

async function run(request: BenchRequest): Promise<BenchOutcome> {
  const { closures, ...settings } = closuresOf(request);
  const ours = await measureSustained({ subject: millrace, label: `millrace, closures ${closures}`, settings }, request);
  const peers: { spark?: SustainedRate; limit?: SustainedRate } = {};
  // By what was found, so that the search is short: the bare loop is at least about as fast.
  if (request.peers.has('limit')) peers.limit = await measureSustained({ subject: limit, label: `limit, ${closures === 'called' ? 'closures' : 'bytes'}`, startRate: Math.max(stepLinesPerSecond, ours.value), settings }, request);
  if (request.peers.has('spark')) peers.spark = await measureSustained({ subject: spark }, request);
  return {
    figures: [rateFigure('', ours, peers, request), ...figuresAtBest(ours, peers, request)],
    settings: { closures, batchMs: socketBatchMs, step: stepLinesPerSecond, master: masterOf(millrace, request), peerMaster: masterOf(spark, request) },
    details: { millrace: detailsOf(ours), ...Object.fromEntries(Object.entries(peers).map(([peer, theirs]) => [peer, detailsOf(theirs)])) },
    ...(peers.spark === undefined ? {} : { versions: { spark: peers.spark.measured[0]?.run.version ?? 'unknown' } }),
  };
}

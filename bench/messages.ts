/**
 * messages: what the actor kernel brings from one actor to another, on one thread and across two.
 *
 * Invariant: the peer `limit` sends the same messages, each as one post over a bare MessagePort, with the same windows.
 */
import type { Bench, BenchOutcome, BenchRequest } from './bench.ts';
import { exchangeAcrossThreads, exchangeOnOneThread } from './messages/actor-exchange.ts';
import { windowItems, windowsUnderWay } from './messages/exchange.ts';
import type { Exchange } from './messages/exchange.ts';
import { portsAcrossThreads, portsOnOneThread } from './messages/port-exchange.ts';
import type { Measured } from './result.ts';
import { median, percentile, significant } from './statistics.ts';

export const messages: Bench = {
  name: 'messages',
  summary: 'actor messages, on one thread and across two: how many a second, and the round trip',
  unit: 'messages/s',
  better: 'higher',
  definition: 'messages a second from one actor to another on the same thread',
  peers: ['limit'],
  defaults: { seconds: 2, runs: 5 },
  run,
};

interface Sample {
  readonly perSecond: number;
  readonly tripMedianUs: number;
  readonly tripP99Us: number;
}

async function run(request: BenchRequest): Promise<BenchOutcome> {
  const withLimit = request.peers.has('limit');
  const measureAll = async (name: string, open: () => Exchange | Promise<Exchange>): Promise<Sample[]> => {
    const samples: Sample[] = [];
    for (let count = 0; count < request.runs; count += 1) samples.push(await measure(await open(), request.seconds));
    request.log(`${name}: ${significant(median(samples.map((one) => one.perSecond)), 3)} messages/s, round trip ${significant(median(samples.map((one) => one.tripMedianUs)), 3)} µs`);
    return samples;
  };
  const here = await measureAll('one thread, actors', exchangeOnOneThread);
  const hereLimit = withLimit ? await measureAll('one thread, bare ports', portsOnOneThread) : [];
  const across = await measureAll('two threads, actors', exchangeAcrossThreads);
  const acrossLimit = withLimit ? await measureAll('two threads, bare ports', portsAcrossThreads) : [];
  return {
    figures: [...figuresOf('one thread', here, hereLimit), ...figuresOf('two threads', across, acrossLimit)],
    settings: { windowItems, windowsUnderWay },
  };
}

async function measure(exchange: Exchange, seconds: number): Promise<Sample> {
  try {
    const perSecond = await exchange.stream(seconds * 1_000);
    const trips = await exchange.roundTrips(seconds * 1_000);
    return { perSecond, tripMedianUs: median(trips), tripP99Us: percentile(trips, 0.99) };
  } finally {
    await exchange.close();
  }
}

function figuresOf(label: string, ours: readonly Sample[], limit: readonly Sample[]): Measured[] {
  const figure = (name: string, unit: string, better: 'higher' | 'lower', pick: (one: Sample) => number): Measured => ({
    name: `${label}: ${name}`,
    unit,
    better,
    runs: ours.map(pick),
    peers: { limit: limit.map(pick) },
  });
  return [
    figure('messages per second', 'messages/s', 'higher', (one) => one.perSecond),
    figure('round trip, median', 'µs', 'lower', (one) => one.tripMedianUs),
    figure('round trip, p99', 'µs', 'lower', (one) => one.tripP99Us),
  ];
}

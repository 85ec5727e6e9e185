/**
 * Messages between two actors, on one thread or on two that are joined by a link.
 *
 * Invariant: both cases run the same two behaviours; only where the sink lives differs.
 */
import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';
import type { Behavior, Turn } from '../../lib/actor/behavior.ts';
import { portOf } from '../../lib/actor/link.ts';
import type { ActorRef } from '../../lib/actor/ref.ts';
import { ActorSystem } from '../../lib/actor/system.ts';
import { SystemClock } from '../../lib/base/clock.ts';
import { asActorPath, asHostId } from '../../protocol/ids.ts';
import { monotonicMs } from '../wall-clock.ts';
import { StreamMeter, TripMeter, windowItems, windowsUnderWay } from './exchange.ts';
import type { Exchange, ToSink, ToSource } from './exchange.ts';

export const ownHost = asHostId(0);
export const otherHost = asHostId(1);
/** Fixed addresses, so that either side knows the other without a word. */
const sourceRef: ActorRef<ToSource | Start> = { host: ownHost, cell: 1, path: asActorPath('/bench/source') };
const sinkCell = 2;
const sinkPath = asActorPath('/bench/sink');
/** A round trip on one thread is too short to be timed alone. */
const tripsPerSample = { here: 100, there: 1 } as const;

type Start =
  | { readonly type: 'stream'; readonly durationMs: number; readonly done: (perSecond: number) => void }
  | { readonly type: 'trips'; readonly durationMs: number; readonly done: (samples: number[]) => void };

export function exchangeOnOneThread(): Exchange {
  const system = systemOf(ownHost);
  system.spawn(sinkPath, sink, undefined, { cell: sinkCell });
  return exchangeFrom(system, { host: ownHost, cell: sinkCell, path: sinkPath }, tripsPerSample.here, async () => {});
}

export async function exchangeAcrossThreads(): Promise<Exchange> {
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(fileURLToPath(new URL('./other-thread.js', import.meta.url)), { workerData: { kind: 'actors', port: port2 }, transferList: [port2] });
  await once(worker, 'message');
  const system = systemOf(ownHost);
  system.connect(portOf(port1), { hosts: [otherHost] });
  return exchangeFrom(system, { host: otherHost, cell: sinkCell, path: sinkPath }, tripsPerSample.there, async () => {
    await worker.terminate();
    port1.close();
  });
}

/** The other thread's half. */
export function serveSink(port: MessagePortOf): void {
  const system = systemOf(otherHost);
  system.connect(portOf(port), { hosts: [ownHost] });
  system.spawn(sinkPath, sink, undefined, { cell: sinkCell });
}

type MessagePortOf = Parameters<typeof portOf>[0];

function exchangeFrom(system: ActorSystem, sinkRef: ActorRef<ToSink>, trips: number, close: () => Promise<void>): Exchange {
  system.spawn(sourceRef.path, sourceOf(sinkRef, trips), undefined, { cell: sourceRef.cell });
  return {
    stream: (durationMs) => new Promise((done) => system.tell(sourceRef, { type: 'stream', durationMs, done })),
    roundTrips: (durationMs) => new Promise((done) => system.tell(sourceRef, { type: 'trips', durationMs, done })),
    close,
  };
}

function systemOf(host: typeof ownHost): ActorSystem {
  return new ActorSystem({ host, clock: new SystemClock(), registry: new Map() });
}

/** Tells of each full window; answers each ping. */
const sink: Behavior<number, ToSink> = {
  name: 'bench-sink',
  init: () => 0,
  receive(items, message, turn) {
    if (message.type === 'ping') {
      turn.tell(sourceRef, { type: 'pong', value: message.value });
      return items;
    }
    if (items + 1 < windowItems) return items + 1;
    turn.tell(sourceRef, { type: 'taken' });
    return 0;
  },
};

type SourceState = { readonly start: Start; readonly stream: StreamMeter; readonly trips: TripMeter; readonly underWay: number } | null;

function sourceOf(sinkRef: ActorRef<ToSink>, trips: number): Behavior<SourceState, ToSource | Start> {
  type SourceTurn = Turn<ToSource | Start>;
  const sendWindow = (turn: SourceTurn): void => {
    for (let value = 0; value < windowItems; value += 1) turn.tell(sinkRef, { type: 'item', value });
  };
  const onStart = (start: Start, turn: SourceTurn): SourceState => {
    const now = monotonicMs();
    if (start.type === 'trips') turn.tell(sinkRef, { type: 'ping', value: 0 });
    else for (let window = 0; window < windowsUnderWay; window += 1) sendWindow(turn);
    return { start, stream: new StreamMeter(now, start.durationMs), trips: new TripMeter(now, start.durationMs, trips), underWay: windowsUnderWay };
  };
  return {
    name: 'bench-source',
    init: () => null,
    receive(state, message, turn) {
      if (message.type === 'stream' || message.type === 'trips') return onStart(message, turn);
      if (state === null) return state;
      if (message.type === 'pong') {
        if (state.trips.onPong(monotonicMs)) turn.tell(sinkRef, { type: 'ping', value: message.value + 1 });
        else if (state.start.type === 'trips') state.start.done(state.trips.samples);
        return state;
      }
      if (state.stream.onTaken(monotonicMs())) {
        sendWindow(turn);
        return state;
      }
      const underWay = state.underWay - 1;
      // The last window is taken: nothing of this measurement is left to disturb the next.
      if (underWay === 0 && state.start.type === 'stream') state.start.done(state.stream.perSecond);
      return { ...state, underWay };
    },
  };
}

/**
 * The peer `limit` of the messages benchmark: bare MessagePorts, one post for each message, no actors.
 *
 * Invariant: the messages, the windows and the meters are those of the actors.
 */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { monotonicMs } from '../wall-clock.ts';
import { StreamMeter, TripMeter, windowItems, windowsUnderWay } from './exchange.ts';
import type { Exchange, ToSink, ToSource } from './exchange.ts';

export function portsOnOneThread(): Exchange {
  const { port1, port2 } = new MessageChannel();
  answer(port2);
  return exchangeOver(port1, async () => port1.close());
}

export async function portsAcrossThreads(): Promise<Exchange> {
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(fileURLToPath(new URL('./other-thread.js', import.meta.url)), { workerData: { kind: 'ports', port: port2 }, transferList: [port2] });
  await once(worker, 'message');
  return exchangeOver(port1, async () => {
    await worker.terminate();
    port1.close();
  });
}

/** The sink's half. */
export function answer(port: MessagePort): void {
  let items = 0;
  port.on('message', (message: ToSink) => {
    if (message.type === 'ping') {
      port.postMessage({ type: 'pong', value: message.value } satisfies ToSource);
      return;
    }
    items += 1;
    if (items < windowItems) return;
    items = 0;
    port.postMessage({ type: 'taken' } satisfies ToSource);
  });
}

function exchangeOver(port: MessagePort, close: () => Promise<void>): Exchange {
  let onMessage: (message: ToSource) => void = () => {};
  port.on('message', (message: ToSource) => onMessage(message));
  const sendWindow = (): void => {
    for (let value = 0; value < windowItems; value += 1) port.postMessage({ type: 'item', value } satisfies ToSink);
  };
  return {
    stream: (durationMs) =>
      new Promise((done) => {
        const meter = new StreamMeter(monotonicMs(), durationMs);
        let underWay = windowsUnderWay;
        onMessage = () => {
          if (meter.onTaken(monotonicMs())) sendWindow();
          else {
            underWay -= 1;
            if (underWay === 0) done(meter.perSecond);
          }
        };
        for (let window = 0; window < windowsUnderWay; window += 1) sendWindow();
      }),
    roundTrips: (durationMs) =>
      new Promise((done) => {
        const meter = new TripMeter(monotonicMs(), durationMs, 1);
        let value = 0;
        const ping = (): void => port.postMessage({ type: 'ping', value: (value += 1) } satisfies ToSink);
        onMessage = () => {
          if (meter.onPong(monotonicMs)) ping();
          else done(meter.samples);
        };
        ping();
      }),
    close,
  };
}

/**
 * The thread of the sink, for actors as for bare ports. Says one message when it listens.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { serveSink } from './actor-exchange.ts';
import { answer } from './port-exchange.ts';

const { kind, port } = workerData as { readonly kind: 'actors' | 'ports'; readonly port: MessagePort };
if (kind === 'actors') serveSink(port);
else answer(port);
parentPort?.postMessage('listening');

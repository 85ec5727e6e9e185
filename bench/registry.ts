/**
 * Every benchmark there is, by name.
 */
import { batchOverhead } from './batch-overhead.ts';
import type { Bench } from './bench.ts';
import { messages } from './messages.ts';
import { soak } from './soak.ts';
import { startup } from './startup.ts';
import { wordCountEngine } from './word-count-engine.ts';
import { wordCountSocket } from './word-count-socket.ts';

export const benches: readonly Bench[] = [wordCountSocket, wordCountEngine, batchOverhead, messages, startup, soak];

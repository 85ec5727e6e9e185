/**
 * Every benchmark there is, by name.
 */
import { batchOverhead } from './batch-overhead.ts';
import type { Bench } from './bench.ts';
import { checkpoint } from './checkpoint.ts';
import { manyPrograms } from './many-programs.ts';
import { messages } from './messages.ts';
import { overload } from './overload.ts';
import { recovery } from './recovery.ts';
import { scaling } from './scaling.ts';
import { shuffle } from './shuffle.ts';
import { soak } from './soak.ts';
import { startup } from './startup.ts';
import { stateUpdate } from './state-update.ts';
import { wal } from './wal.ts';
import { window } from './window.ts';
import { wordCountEngine } from './word-count-engine.ts';
import { wordCountSocket } from './word-count-socket.ts';

export const benches: readonly Bench[] = [wordCountSocket, overload, wordCountEngine, stateUpdate, window, shuffle, scaling, manyPrograms, wal, recovery, checkpoint, batchOverhead, messages, startup, soak];

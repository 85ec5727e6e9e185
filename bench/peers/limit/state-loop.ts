/**
 * The bare tables that state-update is held against: a Map on each of two threads, changed by the same closures with the same updates.
 * No shuffle, no undo, no bytes: keys are made on the thread that holds them, and what changed is written into the Map alone.
 *
 *   main                  thread p: a Map of half of the keys
 *    │ ── time ──────────► its updates of that time; every key visited, or those that changed
 *    │ ◄───────── count ──┘
 */
import { fileURLToPath } from 'node:url';
import { once } from 'node:events';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { addToState, initialPairs, statePartitions, updatePairs } from '../../programs/state-functions.ts';
import type { StateSize } from '../../programs/state-functions.ts';
import { monotonicMs } from '../../wall-clock.ts';

export interface BareTablesOptions extends StateSize {
  readonly form: 'updateStateByKey' | 'mapWithState';
  readonly batches: number;
}

interface ThreadData extends StateSize {
  readonly form: BareTablesOptions['form'];
  readonly statePartition: number;
}

/** The processing time of each batch, in milliseconds. */
export async function runBareTables(options: BareTablesOptions): Promise<number[]> {
  const { form, keys, updates } = options;
  const threads = Array.from({ length: statePartitions }, (_, statePartition) => {
    const data: ThreadData = { form, keys, updates, statePartition };
    return new Worker(fileURLToPath(import.meta.url), { workerData: data });
  });
  await Promise.all(threads.map((thread) => once(thread, 'message')));
  const expected = form === 'updateStateByKey' ? keys : updates;
  const times: number[] = [];
  for (let batch = 1; batch <= options.batches; batch += 1) {
    const start = monotonicMs();
    const counts = await Promise.all(threads.map((thread) => ask(thread, batch)));
    times.push(monotonicMs() - start);
    const count = counts.reduce((sum, one) => sum + one, 0);
    if (count !== expected) throw new Error(`The bare tables counted ${count}; expected ${expected}.`);
  }
  await Promise.all(threads.map((thread) => thread.terminate()));
  return times;
}

async function ask(thread: Worker, time: number): Promise<number> {
  const reply = once(thread, 'message');
  thread.postMessage(time);
  return (await reply)[0] as number;
}

function runThread(data: ThreadData): void {
  const table = new Map(initialPairs(data.statePartition, data));
  const port = parentPort!;
  const change = data.form === 'updateStateByKey' ? visitAll : touch;
  port.on('message', (time: number) => port.postMessage(change(table, updatePairs(time, data.statePartition, data))));
  port.postMessage('ready');
}

const noValues: readonly number[] = [];

function visitAll(table: Map<string, number>, pairs: readonly (readonly [string, number])[]): number {
  const groups = new Map<string, number[]>();
  for (const [key, value] of pairs) {
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  for (const [key, state] of table) {
    const next = addToState(groups.get(key) ?? noValues, state);
    if (next !== state) table.set(key, next);
  }
  return table.size;
}

function touch(table: Map<string, number>, pairs: readonly (readonly [string, number])[]): number {
  const mapped: [string, number][] = [];
  for (const [key, value] of pairs) {
    const sum = (table.get(key) ?? 0) + value;
    table.set(key, sum);
    mapped.push([key, sum]);
  }
  return mapped.length;
}

// Imported by the benchmark on one thread, run by each of its own threads.
if (!isMainThread && isThreadData(workerData)) runThread(workerData);

function isThreadData(data: unknown): data is ThreadData {
  return typeof data === 'object' && data !== null && 'statePartition' in data && 'form' in data;
}

/**
 * What must be true at the end of a chaos run, whatever has happened in it.
 *
 * Invariant: everything is compared with what the sequential model makes of the inputs as the batches were given them; nothing is taken from
 * the runtime's own books.
 */
import { equalValues, previewValue, sortedValues } from '../conformance/values.ts';
import type { Value } from '../conformance/values.ts';
import { SequentialRdd, defaultOptions } from '../model/sequential-rdd.ts';
import { SequentialStreams } from '../model/sequential.ts';
import { sequentialStream } from '../model/sequential-stream.ts';
import type { SequentialStream } from '../model/sequential-stream.ts';
import { isRefused, sumKeyOf } from './chaos-program.ts';
import type { ChaosProgram, Envelope } from './chaos-program.ts';
import type { History, Partitions } from './history.ts';

/** The accumulators. */
export interface Counted {
  readonly counted: number;
  readonly countedOnce: number;
  readonly countedEarly: number;
}

/** `lastMs`: of the last batch that has run. Problems are noted in the history. */
export async function checkHistory(history: History, chaos: ChaosProgram, lastMs: number, counted: Counted): Promise<void> {
  checkInputs(history, chaos, lastMs);
  if (history.problems.length > 0) return;
  history.checkSettings();
  checkCounted(history, chaos, counted);
  const first = history.allocations.get(chaos.inputs[0]?.id ?? '') ?? new Map<number, readonly (readonly Envelope[])[]>();
  history.checkLetters(first, lastMs, isRefused);
  history.checkSums(first, lastMs, sumKeyOf);
  await checkOutputs(history, chaos, lastMs);
}

function checkInputs(history: History, { inputs, program }: ChaosProgram, lastMs: number): void {
  for (const { id, kind, positions } of inputs) {
    if (kind === 'batches') continue;
    const times = history.allocations.get(id);
    const seen = new Map<string, number>();
    for (let time = program.batchMs; time <= lastMs; time += program.batchMs) {
      const partitions = times?.get(time);
      if (partitions === undefined) {
        history.problem(`${id}: the batch at ${time} ms has had no output`);
        continue;
      }
      for (const [envelope] of partitions.flat(1)) seen.set(envelope, (seen.get(envelope) ?? 0) + 1);
    }
    for (const [envelope, count] of seen) {
      if (!history.sent.has(envelope)) history.problem(`${id}: ${envelope} came, and was never sent`);
      if ((kind === 'queue' || positions) && count > 1) history.problem(`${id}: ${envelope} was sent once, and came ${count} times`);
    }
    for (const envelope of history.acknowledged) if (envelope.startsWith(`${id}/`) && !seen.has(envelope)) history.problem(`${id}: ${envelope} was acknowledged, and is in no batch`);
  }
}

function checkCounted(history: History, { inputs: [first] }: ChaosProgram, { counted, countedOnce, countedEarly }: Counted): void {
  const recordsOf = (times: ReadonlyMap<number, Partitions>): number => [...times.values()].reduce((sum, partitions) => sum + partitions.flat(1).length, 0);
  const allocations = history.allocations as unknown as ReadonlyMap<string, ReadonlyMap<number, Partitions>>;
  const expected = [...allocations.values()].reduce((sum, times) => sum + recordsOf(times), 0);
  // A batch that no window has is counted nowhere.
  if (counted > expected) history.problem(`the accumulator has counted ${counted} records, of ${expected}`);
  const once = recordsOf(allocations.get(first?.id ?? '') ?? new Map());
  if (countedEarly !== once) history.problem(`the accumulator of ${first?.id}, as its batches are generated, has counted ${countedEarly} records, of ${once}`);
  if (countedOnce !== once) history.problem(`the accumulator of ${first?.id} has counted ${countedOnce} records, of ${once}`);
}

async function checkOutputs(history: History, { program, inputs }: ChaosProgram, lastMs: number): Promise<void> {
  const options = { ...defaultOptions, recordsMax: 100_000 };
  const given = new Map<string, SequentialStream>();
  for (const { id, kind } of inputs) {
    if (kind === 'batches') continue;
    const times = history.allocations.get(id);
    given.set(id, sequentialStream(program.batchMs, async (time) => new SequentialRdd((times?.get(time) ?? []).map((partition) => partition.map(([, record]) => record)), options)));
  }
  const streams = new SequentialStreams(program, options, given);
  for (let time = program.batchMs; time <= lastMs; time += program.batchMs) {
    for (const { id, order } of program.outputs) {
      const expected = await streams.stream(id).rddAt(time);
      const got = history.outputs.get(id)?.get(time);
      if (expected === null) {
        if (got !== undefined) history.problem(`${id} at ${time} ms: expected no RDD, got ${previewValue(got as Value, 300)}`);
        continue;
      }
      if (got === undefined) {
        history.problem(`${id} at ${time} ms: the output was never written`);
        continue;
      }
      const [wanted, came] = [comparable(expected.partitions, order), comparable(got, order)];
      if (!equalValues(wanted, came)) history.problem(`${id} at ${time} ms: expected ${previewValue(wanted, 300)}, got ${previewValue(came, 300)}`);
      checkSink(history, id, time, got);
    }
    if (history.problems.length > 0) return;
  }
}

/** Each record once: what the sink holds is what the output was. */
function checkSink(history: History, id: string, time: number, output: Partitions): void {
  const partitions = history.committed.get(id)?.get(time) ?? new Map<number, readonly Value[]>();
  for (const [index, records] of output.entries()) {
    const held = partitions.get(index) ?? [];
    if (!equalValues(held as Value, records as Value)) history.problem(`sink of ${id} at ${time} ms, partition ${index}: expected ${previewValue(records as Value, 200)}, it holds ${previewValue(held as Value, 200)}`);
  }
}

function comparable(partitions: Partitions, order: ChaosProgram['program']['outputs'][number]['order']): Value {
  if (order === 'partitions') return partitions as Value;
  const records = partitions.flat(1) as Value[];
  return order === 'order' ? records : sortedValues(records);
}

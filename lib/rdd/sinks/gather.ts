/**
 * Sinks that bring records, or one value made of them, to the job: collect, count, reduce, aggregate.
 *
 * Invariant: records come in the partition's order; with a limit, no source record is touched behind the one that filled it.
 */
import type { Sink } from '../../../protocol/rdd.ts';
import type { TaskOutput } from '../../../protocol/task.ts';
import { decodeRecord } from '../../../protocol/codec.ts';
import { asBlockId } from '../../../protocol/ids.ts';
import { endsAsPair } from '../fuse.ts';
import type { Piece } from '../piece.ts';
import type { TaskRun } from '../task-run.ts';

type SinkOf<K extends Sink['kind']> = Extract<Sink, { kind: K }>;

export function runCollect(run: TaskRun, sink: SinkOf<'collect'>, pieces: readonly Piece[]): TaskOutput {
  if (sink.limit === 0) return recordsOutput(run, [], 0);
  const operator = run.sinkOperator();
  // Pairs that are no arrays yet need not become any: the codec takes keys and values as they lie.
  if (sink.limit < 0 && pieces.length > 0 && pieces.every((piece) => endsAsPair(piece.form, piece.ops))) {
    const state = run.state('columns', [], operator);
    run.run(pieces, state, []);
    return { kind: 'records', block: run.writePairsBlock(blockIdOf(run), state.keys, state.values, operator), total: state.keys.length };
  }
  const state = run.state(sink.limit < 0 ? 'collect' : 'collectLimit', [], operator);
  state.limit = sink.limit;
  run.run(pieces, state, []);
  return recordsOutput(run, state.out, state.out.length);
}

export function runCount(run: TaskRun, pieces: readonly Piece[]): TaskOutput {
  const state = run.state('count', [], null);
  run.run(pieces, state, []);
  return { kind: 'count', count: state.count };
}

export function runReduce(run: TaskRun, sink: SinkOf<'reduce'>, pieces: readonly Piece[]): TaskOutput {
  const state = run.state('reduce', [sink.fn], run.sinkOperator(), run.sinkScope());
  run.run(pieces, state, [sink.fn]);
  return recordsOutput(run, state.has ? [state.accumulator] : [], state.has ? 1 : 0);
}

export function runAggregate(run: TaskRun, sink: SinkOf<'aggregate'>, pieces: readonly Piece[]): TaskOutput {
  const state = run.state('aggregate', [sink.seqFn], run.sinkOperator(), run.sinkScope());
  state.accumulator = decodeRecord(sink.zero);
  run.run(pieces, state, [sink.seqFn]);
  return recordsOutput(run, [state.accumulator], 1);
}

/** Records as the task's result. `total`: what they stand for. */
export function recordsOutput(run: TaskRun, records: readonly unknown[], total: number): TaskOutput {
  return { kind: 'records', block: run.writeRecords(blockIdOf(run), records, run.sinkOperator()), total };
}

function blockIdOf(run: TaskRun): ReturnType<typeof asBlockId> {
  return asBlockId(`result-${run.stage.job}-${run.task.task}`);
}

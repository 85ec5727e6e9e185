/**
 * What happens to a partition's records at the stage's end: which sink runs, by its kind.
 *
 * Invariant: a sink goes once through the pieces, in order, and gives one output. Only `foreachPartition` may give a promise.
 */
import type { Sink } from '../../../protocol/rdd.ts';
import type { TaskOutput } from '../../../protocol/task.ts';
import type { Piece } from '../piece.ts';
import { runShuffleSink } from '../shuffle-write.ts';
import { runState } from '../state/state-sink.ts';
import type { TaskRun } from '../task-run.ts';
import { runAggregate, runCollect, runCount, runReduce } from './gather.ts';
import { runForeach, runForeachPartition } from './foreach.ts';
import { runSampleKeys, runTakeOrdered } from './ordered.ts';
import { runSave } from './save.ts';

export function runSink(run: TaskRun, sink: Sink, pieces: readonly Piece[]): TaskOutput | Promise<TaskOutput> {
  switch (sink.kind) {
    case 'shuffle': return runShuffleSink(run, sink, pieces);
    case 'collect': return runCollect(run, sink, pieces);
    case 'count': return runCount(run, pieces);
    case 'reduce': return runReduce(run, sink, pieces);
    case 'aggregate': return runAggregate(run, sink, pieces);
    case 'takeOrdered': return runTakeOrdered(run, sink, pieces);
    case 'foreach': return runForeach(run, sink, pieces);
    case 'foreachPartition': return runForeachPartition(run, sink, pieces);
    case 'sampleKeys': return runSampleKeys(run, sink, pieces);
    case 'state': return runState(run);
    case 'saveText':
    case 'saveObjects': return runSave(run, sink, pieces);
  }
}

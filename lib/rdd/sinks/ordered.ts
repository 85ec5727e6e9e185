/**
 * Sinks that keep some of the records, by their order or by their position: takeOrdered, sampleKeys.
 *
 * Invariant: both keep at most about twice their limit, whatever the partition holds, and choose the same records in every run.
 */
import type { Sink } from '../../../protocol/rdd.ts';
import type { TaskOutput } from '../../../protocol/task.ts';
import { compareKeys } from '../../base/key.ts';
import type { Piece } from '../piece.ts';
import type { TaskRun } from '../task-run.ts';
import { noRecord, taskFailure } from '../task-failure.ts';
import { recordsOutput } from './gather.ts';

/** How many records are put by before those that can't be among the first are thrown out: at least. */
const sortRecordsMin = 1_024;

/** The `limit` first records, sorted; of equal ones the earlier. */
export function runTakeOrdered(run: TaskRun, sink: Extract<Sink, { kind: 'takeOrdered' }>, pieces: readonly Piece[]): TaskOutput {
  const { limit } = sink;
  if (limit <= 0) return recordsOutput(run, [], 0);
  const operator = run.sinkOperator();
  const by = sink.order === null ? compareKeys : (run.resolve(sink.order) as (a: unknown, b: unknown) => number);
  const compare = sink.descending ? (a: unknown, b: unknown) => by(b, a) : by;
  const kept: unknown[] = [];
  const scope = sink.order === null ? null : run.sinkScope();
  const cut = (): void => {
    if (scope !== null) run.enter(scope);
    kept.sort(compare);
    if (kept.length > limit) kept.length = limit;
  };
  const keptMax = Math.max(2 * limit, sortRecordsMin);
  const state = run.state('put', [], operator);
  state.put = (record) => {
    if (kept.push(record) >= keptMax) cut();
  };
  run.run(pieces, state, []);
  try {
    cut();
  } catch (thrown) {
    throw taskFailure(thrown, operator, noRecord, run.context);
  }
  return recordsOutput(run, kept, kept.length);
}

/**
 * Up to `limit` keys, evenly spread. Every stride-th key is kept; where that becomes twice the limit, every other one of them
 * goes and the stride doubles:
 *
 *   limit 2, stride 1: k0 k1 k2 k3   ->   stride 2: k0 . k2 . k4 . k6 .   ->   stride 4: k0 . . . k4 . . . k8 ...
 */
export function runSampleKeys(run: TaskRun, sink: Extract<Sink, { kind: 'sampleKeys' }>, pieces: readonly Piece[]): TaskOutput {
  const limit = Math.max(1, sink.limit);
  let kept: unknown[] = [];
  let stride = 1;
  let records = 0;
  const state = run.state('putPair', [], run.sinkOperator());
  state.putPair = (key) => {
    if (records % stride === 0) {
      if (kept.length === 2 * limit) {
        kept = kept.filter((_key, index) => index % 2 === 0);
        stride *= 2;
      }
      // Twice the limit is even, so this record's number is a multiple of the doubled stride too.
      kept.push(key);
    }
    records += 1;
  };
  run.run(pieces, state, []);
  const spread = kept.length <= limit ? kept : Array.from({ length: limit }, (_, index) => kept[Math.floor((index * kept.length) / limit)]);
  return recordsOutput(run, spread, records);
}

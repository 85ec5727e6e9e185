/**
 * Sinks that write a partition to a file of its own: saveText, saveObjects.
 *
 *   directory/part-00000, part-00001, ...      one for each partition, also for one without records
 *
 * Invariant: a file of that name is always a whole partition; a second attempt replaces it by the same bytes. What an earlier run has left in
 * the directory went before the job began (`claimDirectory`).
 */
import type { Sink } from '../../../protocol/rdd.ts';
import type { TaskOutput } from '../../../protocol/task.ts';
import { encodeRecords } from '../../../protocol/codec.ts';
import type { Piece } from '../piece.ts';
import type { TaskRun } from '../task-run.ts';
import { noRecord, taskFailure } from '../task-failure.ts';
import { textOf } from '../text-of.ts';

/** Characters that are joined before they become bytes. */
const textCharactersMax = 1024 * 1024;

export function runSave(run: TaskRun, sink: Extract<Sink, { kind: 'saveText' | 'saveObjects' }>, pieces: readonly Piece[]): TaskOutput {
  const bytes = sink.kind === 'saveText' ? textBytes(run, pieces) : objectBytes(run, pieces);
  run.env.files.writeAtomically(`${sink.directory}/${partName(run.task.partition)}`, bytes);
  return { kind: 'done' };
}

/** `part-00000`; more digits where five do not do. */
export function partName(partition: number): string {
  return `part-${String(partition).padStart(5, '0')}`;
}

/** Each record as `textOf` shows it, and \n. */
function textBytes(run: TaskRun, pieces: readonly Piece[]): Uint8Array {
  const encoder = new TextEncoder();
  const parts: Uint8Array[] = [];
  let text = '';
  const state = run.state('put', [], run.sinkOperator());
  state.put = (record) => {
    try {
      text += `${textOf(record)}\n`;
    } catch (thrown) {
      // A getter, or a toString of the user's own.
      throw taskFailure(thrown, run.sinkOperator(), record, run.context);
    }
    if (text.length < textCharactersMax) return;
    parts.push(encoder.encode(text));
    text = '';
  };
  run.run(pieces, state, []);
  parts.push(encoder.encode(text));
  const all = new Uint8Array(parts.reduce((bytes, part) => bytes + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The codec's segments: `decodeRecords` reads them back. */
function objectBytes(run: TaskRun, pieces: readonly Piece[]): Uint8Array {
  const records = run.collect(pieces);
  try {
    return encodeRecords(records);
  } catch (error) {
    throw taskFailure(error, run.sinkOperator(), noRecord, run.context);
  }
}

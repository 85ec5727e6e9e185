/**
 * What must hold of checkpoints before a context starts: Spark's `DStream.validateAtStart`.
 *
 * Invariant: looks only at streams that an output depends on, parents before children, and throws at the first that breaks a rule.
 *
 * Spark also demands that a stream is remembered for longer than its checkpoint interval, and then sees to that by itself, by
 * remembering every stream for two intervals. Here a checkpoint needs no remembered RDDs: what is kept so long is for slices (reach-back.ts).
 */
import { MillraceError } from '../../protocol/errors.ts';
import { isMultipleOf } from '../../protocol/time.ts';
import type { DStream } from './dstream.ts';

/** Throws CheckpointDirectoryMissing, CheckpointIntervalInvalid, CheckpointNotPersisted. */
export function validateCheckpoints(streams: Iterable<DStream<unknown>>, directory: string | null): void {
  for (const stream of [...streams].sort((a, b) => a.index - b.index)) validateCheckpoint(stream, directory);
}

function validateCheckpoint(stream: DStream<unknown>, directory: string | null): void {
  const { checkpointMs, slideMs } = stream;
  if (checkpointMs === null) return;
  const named = stream.place === '' ? stream.kind : `${stream.kind} at ${stream.place}`;
  const details = { operator: stream.operatorUid, checkpointMs, slideMs };
  if (directory === null) {
    throw new MillraceError('CheckpointDirectoryMissing', `${named} is checkpointed every ${checkpointMs} ms, and no checkpoint directory has been set. Call ssc.checkpoint(directory), or set the option checkpointDirectory.`, { details });
  }
  if (checkpointMs < slideMs || !isMultipleOf(checkpointMs, slideMs)) {
    const wrong = checkpointMs < slideMs ? 'lower than' : 'no multiple of';
    throw new MillraceError('CheckpointIntervalInvalid', `The checkpoint interval of ${named} is ${checkpointMs} ms, which is ${wrong} its slide duration (${slideMs} ms). Give a whole multiple of ${slideMs} ms.`, { details });
  }
  if (stream.storageLevel === null) {
    throw new MillraceError('CheckpointNotPersisted', `${named} has a checkpoint interval (${checkpointMs} ms) and keeps no RDDs. Persist it; a window keeps its parent's RDDs alone: set the interval there, or on what is made of the window.`, { details });
  }
}

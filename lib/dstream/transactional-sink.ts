/**
 * An output into a store that has transactions: what a partition writes in a batch, and the name of it, are committed together.
 *
 *   begin --> claim --true--> write --> commit
 *               |               `-- throws --> rollback, and the task has failed
 *               `--false--> rollback: it is there already
 *
 * Invariant: where the store keeps its word, each record is in it exactly once, however often the task and the batch are run. What decides is
 * `claim`, inside of the transaction and before anything is written: of two attempts at the same time the later one waits there until the
 * transaction of the other has ended, one way or the other.
 *
 * This file knows no store: examples/postgres-sink.ts has one.
 */
import { MillraceError, previewOf } from '../../protocol/errors.ts';
import type { OutputTaskContext, TaskContext } from '../rdd/task-context.ts';

/**
 * What a store must do. `Tx`: its transaction, mostly a connection of its own. All of them may be async, and are called one after another, on
 * the worker. What one throws fails the task, which is tried again.
 */
export interface TransactionalSink<T, Tx> {
  /** Begins a transaction. Where it throws, no other is called: it gives back itself what it has taken. */
  begin(context: OutputTaskContext): Tx | Promise<Tx>;
  /**
   * Enters the name of what is about to be written (`context.id`, or its parts) into the store. False: it is there already. Waits for a
   * transaction that is not over and has entered the same one: a unique key or the lock of a row does that.
   */
  claim(tx: Tx, context: OutputTaskContext): boolean | Promise<boolean>;
  /** Writes the records; not called where `claim` was false. */
  write(tx: Tx, records: Iterable<T>, context: OutputTaskContext): void | Promise<void>;
  /** Commits, and gives back what `begin` has taken. Where it throws, nobody knows whether it has happened: the next attempt's `claim` finds out. */
  commit(tx: Tx, context: OutputTaskContext): void | Promise<void>;
  /** Undoes, and gives back what `begin` has taken. `cause`: what was thrown; undefined where `claim` was false. */
  rollback(tx: Tx, context: OutputTaskContext, cause?: unknown): void | Promise<void>;
}

/**
 * The function for `foreachPartition` that writes each record exactly once: `stream.foreachPartition(transactionalSink(sink))`, or on the RDD of
 * a foreachRDD body by way of `ssc.task`. Throws InvalidArgument where it is called for no output of a batch, and where `claim` gives no boolean.
 */
export function transactionalSink<T, Tx>(sink: TransactionalSink<T, Tx>): (records: Iterable<T>, context: TaskContext) => Promise<void> {
  return async (records, context) => {
    if (!isOfOutput(context)) {
      throw new MillraceError('InvalidArgument', 'A transactionalSink expects to write for an output of a batch, whose id names the records; this job has none. Give it to foreachPartition of a stream, or of an RDD in a body of foreachRDD.');
    }
    const tx = await sink.begin(context);
    try {
      if (await isNew(sink, tx, context)) {
        await sink.write(tx, records, context);
        await sink.commit(tx, context);
        return;
      }
    } catch (thrown) {
      try {
        await sink.rollback(tx, context, thrown);
      } catch {
        // A connection that is gone can't be rolled back, and needs no rollback; the first error says what was wrong.
      }
      throw thrown;
    }
    await sink.rollback(tx, context);
  };
}

function isOfOutput(context: TaskContext): context is OutputTaskContext {
  return context.id !== null;
}

/** A claim that forgets its answer would leave out everything, or write it twice. */
async function isNew<T, Tx>(sink: TransactionalSink<T, Tx>, tx: Tx, context: OutputTaskContext): Promise<boolean> {
  const claimed: unknown = await sink.claim(tx, context);
  if (typeof claimed !== 'boolean') {
    throw new MillraceError('InvalidArgument', `A transactionalSink's claim expects to return true (the id is new) or false (it is there already), and returned ${previewOf(claimed)}.`);
  }
  return claimed;
}

/**
 * Which of the records that policies have left out are known already, and what the batch that runs has newly left out.
 *
 * Invariant: each (work, record) counts once, however often the work has been done. Records of one work are numbered alike in
 * every attempt, so knowing how many were counted is enough; work that was only begun gives the first of them.
 */
import type { LeftOutInfo } from '../../protocol/listener.ts';
import type { LeftOutRecords } from '../../protocol/task.ts';

/** Batches whose records can still come twice: recomputation reaches no further back than what is remembered. */
const batchesKept = 1_000;

export class LeftOutLedger {
  /** How many records of each work have counted: by batch time, oldest first, then by work. */
  readonly #counted = new Map<number | null, Map<string, number>>();
  #batch = new Map<string, LeftOutInfo>();

  /** The part that is new, or null. */
  take(given: LeftOutRecords): LeftOutRecords | null {
    const { batchTime, origin, partition, records, letters, operator, policy } = given;
    let works = this.#counted.get(batchTime);
    if (works === undefined) this.#counted.set(batchTime, (works = new Map()));
    const work = `${origin}/${partition}`;
    const before = works.get(work) ?? 0;
    if (records <= before) return null;
    works.set(work, records);
    const fresh: LeftOutRecords = { ...given, records: records - before, letters: letters.filter(({ index }) => index >= before) };
    const key = JSON.stringify([operator, policy]);
    const sum = this.#batch.get(key) ?? { operator, onError: policy, records: 0, deadLetters: 0, dropped: 0 };
    this.#batch.set(key, {
      ...sum,
      records: sum.records + fresh.records,
      deadLetters: sum.deadLetters + fresh.letters.length,
      dropped: sum.dropped + droppedOf(fresh),
    });
    return fresh;
  }

  /** What was left out since the last call, by operator. Called at the end of each batch. */
  endBatch(): LeftOutInfo[] {
    for (const time of this.#counted.keys()) {
      if (this.#counted.size <= batchesKept) break;
      this.#counted.delete(time);
    }
    const batch = [...this.#batch.values()];
    if (batch.length > 0) this.#batch = new Map();
    return batch;
  }
}

/** Records that should have become dead letters, and of which the task reports nothing but their number. */
export function droppedOf({ policy, records, letters }: LeftOutRecords): number {
  return policy === 'deadLetter' ? records - letters.length : 0;
}

/**
 * What `print` writes for a batch, in Spark's form.
 *
 * Invariant: a batch's text depends on its time and records alone; it ends in an empty line.
 *
 *   -------------------------------------------
 *   Time: 1000 ms
 *   -------------------------------------------
 *   (hello,1)
 *   ...
 *                       (an empty line)
 */
import type { BatchTime } from '../../protocol/time.ts';
import { textOf } from '../rdd/text-of.ts';

const rule = '-------------------------------------------';

/** `records`: the first `num` + 1 of the batch; one more than `num` shows as dots. */
export function printedBatch(time: BatchTime, records: readonly unknown[], num: number): string {
  const lines = [rule, `Time: ${time} ms`, rule, ...records.slice(0, num).map((record) => textOf(record))];
  if (records.length > num) lines.push('...');
  return `${lines.join('\n')}\n\n`;
}

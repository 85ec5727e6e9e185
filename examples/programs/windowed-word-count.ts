/**
 * The program of examples/windowed-word-count.ts: the words of the last second, five times a second.
 *
 * `added` and `removed` make each window of the one before it: what the slide costs, whatever the window's length. Words whose
 * count has come down to 0 would stay for ever; the filter lets them go.
 */
import { Milliseconds, Seconds } from 'millrace';
import type { StreamingContext } from 'millrace';

const added = (a: number, b: number): number => a + b;
const removed = (a: number, b: number): number => a - b;

export default function windowedWordCount(ssc: StreamingContext) {
  const lines = ssc.queue<string>();
  const ones = ssc
    .queueStream(lines)
    .flatMap((line) => line.split(' '))
    .map((word) => [word, 1]);
  const counts = ones.reduceByKeyAndWindow(added, removed, Seconds(1), Milliseconds(200), 2, ([, count]) => count > 0);
  return { lines, counts: counts.publish() };
}

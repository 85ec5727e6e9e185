/**
 * The network word count: counts of the words that come over TCP, batch by batch.
 *
 *   nc -lk 9999                                                              (in one terminal; type words)
 *   npx millrace run dist/examples/word-count.js --args '{"port":9999}'      (in another)
 */
import type { StreamingContext } from 'millrace';

export default function wordCount(ssc: StreamingContext, args: { host?: string; port: number }) {
  const counts = ssc
    .socketTextStream(args.host ?? 'localhost', args.port)
    .flatMap((line) => line.split(' '))
    .map((word) => [word, 1])
    .reduceByKey((a, b) => a + b);
  counts.print();
  return { counts: counts.publish() };
}

/**
 * The program of examples/web.ts: the words that came over TCP in the last five seconds.
 */
import { Seconds } from 'millrace';
import type { StreamingContext } from 'millrace';

export default function liveCounts(ssc: StreamingContext, args: { readonly host: string; readonly port: number }) {
  const counts = ssc
    .socketTextStream(args.host, args.port)
    .flatMap((line) => line.split(' '))
    .map((word) => [word, 1])
    .reduceByKeyAndWindow((a, b) => a + b, Seconds(5));
  // A page wants the newest counts: what nobody has read in time may go.
  return { counts: counts.publish({ bound: 1, mode: 'latest' }) };
}

/**
 * The program of examples/top-hashtags.ts: the most used hashtags of the last two seconds.
 *
 * The window is of the plain form: each batch is reduced once, and a window puts together what its batches gave. The transform sorts
 * that and keeps the first few. What it awaits runs once, on the driver's word; a worker that replays the call gets the same result.
 */
import { Milliseconds, Seconds } from 'millrace';
import type { StreamingContext } from 'millrace';

/** More often first; among equals by name, so that the order says nothing about partitions. */
const byCount = ([tagA, a]: readonly [string, number], [tagB, b]: readonly [string, number]): number => b - a || (tagA < tagB ? -1 : 1);

export default function topHashtags(ssc: StreamingContext, args: { readonly top: number }) {
  const posts = ssc.queue<string>();
  const trending = ssc
    .queueStream(posts)
    .flatMap((post) => post.match(/#\w+/g) ?? [])
    .map((tag) => [tag, 1])
    .reduceByKeyAndWindow((a, b) => a + b, Seconds(2), Milliseconds(400))
    .transform(async (counts) => ssc.sc.parallelize(await counts.takeOrdered(args.top, byCount), 1));
  return { posts, trending: trending.publish() };
}

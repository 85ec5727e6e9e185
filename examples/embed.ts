/**
 * The app that embeds the word count: it reads the counts of each batch as they come, and does with them what it likes.
 *
 *   nc -lk 9999                            (in one terminal; type words)
 *   node dist/examples/embed.js 9999       (in another; Ctrl-C ends it)
 */
import { Seconds, StreamingContext } from 'millrace';
import type wordCount from './word-count.js';

const ssc = await StreamingContext.create<typeof wordCount>(new URL('./word-count.js', import.meta.url), {
  master: 'local[2]',
  appName: 'NetworkWordCount',
  batchInterval: Seconds(1),
  args: { host: 'localhost', port: Number(process.argv[2] ?? 9999) },
  // The program prints its counts, too; this app shows them in its own way.
  print: () => {},
});

// The library installs no signal handler; the app decides. Graceful: what was received is counted first.
process.once('SIGINT', () => void ssc.stop({ graceful: true }));

await ssc.start();

// Ends when the context has stopped; throws where it has failed. A reader that falls behind slows the stream down.
for await (const batch of ssc.exports.counts) {
  const top = [...batch.records].sort(([, a], [, b]) => b - a).slice(0, 3);
  if (top.length > 0) console.log(new Date(batch.time).toISOString(), top.map(([word, count]) => `${word}: ${count}`).join(', '));
}

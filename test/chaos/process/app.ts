/** The process that is killed: goes on from its checkpoint directory, says so, and stops in good order when it is told to. */
import { StreamingContext } from '../../../lib/streaming-context.ts';
import type wordCount from './program.ts';

const [directory = '', output = '', port = ''] = process.argv.slice(2);
const ssc = await StreamingContext.getOrCreate<typeof wordCount>(directory, new URL('./program.js', import.meta.url), {
  master: 'local[2]',
  appName: 'chaos',
  batchInterval: 200,
  blockIntervalMs: 50,
  args: { port: Number(port), output },
  receiverRestartDelayMs: 200,
  walSegmentBytesMax: 262_144,
  defaultParallelism: 2,
});
ssc.awaitTermination().catch((thrown: unknown) => {
  process.stderr.write(`${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}\n`);
  process.exit(1);
});
await ssc.start();
process.on('message', () => {
  // Batches that came due while it was down are caught up first: on a busy machine that takes a while.
  void ssc.stop({ graceful: true, timeoutMs: 540_000 }).then(() => process.disconnect());
});
process.send?.('started');

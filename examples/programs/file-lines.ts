/**
 * A reliable receiver: the lines of a file that grows, read from where the last stored block ended. Its position is a place in the file.
 *
 * The file keeps its lines, so nothing has to be told to it when they are stored. A source that forgets what is acknowledged (a queue)
 * is told behind the `await`: there the lines are safe, whichever thread dies.
 */
import { open } from 'node:fs/promises';
import { Receiver } from 'millrace';
import type { StreamingContext } from 'millrace';

const readBytes = 16_384;
/** How long to wait at the end of the file before looking again. */
const pauseMs = 20;

class FileReceiver extends Receiver<string, number> {
  readonly #path: string;

  constructor(path: string) {
    super();
    this.#path = path;
  }

  /** Runs until the receiver is stopped; what it throws (there is no such file) starts a new one, with back-off. */
  async onStart(): Promise<void> {
    const file = await open(this.#path);
    try {
      let offset = this.lastAcknowledged ?? 0;
      while (!this.isStopped()) {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(readBytes), 0, readBytes, offset);
        const lineEnd = buffer.lastIndexOf(10, bytesRead - 1);
        if (bytesRead === 0 || lineEnd < 0) {
          await new Promise((resolve) => setTimeout(resolve, pauseMs));
          continue;
        }
        offset += lineEnd + 1;
        await this.storeBatch(buffer.toString('utf8', 0, lineEnd).split('\n'), { position: offset });
        // Stored for good: here a queue would be told that these lines need not come again.
      }
    } finally {
      await file.close();
    }
  }

  onStop(): void {}
}

export default function fileLines(ssc: StreamingContext, args: { readonly path: string }) {
  return { lines: ssc.receiverStream(() => new FileReceiver(args.path)).publish() };
}

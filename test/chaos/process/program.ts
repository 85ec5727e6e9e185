/**
 * The program of `npm run chaos -- --process`: word count with state, of records from a source that keeps what was not acknowledged.
 *
 *   receiver --> [sequence, word] --> files received-TIME-PARTITION      what each batch was given
 *                      `--> updateStateByKey --> files state-TIME-PARTITION
 *
 * Invariant: a file is written once, by rename; one that comes again with another content leaves a file `conflict-...`, which the verifier finds.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { Receiver } from '../../../lib/dstream/receiver.ts';
import type { StreamingContext } from '../../../lib/streaming-context.ts';

export interface ProcessArgs {
  readonly port: number;
  readonly output: string;
}

export type Numbered = readonly [sequence: number, word: string];

export default function wordCount(ssc: StreamingContext, { port, output }: ProcessArgs): void {
  const records = ssc.receiverStream(() => new FromSource(port)).uid('source');
  const write = (kind: string, time: number | null, partition: number, content: unknown): void => writeOnce(output, `${kind}-${String(time).padStart(15, '0')}-${partition}`, JSON.stringify(content));
  records.foreachPartition((partition, { batchTime, partition: number }) => write('received', batchTime, number, [...partition]));
  const counts = records
    .map(([, word]) => [word, 1] as const)
    .updateStateByKey((ones: readonly number[], count: number | undefined) => (count ?? 0) + ones.length)
    .uid('counts');
  counts.foreachPartition((partition, { batchTime, partition: number }) => write('state', batchTime, number, [...partition]));
}

function writeOnce(directory: string, name: string, content: string): void {
  const path = join(directory, name);
  if (existsSync(path)) {
    if (readFileSync(path, 'utf8') !== content) writeFileSync(join(directory, `conflict-${name}`), content);
    return;
  }
  writeFileSync(`${path}.writing`, content);
  renameSync(`${path}.writing`, path);
}

/** Lines `SEQUENCE WORD` come in; `FIRST LAST` go out, when all from the first to the last are stored. */
class FromSource extends Receiver<Numbered> {
  readonly #port: number;
  #socket: Socket | null = null;

  constructor(port: number) {
    super();
    this.#port = port;
  }

  override onStart(): void {
    const socket = connect({ host: '127.0.0.1', port: this.#port });
    this.#socket = socket;
    let rest = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      const records = lines.map((line): Numbered => {
        const [sequence, word = ''] = line.split(' ');
        return [Number(sequence), word];
      });
      const [first] = records;
      const last = records.at(-1);
      if (first === undefined || last === undefined) return;
      this.storeBatch(records).then(
        () => socket.write(`${first[0]} ${last[0]}\n`),
        // Not acknowledged: the source gives them again to the next connection.
        () => socket.destroy(),
      );
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      if (!this.isStopped()) this.restart('The source is gone.');
    });
  }

  override onStop(): void {
    this.#socket?.destroy();
  }
}

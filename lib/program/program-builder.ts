/**
 * The building side of a StreamingContext: everything that a program calls to make its graph.
 *
 * Invariant: nothing here has an effect outside of the program's own objects: no socket is opened, no receiver made, no file
 * read (but for the sizes of `sc.textFile`). So the program can be built on every thread. After `seal` all of it is refused.
 */
import type { ProgramId } from '../../protocol/ids.ts';
import { MillraceError } from '../../protocol/errors.ts';
import { previewOf } from '../../protocol/errors.ts';
import type { BatchTime } from '../../protocol/time.ts';
import { callError, callerPlace } from '../base/caller-place.ts';
import { checkFunction, checkPort, checkText } from '../dstream/arguments.ts';
import { BatchesInputDStream } from '../dstream/batches-input.ts';
import { transformSpec, unionSpec } from '../dstream/combined.ts';
import { DeadLetterStream } from '../dstream/dead-letters.ts';
import type { DeadLetterOptions } from '../dstream/dead-letters.ts';
import { DStream } from '../dstream/dstream.ts';
import { FileInputDStream } from '../dstream/file-input.ts';
import type { FileStreamOptions } from '../dstream/file-input.ts';
import type { Eventually } from '../dstream/generated.ts';
import { DStreamGraph } from '../dstream/graph.ts';
import { ReceiverInputDStream } from '../dstream/input.ts';
import type { ReceiverInput, StreamDecoder } from '../dstream/input.ts';
import { QueueInputDStream } from '../dstream/queue-input.ts';
import { RddQueue } from '../dstream/rdd-queue.ts';
import type { Receiver } from '../dstream/receiver.ts';
import { hashText, stableText } from '../dstream/uid.ts';
import type { Fingerprint } from '../../protocol/host.ts';
import type { RDD } from '../rdd/rdd.ts';
import { StorageLevel } from '../rdd/storage-level.ts';
import { FunctionTable } from './function-table.ts';
import type { LocalFunctions } from './local-functions.ts';
import { ProgramRdds } from './program-rdds.ts';
import { ProgramSparkContext } from './program-spark-context.ts';
import type { FileSizes } from './program-spark-context.ts';

export interface ProgramOptions {
  readonly program: ProgramId;
  readonly batchIntervalMs: number;
  readonly defaultParallelism: number;
  /** Inline: the cluster's table of closures. Null where workers have threads of their own. */
  readonly local?: LocalFunctions | null;
  readonly fileSizes?: FileSizes;
  /** The option; `checkpoint` counts more. */
  readonly checkpointDirectory?: string | null;
  /** The option: part of the names under which outputs write. */
  readonly appName?: string;
}

const noFiles: FileSizes = (path) => {
  throw new MillraceError('FileFailed', `The file ${path} can't be looked up on this thread.`);
};

export class ProgramBuilder {
  /** @internal */
  readonly program: ProgramId;
  /** The option. */
  readonly appName: string;
  /** @internal */
  readonly functions: FunctionTable;
  /** @internal */
  readonly rdds: ProgramRdds;
  /** @internal */
  readonly graph: DStreamGraph;
  /** Makes RDDs, broadcast variables and accumulators: Spark's `SparkContext`, as a program needs it. */
  readonly sc: ProgramSparkContext;
  /** A task of this program runs on this thread now, in its part that doesn't wait. @internal */
  taskRuns = false;
  /** @internal */
  readonly queues: RddQueue<unknown>[] = [];
  /** @internal */
  readonly deadLetterStreams: DeadLetterStream[] = [];

  constructor(options: ProgramOptions) {
    const { program, batchIntervalMs, defaultParallelism, local = null, fileSizes = noFiles, checkpointDirectory = null, appName = 'millrace' } = options;
    this.program = program;
    this.appName = appName;
    this.functions = new FunctionTable(program, local);
    this.rdds = new ProgramRdds(this.functions, defaultParallelism, local);
    this.graph = new DStreamGraph(this.rdds, batchIntervalMs, checkpointDirectory);
    this.sc = new ProgramSparkContext(this.rdds, fileSizes, (what) => this.graph.checkBuilding(what));
  }

  /** Lines of text from a TCP server. Default level: MEMORY_AND_DISK_SER_2. */
  socketTextStream(host: string, port: number, level: StorageLevel = StorageLevel.MEMORY_AND_DISK_SER_2): ReceiverInputDStream<string> {
    const address = checkAddress('socketTextStream', host, port);
    return new ReceiverInputDStream<string>(this.graph, 'socketTextStream', { kind: 'socketText', ...address }, level);
  }

  /** Records that a decoder makes of a TCP server's bytes; the factory makes one for each connection, on the receiver's thread. */
  socketStream<T>(host: string, port: number, decoder: () => StreamDecoder<T>, level: StorageLevel = StorageLevel.MEMORY_AND_DISK_SER_2): ReceiverInputDStream<T> {
    const address = checkAddress('socketStream', host, port);
    checkFunction('socketStream', decoder);
    return new ReceiverInputDStream<T>(this.graph, 'socketStream', { kind: 'socketDecoder', ...address, factory: decoder }, level);
  }

  /** Blocks of records that come ready-made in the record codec, each after its length. */
  rawSocketStream<T>(host: string, port: number, level: StorageLevel = StorageLevel.MEMORY_AND_DISK_SER_2): ReceiverInputDStream<T> {
    const address = checkAddress('rawSocketStream', host, port);
    return new ReceiverInputDStream<T>(this.graph, 'rawSocketStream', { kind: 'rawSocket', ...address }, level);
  }

  /** A receiver of one's own. The factory is called on the thread where the receiver runs, at each start. */
  receiverStream<T>(factory: () => Receiver<T>): ReceiverInputDStream<T> {
    checkFunction('receiverStream', factory);
    return new ReceiverInputDStream<T>(this.graph, 'receiverStream', { kind: 'custom', factory }, null);
  }

  /** A queue that the app pushes RDDs into, for `queueStream`. Return it from the program. */
  queue<T>(options: { readonly bound?: number } = {}): RddQueue<T> {
    this.graph.checkBuilding('queue');
    const queue = new RddQueue<T>(this.queues.length, this.sc.defaultParallelism, options);
    this.queues.push(queue as unknown as RddQueue<unknown>);
    return queue;
  }

  /** Batches out of a queue: one RDD a batch, or all at once. `defaultRdd`: see queue-input.ts. */
  queueStream<T>(queue: RddQueue<T> | RDD<T>[], oneAtATime = true, defaultRdd?: RDD<T> | null): QueueInputDStream<T> {
    if (!(queue instanceof RddQueue) && !Array.isArray(queue)) throw callError('InvalidArgument', 'queueStream', `queueStream expects a queue that ssc.queue() has made, or an array of RDDs, and got ${previewOf(queue)}.`);
    return new QueueInputDStream<T>(this.graph, queue, oneAtATime, defaultRdd);
  }

  /** The lines of files that appear in a directory. */
  textFileStream(directory: string, options?: FileStreamOptions): FileInputDStream {
    return new FileInputDStream(this.graph, checkText('textFileStream', 'directory', directory), options);
  }

  /** Batch i holds `batches[i]`; null: no RDD. For tests and recordings. */
  batchesStream<T>(batches: readonly (readonly T[] | null)[], partitions = 1): DStream<T> {
    if (!Array.isArray(batches)) throw callError('InvalidArgument', 'batchesStream', `batchesStream expects an array of batches, and got ${previewOf(batches)}.`);
    const wrong = batches.findIndex((batch) => batch !== null && !Array.isArray(batch));
    if (wrong >= 0) throw callError('InvalidArgument', 'batchesStream', `batchesStream expects each batch to be an array of records, or null, and got ${previewOf(batches[wrong])} as batch ${wrong}.`);
    return new BatchesInputDStream<T>(this.graph, batches, partitions);
  }

  /** One stream after another. Throws NoStreams, SlideMismatch, ContextMismatch. */
  union<T>(streams: readonly DStream<T>[]): DStream<T> {
    return new DStream<T>(this.graph, unionSpec<T>(streams));
  }

  /** Any RDD made of those of several streams: as `stream.transform`. */
  transform<T extends readonly unknown[] | [], U>(streams: { readonly [I in keyof T]: DStream<T[I]> }, fn: (rdds: { -readonly [I in keyof T]: RDD<T[I]> }, time: BatchTime) => Eventually<RDD<U>>): DStream<U> {
    checkFunction('transform', fn);
    type Rdds = Parameters<typeof fn>[0];
    return new DStream<U>(this.graph, transformSpec<U>('transform', streams as unknown as readonly DStream<unknown>[], fn, (rdds, time) => fn([...rdds] as unknown as Rdds, time)));
  }

  /**
   * The records that operators with `onError: 'deadLetter'` leave out. Return it from the program, and read it on the app. It
   * has one reader; each call gives a stream of its own, with all of them.
   */
  deadLetters(options?: DeadLetterOptions): DeadLetterStream {
    this.graph.checkBuilding('deadLetters');
    const letters = new DeadLetterStream(options);
    this.deadLetterStreams.push(letters);
    return letters;
  }

  /** Makes a function known to the workers, for use on RDDs inside of foreachRDD. Returns the function itself. */
  task<F extends (...args: never[]) => unknown>(fn: F): F {
    this.graph.checkBuilding('task');
    this.functions.register(checkFunction('task', fn), 'task', callerPlace(), true);
    return fn;
  }

  /** Every stream remembers its RDDs at least that long. Throws RememberAlreadySet. */
  remember(durationMs: number): void {
    this.graph.remember(durationMs);
  }

  /**
   * Where checkpoints go. Streams that build on their own results (states, incremental windows) need one. Counts more than the
   * option `checkpointDirectory`.
   */
  checkpoint(directory: string): void {
    this.graph.checkpoint(directory);
  }

  /** The program has returned: nothing is added from now on. @internal */
  seal(): void {
    this.graph.seal();
    this.functions.seal();
  }

  /** The graph's, and with it every function, queue, broadcast variable and accumulator of the program. @internal */
  fingerprint(): Fingerprint {
    const { operators, hash } = this.graph.fingerprint();
    const rest = {
      uid: 'program',
      kind: 'program',
      parameters: stableText({
        functions: this.functions.size,
        queues: this.queues.length,
        broadcasts: this.sc.broadcasts.length,
        accumulators: this.sc.accumulators.map(({ name }) => name),
        deadLetterStreams: this.deadLetterStreams.length,
        rememberMs: this.graph.rememberMs,
      }),
      functionHash: this.functions.hash,
    };
    return { operators: [...operators, rest], hash: hashText(stableText([hash, rest])) };
  }

  /** How to run each receiver of the program. @internal */
  get receiverInputs(): readonly ReceiverInput[] {
    return this.graph.inputs.flatMap((input) => (input instanceof ReceiverInputDStream ? [input.receiverInput] : []));
  }
}

function checkAddress(method: string, host: string, port: number): { readonly host: string; readonly port: number } {
  return { host: checkText(method, 'host', host), port: checkPort(method, port) };
}

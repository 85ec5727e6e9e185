/**
 * What a measured process is told: the same words for Millrace (as JSON) and for its peers (as their own arguments).
 *
 * Invariant: where both sides have a setting, both get the same value for it.
 */
export interface SubjectSettings {
  /**
   * `socket`: lines from 127.0.0.1:port, words counted in each batch; `windowInverse` and `windowPlain`: the same in windows that slide
   * by a batch. `memory`: a cached RDD of lines, one batch of all of them after another. The names of the state's methods: keyed state. `groupByKey`, `join`: pairs made inside of the tasks, shuffled.
   * `runningCount`: words counted from the beginning on, which goes on from `checkpointDirectory` where something is there. `acknowledged`: a
   * reliable receiver that measures how long its source waits for each acknowledgement; Millrace's alone.
   */
  readonly program: 'socket' | 'memory' | 'windowInverse' | 'windowPlain' | 'updateStateByKey' | 'mapWithState' | 'runningCount' | 'acknowledged' | 'groupByKey' | 'join';
  readonly master: string;
  readonly batchMs: number;
  readonly port?: number;
  /** memory: how many lines there are; memory, shuffles: how many batches. */
  readonly lines?: number;
  readonly batches?: number;
  /** memory: the lines lie in this file, and are read from it in each batch, instead of cached strings. */
  readonly textFile?: string;
  /** Millrace's option of that name. Left out: its default. */
  readonly recognizeClosures?: boolean;
  /** Shuffles: how many pairs a batch makes. */
  readonly pairs?: number;
  /** Shuffles: of how many keys. Keyed state: how many keys there are from the start, and how many a batch brings. */
  readonly keys?: number;
  readonly updates?: number;
  /** Windows: their length. */
  readonly windowMs?: number;
  /** Where the programs that need one checkpoint to. Default: a directory that is made and removed with the process. */
  readonly checkpointDirectory?: string;
  /** socket: received data are logged before they are acknowledged (Spark writes, and never syncs). Others that checkpoint do so anyway. */
  readonly writeAheadLog?: boolean;
  /** Default: `blockIntervalFor`. */
  readonly blockMs?: number;
  /** Millrace's option of that name. */
  readonly walSyncIntervalMs?: number;
  readonly checkpointIntervalMs?: number;
  /** acknowledged: calls of storeBatch a second, and records in each. */
  readonly storesPerSecond?: number;
  readonly recordsPerStore?: number;
  /** The driver's thread is asked something every so many ms, and how long the answers took is told. */
  readonly askEveryMs?: number;
  /** It ends by itself after so many batches. */
  readonly stopAfterBatches?: number;
  /** On the end of stdin: process what has been received, then end. */
  readonly graceful?: boolean;
}

/** The program is given a directory to checkpoint to, so our side has a log. */
export function checkpoints({ program, writeAheadLog }: SubjectSettings): boolean {
  return writeAheadLog === true || !['memory', 'socket', 'groupByKey', 'join'].includes(program);
}

/** The block interval that both sides run with: Spark's default, or the batch interval where that is shorter. */
export function blockIntervalFor(batchMs: number): number {
  return Math.min(200, batchMs);
}

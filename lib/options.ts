/**
 * Every option, in one table: its default, what it may be, and where it is used. Options are checked here, at the door.
 *
 * Invariant: after `clusterOptions` and `streamingOptions` every value is of the kind and range that the rest relies on.
 */
import { availableParallelism } from 'node:os';
import type { Logger } from './actor/logger.ts';
import { FaultPlan } from './fault-plan.ts';
import type { ArgsOf } from './program/exports.ts';
import type { SparkContext } from './spark-context.ts';
import { MillraceError, previewOf } from '../protocol/errors.ts';
import type { ClusterOptions } from '../protocol/host.ts';
import type { DurationMs } from '../protocol/time.ts';
import { deadLettersPerTaskMaxDefault } from './rdd/function-scope.ts';

/** What a `SparkContext` is made with. */
export interface SparkContextOptions {
  /** `local[n]`: n worker threads; `local[*]`: as many as the machine has cores; `inline`: all on the calling thread. Default `local[*]`. */
  readonly master?: string;
  readonly appName?: string;
  /** `master: 'inline'`: how many logical workers. Default 1. */
  readonly inlineWorkers?: number;
  /** Partitions of what is made without a number. Default: the number of workers. */
  readonly defaultParallelism?: number;
  /** Threads for receivers. Where there are two, each keeps replicas of the other's `_2` blocks; where there is one, the driver's thread does. Default 1. */
  readonly ioThreads?: number;
  /** The pool of shared memory for blocks, shuffles and results, in bytes; touched only as it is used. At least two slabs for each thread. Default 512 MiB. */
  readonly blockMemoryBytesMax?: number;
  /** The unit of that memory, in bytes; bounds a record. Default 1 MiB. */
  readonly slabBytes?: number;
  /** The longest record that a receiver takes, in bytes. At most half a slab. Default 256 KiB. */
  readonly recordBytesMax?: number;
  /** Attempts of a task before its job fails. Default 4. */
  readonly taskFailuresMax?: number;
  /** A task that takes longer has its thread ended, in ms. Default 10 minutes. */
  readonly taskTimeoutMs?: number;
  /** An action on an RDD that takes longer fails, in ms. Default 10 minutes. */
  readonly actionTimeoutMs?: number;
  /** The old-generation heap of each worker thread, in MiB; 0: Node's own default. */
  readonly workerHeapMbMax?: number;
  /** The old-generation heap of each io thread, in MiB; 0: Node's own default. */
  readonly ioHeapMbMax?: number;
  /** The old-generation heap of the driver's thread, in MiB; 0: Node's own default. */
  readonly driverHeapMbMax?: number;
  /** When the driver's thread dies, contexts with a checkpoint directory go on by themselves; if it dies more often than this within `driverRestartsMs`, they fail. 0: at once. Not inline. Default 3. */
  readonly driverRestartsMax?: number;
  /** The time within which `driverRestartsMax` counts, in ms. Default 60 s. */
  readonly driverRestartsMs?: number;
  /** Records that one task may report as dead letters (`onError: 'deadLetter'`); more are left out and counted. Default 256. */
  readonly deadLettersPerTaskMax?: number;
  /** Partitions persisted at a serialized level (`…_SER`, `DISK_ONLY`, `OFF_HEAP`) are made smaller by `deflate`, at the cost of time. As Spark's `spark.rdd.compress`. Default `none`. */
  readonly storageCompression?: 'none' | 'deflate';
  /** Loops compiled from text (`new Function`); false: closures. Default true; false is used by itself where text is refused. */
  readonly codegen?: boolean;
  /**
   * Common closures (`(line) => line.split(' ')`, `(word) => [word, 1]`, `(a, b) => a + b`) run as the operators that they are, where that is the same. False: all are called. Default true.
   */
  readonly recognizeClosures?: boolean;
  /**
   * Arrays and plain objects among records are frozen before a function of the program gets them, so that one that changes them fails.
   * For tests, where it is the default (`startTest`, `testOperation`): it costs time for each record. Default false.
   */
  readonly freezeRecords?: boolean;
  /** Faults that are injected, for tests: a plan made by `faultPlan` of `millrace/testing`. Default: none. */
  readonly faults?: FaultPlan;
  /** Seeds back-off's jitter. Default 1. */
  readonly seed?: number;
  /** Where ids come from. Default: nanoid. */
  readonly ids?: () => string;
  /** Default: warnings and errors to stderr. */
  readonly logger?: Logger;
}

/** What a `StreamingContext` is made with. */
export interface StreamingOptions<Args = unknown> extends SparkContextOptions {
  /** The length of a batch, in ms: `Seconds(1)`. Required. */
  readonly batchInterval: DurationMs | number;
  /** Given to the program on every thread: JSON. */
  readonly args?: Args;
  /** Objects of the app's thread, given to foreachRDD's function as `context.app`. */
  readonly app?: Readonly<Record<string, unknown>>;
  /** `manual`: batches come only by `ssc.clock.advance(n)`. Default `system`. */
  readonly clock?: 'system' | 'manual';
  /** How often a receiver's open block is cut, in ms. Default 200, at most the batch interval. */
  readonly blockIntervalMs?: number;
  /** An output operation that takes longer fails, in ms. Default 10 minutes. */
  readonly outputTimeoutMs?: number;
  /** How long `clock.advance` may take, in ms. Default 30 s. */
  readonly advanceTimeoutMs?: number;
  /** The longest back-off before a failed receiver starts again, in ms. Default 2,000, as in Spark. */
  readonly receiverRestartDelayMs?: number;
  /** A receiver that fails more often than this within `receiverRestartsMs` is not started again: the context fails. Default Infinity: it is tried for ever. */
  readonly receiverRestartsMax?: number;
  /** The time within which `receiverRestartsMax` counts, in ms. Default 60 s. */
  readonly receiverRestartsMs?: number;
  /** A thread with receivers that answers nothing for so long is ended, and its receivers start again on another, in ms; a source may be quiet for ever. Default 60 s; Infinity: never. */
  readonly receiverTimeoutMs?: number;
  /** How many blocks of a receiver may be on their way to being stored: over it, its source is held back. Default 64. */
  readonly blocksInFlightMax?: number;
  /** Where checkpoints go; `ssc.checkpoint(directory)` in the program counts more. Default: none. */
  readonly checkpointDirectory?: string;
  /** With a checkpoint directory: received data are logged, too, before they are acknowledged. As Spark's `spark.streaming.receiver.writeAheadLog.enable`, but true by default. */
  readonly writeAheadLog?: boolean;
  /** The log is synced before anything is acknowledged. False: a power cut may cost what was acknowledged last (a killed process costs nothing); Spark never syncs. Default true. */
  readonly walSync?: boolean;
  /** Between two syncs of received data, at least, in ms. Default: `blockIntervalMs`. */
  readonly walSyncIntervalMs?: number;
  /** The log goes on in a new file at this size, in bytes. Default 64 MiB. */
  readonly walSegmentBytesMax?: number;
  /** And after this time, in ms. Default 60,000, as Spark's `rollingIntervalSecs`. */
  readonly walSegmentMsMax?: number;
  /** Each write into a file of its own, for file systems that can't append. Default false, as in Spark. */
  readonly walCloseFileAfterWrite?: boolean;
  /** Between two checkpoints, at least, in ms; 0: with each batch. The log has all that comes between them. Default 1,000. */
  readonly checkpointIntervalMs?: number;
  /** After a restart: the batches that came due while the program was down run one by one (`all`, as in Spark), or the latest alone. Default `all`. */
  readonly missedBatches?: 'all' | 'latest';
  /** After a batch whose jobs failed: `stop` runs no further batch, `continue` goes on as Spark does, `skip` too, without calling it a failure of the context. Default `stop`. */
  readonly onBatchFailure?: 'stop' | 'skip' | 'continue';
  /**
   * On SIGTERM or SIGINT the context stops gracefully, and the process then ends by that signal, unless the app listens for it itself; a second
   * signal ends it at once. As Spark's `spark.streaming.stopGracefullyOnShutdown`. Main thread only. Default false: no handler is installed.
   */
  readonly stopGracefullyOnShutdown?: boolean;
  /** How long a graceful stop may take where `stop` isn't given a `timeoutMs`, in ms. As Spark's `spark.streaming.gracefulStopTimeout`. Default 60,000. */
  readonly gracefulStopTimeoutMs?: number;
  /** Lifts the rule that one context is active in a process. Default false. */
  readonly allowMultipleContexts?: boolean;
  /** Threads to share: contexts one after another, or (with allowMultipleContexts) side by side. Default: threads of its own. */
  readonly sparkContext?: SparkContext;
  /** Where `print` writes. Default: process.stdout. */
  readonly print?: (text: string) => void;
}

/** What `getOrCreate` takes beside a context's options. */
export interface RecoveryOptions {
  /** What is damaged in the log is set aside, and the rest taken. Default false: WalCorrupted. */
  readonly quarantine?: boolean;
  /** Where what is there can't be read (CheckpointCorrupted, WalCorrupted, FormatUnknown) it is set aside, with a warning, and a new program is begun. Default false, as in Spark. */
  readonly createOnError?: boolean;
  /** What is kept of operators that the program does not have any more is left behind. Default false: CheckpointMismatch. */
  readonly allowNonRestoredState?: boolean;
}

/** How `stop` stops. */
export interface StopOptions {
  /** Also ends the threads. Default true, as in Spark; a `sparkContext` given in the options is then stopped, too. */
  readonly stopSparkContext?: boolean;
  /** Ends intake first, processes everything received, then stops. Default false. */
  readonly graceful?: boolean;
  /** How long the graceful part may take, in ms; receivers have half of that to end. Default: the option `gracefulStopTimeoutMs`. */
  readonly timeoutMs?: number;
}

/** What `create` takes with a program: `args` are required where the program's second argument is. */
export type OptionsFor<Program> = StreamingOptions<ArgsOf<Program>> & (undefined extends ArgsOf<Program> ? unknown : { readonly args: ArgsOf<Program> });

interface Rule {
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
}

const whole = (least: number, most = Number.MAX_SAFE_INTEGER): Rule => ({
  expected: most === Number.MAX_SAFE_INTEGER ? `a whole number of ${least} or more` : `a whole number from ${least} to ${most}`,
  accepts: (value) => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most,
});
const duration: Rule = { expected: 'a positive number of milliseconds', accepts: (value) => typeof value === 'number' && value > 0 };
const wholeOrInfinity: Rule = { expected: 'a whole number of 0 or more, or Infinity', accepts: (value) => value === Infinity || (Number.isSafeInteger(value) && (value as number) >= 0) };
const flag: Rule = { expected: 'true or false', accepts: (value) => typeof value === 'boolean' };
const oneOf = (...values: readonly string[]): Rule => ({ expected: `one of ${values.join(', ')}`, accepts: (value) => values.includes(value as string) });
const object: Rule = { expected: 'an object', accepts: (value) => typeof value === 'object' && value !== null };
const callable: Rule = { expected: 'a function', accepts: (value) => typeof value === 'function' };
const text: Rule = { expected: 'a text', accepts: (value) => typeof value === 'string' && value !== '' };
const anything: Rule = { expected: 'anything', accepts: () => true };

const sparkRules: Record<keyof SparkContextOptions, Rule> = {
  master: text,
  appName: text,
  inlineWorkers: whole(1, 1_024),
  defaultParallelism: whole(1, 65_536),
  ioThreads: whole(1, 64),
  blockMemoryBytesMax: whole(1_048_576),
  slabBytes: whole(65_536, 268_435_456),
  recordBytesMax: whole(1),
  taskFailuresMax: whole(1, 1_000),
  taskTimeoutMs: duration,
  actionTimeoutMs: duration,
  workerHeapMbMax: whole(0, 1_048_576),
  ioHeapMbMax: whole(0, 1_048_576),
  driverHeapMbMax: whole(0, 1_048_576),
  driverRestartsMax: wholeOrInfinity,
  driverRestartsMs: duration,
  deadLettersPerTaskMax: whole(0, 65_536),
  storageCompression: oneOf('none', 'deflate'),
  codegen: flag,
  recognizeClosures: flag,
  freezeRecords: flag,
  faults: { expected: 'a plan made by faultPlan of millrace/testing', accepts: (value) => value instanceof FaultPlan },
  seed: whole(0),
  ids: callable,
  logger: object,
};

const streamingRules: Record<keyof StreamingOptions, Rule> = {
  ...sparkRules,
  batchInterval: whole(1),
  args: anything,
  app: object,
  clock: oneOf('system', 'manual'),
  blockIntervalMs: whole(1),
  outputTimeoutMs: duration,
  advanceTimeoutMs: duration,
  receiverRestartDelayMs: duration,
  receiverRestartsMax: wholeOrInfinity,
  receiverRestartsMs: duration,
  receiverTimeoutMs: duration,
  blocksInFlightMax: whole(1, 65_536),
  checkpointDirectory: text,
  writeAheadLog: flag,
  walSync: flag,
  walSyncIntervalMs: whole(0),
  walSegmentBytesMax: whole(4_096),
  walSegmentMsMax: duration,
  walCloseFileAfterWrite: flag,
  checkpointIntervalMs: whole(0),
  missedBatches: oneOf('all', 'latest'),
  onBatchFailure: oneOf('stop', 'skip', 'continue'),
  stopGracefullyOnShutdown: flag,
  gracefulStopTimeoutMs: duration,
  allowMultipleContexts: flag,
  sparkContext: { expected: 'a SparkContext', accepts: isSparkContext },
  print: callable,
};

const stopRules: Record<keyof StopOptions, Rule> = { stopSparkContext: flag, graceful: flag, timeoutMs: duration };
const recoveryRules: Record<keyof RecoveryOptions, Rule> = { quarantine: flag, createOnError: flag, allowNonRestoredState: flag };

/** Not by its class, whose file needs this one. */
function isSparkContext(value: unknown): boolean {
  return typeof (value as { readonly internals?: { readonly join?: unknown } } | null)?.internals?.join === 'function';
}

/** Milliseconds in which what normally takes milliseconds must have happened. */
const tenMinutesMs = 600_000;

/** Throws InvalidOption, UnknownMaster. */
export function clusterOptions(given: SparkContextOptions, scratchDirectory: string): ClusterOptions {
  check(given, { ...streamingRules });
  const { inline, workers: named } = parseMaster(given.master ?? 'local[*]');
  const workers = inline ? (given.inlineWorkers ?? named) : named;
  const slabBytes = given.slabBytes ?? 1_048_576;
  const ioThreads = given.ioThreads ?? 1;
  // Each thread (workers, io threads, driver, app) keeps a slab open; receivers leave a quarter free and need some to read into.
  const slabsLeast = 2 * (workers + ioThreads + 2);
  const options: ClusterOptions = {
    scratchDirectory,
    workers,
    ioThreads,
    defaultParallelism: given.defaultParallelism ?? workers,
    blockMemoryBytesMax: given.blockMemoryBytesMax ?? Math.max(536_870_912, slabsLeast * slabBytes),
    slabBytes,
    recordBytesMax: given.recordBytesMax ?? Math.min(262_144, slabBytes >> 1),
    taskFailuresMax: given.taskFailuresMax ?? 4,
    taskTimeoutMs: given.taskTimeoutMs ?? tenMinutesMs,
    actionTimeoutMs: given.actionTimeoutMs ?? tenMinutesMs,
    workerHeapMbMax: given.workerHeapMbMax ?? 0,
    ioHeapMbMax: given.ioHeapMbMax ?? 0,
    driverHeapMbMax: given.driverHeapMbMax ?? 0,
    deadLettersPerTaskMax: given.deadLettersPerTaskMax ?? deadLettersPerTaskMaxDefault,
    storageCompression: given.storageCompression ?? 'none',
    inline,
    codegen: given.codegen ?? true,
    recognizeClosures: given.recognizeClosures ?? true,
    freezeRecords: given.freezeRecords ?? false,
    seed: given.seed ?? 1,
    faults: given.faults?.share ?? null,
  };
  if (options.recordBytesMax > slabBytes >> 1) refuse('recordBytesMax', `at most half of slabBytes (${slabBytes >> 1})`, options.recordBytesMax);
  if (options.blockMemoryBytesMax < slabsLeast * slabBytes) {
    const expected = `at least ${slabsLeast * slabBytes}, which is two slabs of slabBytes (${slabBytes}) for each of ${slabsLeast / 2} threads`;
    refuse('blockMemoryBytesMax', expected, options.blockMemoryBytesMax);
  }
  return options;
}

/** How often the driver's thread may die. Of checked options. */
export function restartLimits(given: SparkContextOptions) {
  return { restartsMax: given.driverRestartsMax ?? 3, restartsMs: given.driverRestartsMs ?? 60_000 } as const;
}

/** The checked options of a context, defaults filled in. Throws InvalidOption. */
export function streamingOptions<Args>(given: StreamingOptions<Args>) {
  check(given, streamingRules);
  const batchIntervalMs = given.batchInterval;
  if (!(batchIntervalMs > 0)) refuse('batchInterval', streamingRules.batchInterval.expected, batchIntervalMs);
  const blockIntervalMs = Math.min(given.blockIntervalMs ?? 200, batchIntervalMs);
  return {
    batchIntervalMs,
    blockIntervalMs,
    appName: given.appName ?? 'millrace',
    args: given.args,
    app: given.app ?? {},
    clock: given.clock ?? 'system',
    outputTimeoutMs: given.outputTimeoutMs ?? tenMinutesMs,
    advanceTimeoutMs: given.advanceTimeoutMs ?? 30_000,
    receiverRestartDelayMs: given.receiverRestartDelayMs ?? 2_000,
    receiverRestartsMax: given.receiverRestartsMax ?? Infinity,
    receiverRestartsMs: given.receiverRestartsMs ?? 60_000,
    receiverTimeoutMs: given.receiverTimeoutMs ?? 60_000,
    blocksInFlightMax: given.blocksInFlightMax ?? 64,
    checkpointDirectory: given.checkpointDirectory ?? null,
    writeAheadLog: given.writeAheadLog ?? true,
    walSync: given.walSync ?? true,
    walSyncIntervalMs: given.walSyncIntervalMs ?? blockIntervalMs,
    walSegmentBytesMax: given.walSegmentBytesMax ?? 67_108_864,
    walSegmentMsMax: given.walSegmentMsMax ?? 60_000,
    walCloseFileAfterWrite: given.walCloseFileAfterWrite ?? false,
    checkpointIntervalMs: given.checkpointIntervalMs ?? 1_000,
    missedBatches: given.missedBatches ?? 'all',
    onBatchFailure: given.onBatchFailure ?? 'stop',
    stopGracefullyOnShutdown: given.stopGracefullyOnShutdown ?? false,
    gracefulStopTimeoutMs: given.gracefulStopTimeoutMs ?? 60_000,
    allowMultipleContexts: given.allowMultipleContexts ?? false,
    print: given.print ?? null,
  } as const;
}

/** Throws InvalidOption. */
export function stopOptions(given: StopOptions, { gracefulStopTimeoutMs }: CheckedStreamingOptions): Required<StopOptions> {
  check(given, stopRules);
  return { stopSparkContext: given.stopSparkContext ?? true, graceful: given.graceful ?? false, timeoutMs: given.timeoutMs ?? gracefulStopTimeoutMs };
}

/** What `getOrCreate` was given, taken apart: what concerns the directory, checked, and the rest, which `streamingOptions` checks. Throws InvalidOption. */
export function recoveryOptions(given: Partial<StreamingOptions> & RecoveryOptions) {
  checkIsObject(given);
  const { quarantine = false, createOnError = false, allowNonRestoredState = false, ...rest } = given;
  const recovery: Required<RecoveryOptions> = { quarantine, createOnError, allowNonRestoredState };
  check(recovery, recoveryRules);
  return { recovery, rest } as const;
}

export type CheckedStreamingOptions = ReturnType<typeof streamingOptions>;

/** The part of a context's options that its cluster is made with. Throws InvalidOption where they are no object: before threads are started. */
export function sparkOptionsOf(options: StreamingOptions): SparkContextOptions {
  checkIsObject(options);
  return Object.fromEntries(Object.entries(options).filter(([name]) => Object.hasOwn(sparkRules, name))) as SparkContextOptions;
}

/** Arguments go to other threads, and (later) into checkpoints: JSON. Throws InvalidOption with the path of what isn't. */
export function checkArgs(args: unknown, path = 'args', depth = 0): void {
  if (args === undefined || args === null || typeof args === 'string' || typeof args === 'boolean') return;
  if (typeof args === 'number' && Number.isFinite(args)) return;
  const isPlain = typeof args === 'object' && (Array.isArray(args) || Object.getPrototypeOf(args) === Object.prototype || Object.getPrototypeOf(args) === null);
  if (!isPlain || depth > 100) refuse(path, 'JSON (null, booleans, finite numbers, texts, arrays and plain objects of these)', args);
  for (const [key, value] of Object.entries(args)) checkArgs(value, Array.isArray(args) ? `${path}[${key}]` : `${path}.${key}`, depth + 1);
}

function parseMaster(master: string): { readonly inline: boolean; readonly workers: number } {
  if (master === 'inline') return { inline: true, workers: 1 };
  if (master === 'local') return { inline: false, workers: 1 };
  const [, count] = /^local\[(\*|[1-9]\d*)\]$/.exec(master) ?? [];
  const workers = count === '*' ? availableParallelism() : Number(count);
  if (count === undefined || workers > 1_024) {
    throw new MillraceError('UnknownMaster', `Expected master to be local[n] (n worker threads, 1 to 1024), local[*] or inline; got ${previewOf(master)}.`, { details: { master } });
  }
  return { inline: false, workers };
}

/** A text has members, too, and a number has none: neither is to be looked through as if it held options. */
function checkIsObject(given: object): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) refuse('options', 'an object of options: { name: value }', given);
}

function check(given: object, rules: Readonly<Record<string, Rule>>): void {
  checkIsObject(given);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const rule = rules[name];
    if (rule === undefined) refuse(name, `one of the options ${Object.keys(rules).join(', ')}`, name);
    if (!rule.accepts(value)) refuse(name, rule.expected, value);
  }
}

function refuse(option: string, expected: string, value: unknown): never {
  throw new MillraceError('InvalidOption', `Expected ${option} to be ${expected}; got ${previewOf(value)}.`, { details: { option } });
}

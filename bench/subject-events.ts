/**
 * What a measured process says on its stdout: one JSON object a line. Millrace (subject.ts) and Spark (peers/spark) speak
 * the same lines, so that one piece of code measures both. Lines that are no JSON object are passed on to stderr.
 *
 * The process ends in an orderly way when its stdin ends.
 */
export type SubjectEvent = MainEvent | StartedEvent | BatchEvent | OutputEvent | MemoryEvent | StateEvent | LogEvent | LatencyEvent | FailedEvent | EndEvent;

/** The first thing a subject says. */
export interface MainEvent {
  readonly event: 'main';
  readonly epochMs: number;
  readonly version: string;
}

/** The context's start() has returned. */
export interface StartedEvent {
  readonly event: 'started';
  readonly epochMs: number;
}

/** A batch is complete. Delays as Spark defines them: submission to first job, first job to end of the last. */
export interface BatchEvent {
  readonly event: 'batch';
  readonly batchTime: number;
  readonly records: number;
  readonly schedulingDelayMs: number;
  readonly processingDelayMs: number;
  readonly epochMs: number;
}

/** A batch's counts lie at the driver, with their top 10. `stamps`: [stamp of the line in epoch µs, lines with that stamp]. */
export interface OutputEvent {
  readonly event: 'output';
  readonly batchTime: number;
  readonly doneUs: number;
  readonly words: number;
  readonly keys: number;
  readonly top: number;
  readonly stamps: readonly (readonly [stampUs: number, lines: number])[];
}

/** Of the soak benchmark: what is held after so many batches. Counts of handles, partitions, RDDs; sums since the start. */
export interface MemoryEvent {
  readonly event: 'memory';
  readonly batch: number;
  readonly epochMs: number;
  readonly rssMib: number;
  readonly usedBytes: number;
  readonly heldHandles: number;
  readonly scopes: number;
  readonly persistedPartitions: number;
  readonly diskBytes: number;
  readonly rdds: number;
  readonly spilled: number;
  readonly sourceBlocksOnDisk: number;
  readonly processingDelayMs: number;
  readonly schedulingDelayMs: number;
  readonly lines: number;
  readonly words: number;
  /** Keys that the two states held after the last batch, those of the last window, and all that have timed out. */
  readonly updateKeys: number;
  readonly mapKeys: number;
  readonly windowKeys: number;
  readonly timedOut: number;
}

/** A running count after a batch: its keys, the sum of their counts, and the sum of counts times the words' numbers (0: not told). */
export interface StateEvent {
  readonly event: 'state';
  readonly batchTime: number;
  readonly keys: number;
  readonly words: number;
  readonly weighted: number;
}

/** What was written down since the start, by the time that a batch was complete. */
export interface LogEvent {
  readonly event: 'log';
  readonly batchTime: number;
  readonly epochMs: number;
  readonly log: WrittenCounts;
  readonly state: WrittenCounts;
  readonly checkpoints: { readonly written: number; readonly bytes: number; readonly heldMs: number; readonly heldMsMax: number };
}

export interface WrittenCounts {
  readonly syncs: number;
  readonly directorySyncs: number;
  /** Each is one write and one sync. There are more syncs than groups, since a new segment has one of its own. */
  readonly groups: number;
  readonly bytes: number;
}

/** Times that something took, in ms: a source's wait for acknowledgements, or the driver's answers. */
export interface LatencyEvent {
  readonly event: 'latency';
  readonly of: 'acknowledgement' | 'answer';
  readonly epochMs: number;
  readonly ms: readonly number[];
}

/** The stream has failed; the process ends. */
export interface FailedEvent {
  readonly event: 'failed';
  readonly message: string;
}

/** The last thing a subject says. */
export interface EndEvent {
  readonly event: 'end';
  readonly epochMs: number;
  readonly batches: number;
  readonly gcMs?: number;
  readonly rssPeakMib: number;
}

/** A line of stdout as an event; null where it is something else. */
export function parseEvent<E extends { readonly event: string }>(line: string): E | null {
  if (!line.startsWith('{"event":')) return null;
  try {
    return JSON.parse(line) as E;
  } catch {
    return null;
  }
}

/**
 * The one table of errors: every code that a user of Millrace can meet, and the form in which an error crosses threads.
 *
 * Invariant: a `MillraceError`'s code is a key of `errorTable`. Texts say what was expected, what came, and what to do.
 * `docs/ERRORS.md` lists the same codes; a test compares the two.
 */
export interface ErrorEntry {
  /** What it means, in one sentence: goes into docs/ERRORS.md. */
  readonly meaning: string;
  /** What the user can do. */
  readonly action: string;
  /** True where the same call can succeed later with nothing changed by the user. */
  readonly retryable: boolean;
}

const entry = (meaning: string, action: string, retryable = false): ErrorEntry => ({ meaning, action, retryable });

/** Every code that an error of Millrace can have: its meaning, what to do, and whether the same call can succeed later. */
export const errorTable = {
  // Options and life cycle.
  InvalidOption: entry('An option has a value that it can\'t have.', 'Give a value of the kind and range that the message names.'),
  UnknownMaster: entry('The master is none that Millrace knows.', 'Use local[n], local[*] or inline.'),
  NoOutputOperation: entry('The graph has no output operation, so there is nothing to execute.', 'Add print, foreachRDD, foreach, publish or another output to at least one stream.'),
  ContextAlreadyStarted: entry('Streams, operations and outputs can\'t be added after the context has started.', 'Build the whole graph before start().'),
  ContextStopped: entry('The context has been stopped and can\'t be used or started again.', 'Make a new context.'),
  ContextActive: entry('Another context is active in this process.', 'Stop it first, or set allowMultipleContexts.'),
  ContextInsideProgram: entry('A context was made on a thread that only builds programs.', 'Put the program into a module of its own, without the code that creates the context.'),
  ContextFailed: entry('The runtime has failed as a whole: its driver thread is gone.', 'Make a new context; the cause says what ended the thread. With a checkpoint directory a program on threads goes on by itself.'),
  DriverRestarted: entry('The driver\'s thread died before it had answered, and has been started again.', 'Ask again; what was made of RDDs of before must be made anew.', true),
  RememberAlreadySet: entry('The remember duration was already set.', 'Call remember() once.'),
  CheckpointDirectoryMissing: entry('A stream that must be checkpointed has no directory for it.', 'Call ssc.checkpoint(directory), or set checkpointDirectory.'),
  CheckpointMissing: entry('There is no checkpoint to go on from.', 'Give a program to begin with, or the directory that the program was run with.'),
  CheckpointExists: entry('A new program was started with the checkpoint directory of another run.', 'Use getOrCreate to go on from it, or give an empty directory.'),
  CheckpointCorrupted: entry('A checkpoint can\'t be read, and no older one either.', 'Restore the directory from a copy; the message names the file.'),
  CheckpointMismatch: entry('A program does not fit the checkpoint that it was to go on from.', 'The message lists both sides. Give operators their uids back, or set allowNonRestoredState.'),
  QueueNotRecoverable: entry('A stream over an array of RDDs can\'t go on from a checkpoint.', 'Use ssc.queue(), whose pushes are logged.'),
  CheckpointIntervalInvalid: entry('A stream\'s checkpoint interval does not fit its slide duration.', 'Give a whole multiple of the slide.'),
  CheckpointNotPersisted: entry('A stream with a checkpoint interval keeps none of its RDDs.', 'Persist it; of a window, checkpoint what is made of it.'),
  CannotChangeAfterStart: entry('A setting of a stream can\'t change after the context has started.', 'Set it while the graph is built.'),
  StopTimeout: entry('The context did not stop in time.', 'See what the message and the details list as left. Give timeoutMs more time; with a checkpoint directory the next getOrCreate processes it.'),

  // Programs.
  ProgramMissing: entry('The program\'s module can\'t be found or loaded.', 'Check the URL; the cause says what failed.'),
  ProgramHasNoDefault: entry('The program\'s module has no default export that is a function.', 'Export the function that builds the graph as default.'),
  ProgramNeedsBuild: entry('The program is a .ts file and this Node can\'t load it in a worker.', 'Compile it to JavaScript, or start Node with a loader that reaches worker threads.'),
  ProgramThrew: entry('The program\'s function threw while the graph was built.', 'The cause is the program\'s own error.'),
  ProgramAsync: entry('The program\'s function returned a promise.', 'Build the graph synchronously; give what must be awaited as a factory or through args.'),
  ProgramDiverged: entry('Two threads that built the same program got different graphs.', 'Build the graph from args alone: no time, randomness or environment of one thread.'),
  ProgramNotAModule: entry('A plain function was given as the program, and the master has threads of its own.', 'Put the program into a module and give its URL, or use master inline.'),
  DuplicateUid: entry('Two operators have the same uid.', 'Give each operator a uid of its own.'),
  FunctionMadeTooLate: entry('A function that must run on the workers was made after the graph was built.', 'Make it while the graph is built: const f = ssc.task(fn), and use f here.'),
  AsyncRecordFunction: entry('A function on records is async, or returned a promise.', 'Return the value itself; for async work use foreachPartition.'),

  // The graph.
  WindowNotMultiple: entry('A window\'s length or slide is no multiple of its parent\'s slide duration.', 'Give whole multiples of the parent\'s slide; the message has both numbers.'),
  SlideMismatch: entry('Streams that are combined have different slide durations.', 'Window them to the same slide first.'),
  ContextMismatch: entry('Streams or RDDs of different contexts are combined.', 'Make both on the same context.'),
  NoStreams: entry('An operation on several streams was given none.', 'Give at least one stream.'),
  NotInitialized: entry('A stream was asked for RDDs before its context was started.', 'Call start() first.'),
  SliceUnavailable: entry('A slice needs records that are gone and can\'t be read again, or that have not come yet.', 'Call remember() with the time that slices reach back; the message names the stream and the time.'),
  NoRddFromParent: entry('A stream has no RDD for a time at which an operation needs one.', 'Let the input give an RDD without records instead of none.'),
  TransformReturnedNull: entry('A transform function returned no RDD.', 'Return an RDD; ssc.sc.emptyRDD() where there are no records.'),
  InvalidStateCall: entry('A function of mapWithState asked of a key\'s state what it can\'t have at that moment.', 'Ask exists() and isTimingOut() first; the message says which call it was.'),
  StateNotMigrated: entry('Restored state is of another version than the operator\'s, and nothing says how it becomes one of this.', 'Give the operator a `migrate` function, or the `stateVersion` that the state was written with.'),
  StateFailed: entry('The state of a batch could not be made, and was left as it was before.', 'The cause is the failure of the function or of what it was given.'),
  InverseWindowInconsistent: entry('An incremental window met a key that is leaving it and has no result from the window before.', 'Let the filter keep every key that is still in the window: look at values, not at keys.'),
  InvalidArgument: entry('A method was called with an argument that it can\'t work with.', 'The message names the argument, what was expected and what came.'),

  // Records.
  RecordNotSerializable: entry('A record holds a value that can\'t leave its thread.', 'Use plain data, or register a codec for the class.'),
  RecordsUnreadable: entry('Bytes that should be records are none, or of a form that this version can\'t read.', 'Read them with the release that wrote them, and register the codecs that it had.'),
  InvalidKey: entry('A key is of a kind that has no equality by value.', 'Use null, booleans, numbers, bigints, strings, dates, typed arrays or arrays of these as keys.'),
  RecordTooLarge: entry('A record is larger than recordBytesMax.', 'Raise recordBytesMax, or split the record at its source.'),
  NotAPair: entry('A pair operation met a record that is no array of two.', 'Map the stream to [key, value] first.'),
  EmptyCollection: entry('An action that needs at least one record found none.', 'Use fold or aggregate, or check isEmpty() first.'),

  // Jobs and tasks.
  TaskFailed: entry('A task failed as often as it may.', 'The cause is the failure of its last attempt.'),
  UserFunctionFailed: entry('A user\'s function threw.', 'The cause is its own error; operator, place, batch, partition and record say where.'),
  TaskTimeout: entry('A task took longer than taskTimeoutMs; its thread was ended.', 'Raise taskTimeoutMs, or look for an endless loop at the operator named.'),
  TaskCancelled: entry('A task was cancelled because its job has ended.', 'Nothing: the job\'s own error says why.'),
  OutputTimeout: entry('An output operation took longer than outputTimeoutMs.', 'Raise outputTimeoutMs, or see what the output waits for.'),
  OutputFailed: entry('An output operation\'s function threw.', 'The cause is its own error.'),
  RddReleased: entry('An RDD was used after its batch was over.', 'Use it only until the promise that foreachRDD\'s function returned has settled.'),
  AdvanceTimeout: entry('The manual clock\'s advance did not finish in time.', 'The message lists what was still running.'),

  // Memory, disk, sources.
  BlockMemoryExhausted: entry('The pool of shared memory is full.', 'Raise blockMemoryBytesMax, or process less at a time.', true),
  StaleHandle: entry('A block was read after its memory was given back.', 'This is a bug of Millrace: please report it.'),
  BlockMissing: entry('A block that a task needs is lost.', 'Without a write-ahead log a lost block can\'t be had again; the report says how many records it held.'),
  ConnectionFailed: entry('A source could not be reached, or its connection broke.', 'It is tried again with back-off; check host and port.', true),
  ReceiverFailed: entry('A receiver failed.', 'It is restarted with back-off; the cause says why.', true),
  BlockNotStored: entry('Records were not stored, or nobody can say that they are.', 'Don\'t acknowledge them to their source: it has to send them again.', true),
  FileExists: entry('An output directory exists already.', 'Remove it, or give another prefix.'),
  FileFailed: entry('A file could not be read or written.', 'The cause is the system\'s own error.', true),
  LogFailed: entry('A log could not be written, in one new file after the other.', 'Mend the disk, as the cause says; what was acknowledged is safe, and later appends are tried again.', true),
  LogClosed: entry('Something was appended to a log that has been closed.', 'Append before it is closed.'),
  LogLocked: entry('Another process, or another context of this one, writes to the directory.', 'End it, or use another directory; the message says who it is.', true),
  WalCorrupted: entry('A log is damaged in front of what was acknowledged, or a part of it is missing.', 'Restore the directory from a copy, or recover with quarantine, which sets the damaged part aside.'),
  FormatUnknown: entry('A file on the disk is of a format version that this release can\'t read.', 'Use the release that wrote it, or a newer one.'),

  // Actors.
  AskTimeout: entry('An actor did not answer in time.', 'See its mailbox depth; raise the timeout.', true),
  ActorGone: entry('The actor that was asked has ended.', 'Ask the one that its supervisor has started instead.', true),
  HostGone: entry('A thread of the runtime has died.', 'Its actors are restarted on a new thread; the cause says what ended it.', true),
  MailboxOverflow: entry('An actor\'s mailbox passed its bound.', 'Send slower, raise the bound, or choose another overflow policy.', true),
  MessageNotSerializable: entry('An actor sent a message that can\'t go to another thread.', 'Send plain data; name functions, don\'t send them.'),
  StashOverflow: entry('An actor put aside more messages than its stash may hold.', 'Raise the bound, or answer with a refusal.'),
  RestartIntensityReached: entry('A supervisor\'s children failed more often than its intensity allows.', 'The cause is the last failure.'),
  UnknownBehavior: entry('No behaviour of that name is registered on the thread.', 'Register it before the actor is started.'),
  FaultInjected: entry('A test\'s fault plan has killed an actor.', 'Nothing: the test wanted it. Without a plan in the option faults it never comes.'),
  UnknownChild: entry('A supervisor has no child of that id, or not in the state that the call needs.', 'See whichChildren().'),
} as const satisfies Record<string, ErrorEntry>;

/** The codes of `errorTable`. */
export type ErrorCode = keyof typeof errorTable;

/** An error of Millrace. Match on `code`; `details` holds the values that the message names. */
export class MillraceError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; details?: Record<string, unknown> } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'MillraceError';
    this.code = code;
    this.details = options.details ?? {};
  }

  /** True where the same call can succeed later with nothing changed by the user. */
  get retryable(): boolean {
    return errorTable[this.code].retryable;
  }
}

/** An error as plain data: survives structured clone, whatever the original held. Causes to depth 5. */
export interface WireError {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  readonly code: string | null;
  readonly cause: WireError | null;
  /** Own fields that are plain data; others as text. */
  readonly fields: Readonly<Record<string, unknown>>;
}

const causeDepthMax = 5;
const fieldCharactersMax = 1_000;
/** Told by members of their own in the wire form. `__proto__` is no name that a field can have on the other side. */
const notFields = new Set(['code', 'cause', 'name', 'message', 'stack', '__proto__']);

/** Makes the wire form. Never throws, whatever was thrown: a getter that fails becomes a text that says so. */
export function toWireError(thrown: unknown, depth = 0): WireError {
  try {
    return isError(thrown) ? wireFormOf(thrown, depth) : { name: 'NonError', message: previewOf(thrown), stack: '', code: null, cause: null, fields: {} };
  } catch {
    return { name: 'NonError', message: 'A thrown value that can\'t be looked at.', stack: '', code: null, cause: null, fields: {} };
  }
}

function isError(thrown: unknown): thrown is Error {
  // The tag tells errors of other realms (node:vm), which are instances of another Error.
  return thrown instanceof Error || Object.prototype.toString.call(thrown) === '[object Error]';
}

function wireFormOf(thrown: Error, depth: number): WireError {
  const members = thrown as unknown as Readonly<Record<string, unknown>>;
  const fields: Record<string, unknown> = {};
  for (const key of Object.keys(thrown)) {
    if (!notFields.has(key)) fields[key] = key === 'details' ? plainDetails(members) : plainField(() => members[key]);
  }
  // Not enumerable, and all that an AggregateError says: a connection refused on each of a host's addresses has no message of its own.
  if (thrown instanceof AggregateError) fields['errors'] = plainField(() => thrown.errors.map((error) => textOf(() => (error as Error).message)));
  const code = plainField(() => members['code']);
  const cause = depth + 1 < causeDepthMax ? attempt(() => members['cause']) : null;
  return {
    name: textOf(() => thrown.name),
    message: textOf(() => thrown.message),
    stack: textOf(() => thrown.stack ?? ''),
    code: typeof code === 'string' ? code : null,
    cause: cause === undefined || cause === null ? null : toWireError(cause, depth + 1),
    fields,
  };
}

/** The error again, on the thread that reports it: a `MillraceError` where it was one, with the first stack kept. */
export function fromWireError(wire: WireError): Error {
  const cause = wire.cause === null ? undefined : fromWireError(wire.cause);
  if (wire.name === 'MillraceError' && wire.code !== null && Object.hasOwn(errorTable, wire.code)) {
    const { details } = wire.fields;
    const error = new MillraceError(wire.code as ErrorCode, wire.message, { ...(isRecord(details) ? { details } : {}), ...(cause === undefined ? {} : { cause }) });
    if (wire.stack !== '') error.stack = wire.stack;
    return error;
  }
  const error = new Error(wire.message, cause === undefined ? undefined : { cause });
  error.name = wire.name;
  if (wire.stack !== '') error.stack = wire.stack;
  if (wire.code !== null) Object.assign(error, { code: wire.code });
  for (const [key, value] of Object.entries(wire.fields)) {
    if (!(key in error)) Object.assign(error, { [key]: value });
  }
  return error;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What was thrown, as the end of a sentence of ours: without the full stop that it may have. Never throws. */
export function clauseOf(thrown: unknown): string {
  const text = attempt(() => (isError(thrown) ? thrown.message : typeof thrown === 'string' ? thrown : previewOf(thrown)));
  return (text ?? 'a thrown value that can\'t be looked at').replace(/(?<!\.)\.$/, '');
}

/** A text of somebody else's, as a sentence: with a full stop where it ends in none. */
export function sentenceOf(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** Entries of an array, Map or Set that a preview shows. */
const previewEntriesMax = 20;

/** A bounded, one-line text of any value: for messages and previews of records. Never throws. */
export function previewOf(value: unknown, charactersMax = 200): string {
  const text = attempt(() => previewText(value, charactersMax)) ?? attempt(() => Object.prototype.toString.call(value)) ?? '[a value that can\'t be looked at]';
  return text.length > charactersMax ? `${text.slice(0, charactersMax)}…` : text;
}

function previewText(value: unknown, charactersMax: number): string {
  if (value === undefined) return 'undefined';
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : `${value}`;
  if (typeof value === 'string') return JSON.stringify(value.slice(0, charactersMax));
  if (typeof value === 'function') return `[function ${value.name}]`;
  let budget = 200;
  const text = JSON.stringify(value, (_key, inner: unknown) => {
    if ((budget -= 1) < 0) return '…';
    if (typeof inner === 'bigint') return `${inner}n`;
    // JSON has no word for NaN and Infinity, and would say null.
    if (typeof inner === 'number' && !Number.isFinite(inner)) return `${inner}`;
    if (typeof inner === 'string' && inner.length > 100) return `${inner.slice(0, 100)}…`;
    if (inner instanceof Map) return { Map: firstOf(inner) };
    if (inner instanceof Set) return { Set: firstOf(inner) };
    if (ArrayBuffer.isView(inner)) return `[${inner.constructor.name} of ${inner.byteLength} bytes]`;
    // Each entry costs a call of this function, so a long array is cut before, not after.
    if (Array.isArray(inner) && inner.length > previewEntriesMax) return [...inner.slice(0, previewEntriesMax), `… ${inner.length} in all`];
    if (typeof inner === 'function') return `[function ${inner.name}]`;
    return inner;
  });
  return text ?? String(value);
}

function firstOf(entries: Iterable<unknown>): unknown[] {
  const first: unknown[] = [];
  for (const entry of entries) {
    if (first.push(entry) === previewEntriesMax) break;
  }
  return first;
}

/** Each of an error's details by itself: one that can't be cloned does not cost the others. */
function plainDetails(members: Readonly<Record<string, unknown>>): unknown {
  const details = attempt(() => members['details']);
  if (!isRecord(details)) return plainField(() => details);
  return Object.fromEntries((attempt(() => Object.keys(details)) ?? []).map((key) => [key, plainField(() => details[key])]));
}

function plainField(read: () => unknown): unknown {
  let value: unknown;
  try {
    value = read();
  } catch {
    return '[it threw when it was read]';
  }
  try {
    if (value === null || value === undefined) return value ?? null;
    if (typeof value === 'string') return value.length > 20_000 ? `${value.slice(0, 20_000)}…` : value;
    if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return value;
    if (typeof value === 'object' && (Object.getPrototypeOf(value) === Object.prototype || Array.isArray(value))) {
      return structuredClone(value);
    }
  } catch {
    // Falls through to text: what can't be cloned or read is described.
  }
  return previewOf(value, fieldCharactersMax);
}

/** A member that should be a text. */
function textOf(read: () => unknown): string {
  const value = plainField(read);
  return typeof value === 'string' ? value : previewOf(value, fieldCharactersMax);
}

function attempt<R>(read: () => R): R | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

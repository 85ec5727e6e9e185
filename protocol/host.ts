/**
 * Threads: what a host is told when it starts, and what the host manager and the hosts' agents say to each other.
 *
 * Invariant: a host id is given to one thread for its life and never again; a host is announced as up only after its
 * programs are built, and as down exactly once.
 */
import type { FaultPlanShare } from './fault.ts';
import type { ReplyTo } from './ref.ts';
import type { HostId, ProgramId, StreamId } from './ids.ts';
import type { WireError } from './errors.ts';
import type { OperatorPlace } from './rdd.ts';
import type { LogSettings } from './recovery.ts';

export type HostRole = 'driver' | 'io' | 'worker';

/** Options that every thread needs: plain data, made from the user's options at the door. */
export interface ClusterOptions {
  readonly workers: number;
  readonly ioThreads: number;
  readonly defaultParallelism: number;
  readonly blockMemoryBytesMax: number;
  readonly slabBytes: number;
  readonly recordBytesMax: number;
  readonly taskFailuresMax: number;
  readonly taskTimeoutMs: number;
  /** How long an action (a job asked for by the app or a transform) may take. */
  readonly actionTimeoutMs: number;
  readonly workerHeapMbMax: number;
  readonly ioHeapMbMax: number;
  readonly driverHeapMbMax: number;
  readonly deadLettersPerTaskMax: number;
  /** Of partitions persisted at a serialized level. */
  readonly storageCompression: 'none' | 'deflate';
  /** Where partitions go that are persisted on disk; removed with the cluster. */
  readonly scratchDirectory: string;
  readonly inline: boolean;
  readonly codegen: boolean;
  /** Common closures run as the operators that they are. */
  readonly recognizeClosures: boolean;
  /** Tests: records are unchangeable before a user's function gets them. */
  readonly freezeRecords: boolean;
  readonly seed: number;
  /** Tests: faults that are injected. Null: none, and nothing looks for any. */
  readonly faults: FaultPlanShare | null;
}

/** What a thread is started with (beside its port). `pool` holds SharedArrayBuffers. */
export interface HostInit {
  readonly host: HostId;
  readonly role: HostRole;
  /** Place among the threads of its role: `worker-1`. A replacement takes the place of the one that died. */
  readonly index: number;
  readonly options: ClusterOptions;
  readonly pool: unknown;
  /** The words by which its tasks are reached while it is busy: see lib/base/task-control.ts. */
  readonly control: SharedArrayBuffer;
  /** From where it numbers the RDDs that it makes. Default 0. */
  readonly firstRdd?: number;
}

/** How a program is found: by module, or (inline only) as a function in the cluster's table. */
export interface ProgramDescriptor {
  readonly program: ProgramId;
  /** The module's URL; null for a plain function of this thread. */
  readonly url: string | null;
  readonly args: unknown;
  readonly batchIntervalMs: number;
  /** The option's; the program may name another one. */
  readonly checkpointDirectory: string | null;
  readonly appName: string;
  /** The context's own: it may be another one than the cluster's. */
  readonly defaultParallelism: number;
}

/** One operator of a fingerprint, as `ProgramDiverged` shows it. */
export interface OperatorPrint {
  readonly uid: string;
  readonly kind: string;
  readonly parameters: string;
  readonly functionHash: string;
}

export interface Fingerprint {
  readonly operators: readonly OperatorPrint[];
  readonly hash: string;
}

/** To the agent that every host runs at `/<host>/agent`: the host's programs. */
export type ToHostAgent =
  | { readonly type: 'loadProgram'; readonly descriptor: ProgramDescriptor; readonly replyTo: ReplyTo<{ readonly fingerprint: Fingerprint }> }
  | { readonly type: 'forgetProgram'; readonly program: ProgramId }
  | { readonly type: 'loaded'; readonly replyTo: ReplyTo<{ readonly fingerprint: Fingerprint }>; readonly fingerprint: Fingerprint | null; readonly error: WireError | null }
  | { readonly type: 'ping'; readonly replyTo: ReplyTo<null> }
  /** Fault injection: throw outside of any actor, exit, or fill the heap. */
  | { readonly type: 'die'; readonly how: 'throw' | 'exit' | 'rejection' | 'outOfMemory' };

/** To the host manager on the driver, which owns the pools. */
export type ToHostManager =
  /** The thread's agent has answered. */
  | { readonly type: 'hostReady'; readonly host: HostId; readonly error: WireError | null }
  /** From the launcher, exactly once for each host. */
  | { readonly type: 'hostExited'; readonly host: HostId; readonly error: WireError }
  /** Build it on every host, also on those that are still starting; answered when all have, and all alike. */
  | { readonly type: 'loadEverywhere'; readonly descriptor: ProgramDescriptor; readonly expected: Fingerprint; readonly replyTo: ReplyTo<{ readonly io: readonly HostId[] }> }
  | { readonly type: 'programLoaded'; readonly host: HostId; readonly program: ProgramId; readonly fingerprint: Fingerprint | null; readonly error: WireError | null }
  | { readonly type: 'forgetProgram'; readonly program: ProgramId }
  | { readonly type: 'whichHosts'; readonly replyTo: ReplyTo<readonly HostInfo[]> }
  /** Ends a thread: a task over its time, and fault injection. */
  | { readonly type: 'killHost'; readonly host: HostId; readonly how: 'terminate' | 'throw' | 'exit' | 'rejection' | 'outOfMemory' }
  | { readonly type: 'childStarted'; readonly host: HostId; readonly error: WireError | null };

export interface HostInfo {
  readonly host: HostId;
  readonly role: HostRole;
  readonly index: number;
  readonly up: boolean;
}

/** All that the driver must know of a streaming context: plain data, made from the user's options and the built graph. */
export interface StreamingSpec {
  readonly descriptor: ProgramDescriptor;
  readonly fingerprint: Fingerprint;
  readonly clock: 'system' | 'manual';
  readonly blockIntervalMs: number;
  readonly outputTimeoutMs: number;
  readonly advanceTimeoutMs: number;
  readonly receiverRestartDelayMs: number;
  readonly receiverRestartsMax: number;
  readonly receiverRestartsMs: number;
  readonly receiverTimeoutMs: number;
  readonly blocksInFlightMax: number;
  readonly onBatchFailure: 'stop' | 'skip' | 'continue';
  /** By output number, for events. */
  readonly outputNames: readonly string[];
  readonly receivers: readonly ReceiverSource[];
  /** The uids of the inputs, by stream. */
  readonly uids: Readonly<Record<number, string>>;
  /** Null: nothing is written down. */
  readonly durability: Durability | null;
}

/** What is written down, and what was. */
export interface Durability {
  readonly settings: LogSettings;
  /** What the directory held: see lib/recovery/recover.ts. Null: nothing. */
  readonly recovered: unknown;
  /** Batches that came due while the program was down: all of them, or the latest alone. */
  readonly missedBatches: 'all' | 'latest';
}

/** Where an input stream's records come from; a user's factory is found in the program by stream id. */
export interface ReceiverSource {
  readonly stream: StreamId;
  readonly kind: 'socketText' | 'rawSocket' | 'socketDecoder' | 'custom';
  readonly host: string;
  readonly port: number;
  /** How many block managers know a block before it counts as received: 2 for a `_2` level. Null: the user's receiver says so itself. */
  readonly copies: number | null;
  /** The input in the user's program: its uid, its method and the place of the call. */
  readonly operator: OperatorPlace;
}

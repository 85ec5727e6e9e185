/**
 * What a host gives to the actors that live on it: the world, by argument.
 *
 * Invariant: an actor reaches clock, disk, network, memory and programs only through this object, so the same actors run
 * on a thread, inline and in the simulator. There is one for each host; nothing in it is shared between hosts but memory.
 */
import type { LogLevel } from '../lib/actor/logger.ts';
import type { FileEntry } from '../lib/dstream/environment.ts';
import type { Clock } from '../lib/base/clock.ts';
import type { SlabPool } from '../lib/storage/slab-pool.ts';
import type { SyncFiles } from '../lib/storage/node-files.ts';
import type { NetPort } from '../lib/sources/source.ts';
import type { ClusterOptions, HostRole } from '../protocol/host.ts';
import type { TaskControl } from '../lib/base/task-control.ts';
import type { ActorRef, ReplyTo } from '../protocol/ref.ts';
import type { Port } from '../lib/actor/link.ts';
import type { WireError } from '../protocol/errors.ts';
import type { HostId, ProgramId } from '../protocol/ids.ts';
import type { HostLauncher } from './launcher.ts';
import type { HostProgram } from './programs.ts';

export interface HostServices {
  readonly host: HostId;
  readonly role: HostRole | 'app';
  readonly index: number;
  readonly options: ClusterOptions;
  readonly clock: Clock;
  readonly pool: SlabPool;
  readonly control: TaskControl;
  readonly net: NetPort;
  readonly files: SyncFiles;
  /** The programs built on this host, by id. Written by the host's agent (and, inline, by the app) alone. */
  readonly programs: Map<ProgramId, HostProgram>;
  /** From a callback of the outside (a socket, a user's receiver) into a mailbox of this host. */
  readonly tell: <M>(to: ActorRef<M>, message: NoInfer<M>) => void;
  /** A question from outside of a turn: for code that runs under `perform`. */
  readonly ask: <M, R>(to: ActorRef<M>, make: (replyTo: ReplyTo<R>) => NoInfer<M>, timeoutMs: number) => Promise<R>;
  readonly nextRdd: () => number;
  readonly log: (level: LogLevel, text: string) => void;
  /** The plain files directly in a directory; none where it does not exist. */
  readonly listFiles: (directory: string) => Promise<readonly FileEntry[]>;
  /** Makes an output directory, without `_SUCCESS` and parts of an earlier run. Throws FileExists where it holds something and may not be overwritten, FileFailed. */
  readonly claimDirectory: (directory: string, overwrite: boolean) => Promise<void>;
  /** All that was to be written into an output directory is there: marks it by `_SUCCESS`. */
  readonly completeDirectory: (directory: string) => Promise<void>;
  /** Driver only: links this host to one that it has launched; tells everybody that a host is gone. */
  readonly connect: (port: Port | null, host: HostId) => void;
  readonly hostDown: (host: HostId, error: WireError) => void;
  /** Driver only: starts threads. */
  readonly launcher: HostLauncher | null;
  /** Driver only: the control words of each live host. */
  readonly controls: Map<HostId, TaskControl>;
  /** Fault injection: ends this thread in the way named. */
  readonly die: (how: 'throw' | 'exit' | 'rejection' | 'outOfMemory') => void;
}

/**
 * Faults that a test has injected: the rules of a plan, as plain data that every thread is given.
 *
 * Invariant: a rule says by itself what it looks at, when it strikes and what it does; nothing of it depends on the thread that reads it.
 */
import type { ToBatchTimer, ToJobGenerator } from './batch.ts';
import type { ToBlockManager, ToBlockManagerMaster } from './block.ts';
import type { ToHostAgent, ToHostManager } from './host.ts';
import type { ToAppOutputs, ToJobScheduler, ToTaskScheduler } from './job.ts';
import type { ToListenerBus } from './listener.ts';
import type { ToProgramManager } from './program.ts';
import type { ToBlockGenerator, ToReceiver, ToReceiverTracker } from './receiver.ts';
import type { ToCheckpointWriter, ToWriteAheadLog } from './recovery.ts';
import type { ToTaskWorker } from './task.ts';

/**
 * An actor by the end of its path, or by all of it: `receiver-tracker`, `receiver-0/block-generator`, `/driver/task-scheduler`.
 * `*` stands for anything but a slash: `task-worker-*`.
 */
export type ActorName =
  | 'block-manager-master' | 'block-manager' | 'listener-bus' | 'task-scheduler' | 'hosts' | 'programs' | 'program-manager' | 'host-manager'
  | 'write-ahead-log' | 'receiver-tracker' | 'job-scheduler' | 'checkpoint-writer' | 'job-generator' | 'receivers' | 'batch-timer'
  | 'receiver' | 'block-generator' | `task-worker-${number | '*'}` | `block-manager-${number | '*'}` | `receiver-${number | '*'}` | `streaming-${number | '*'}` | `outputs-${number | '*'}`
  | `${string}/${string}` | '*';

/** The name of a message of docs/PROTOCOL.md; `reply`: the answer to one. */
export type MessageName =
  | 'reply'
  | (
      | ToBatchTimer | ToJobGenerator | ToBlockManager | ToBlockManagerMaster | ToHostAgent | ToHostManager | ToAppOutputs | ToJobScheduler | ToTaskScheduler
      | ToListenerBus | ToProgramManager | ToBlockGenerator | ToReceiver | ToReceiverTracker | ToCheckpointWriter | ToWriteAheadLog | ToTaskWorker
    )['type'];

/** Which of the events that a rule looks at it strikes: from the `nth` on, each one with `probability`, until `times` were struck. */
export interface Striking {
  /** Counted from 1, over all threads and all contexts that have the plan. Default 1. */
  readonly nth?: number;
  /** By the plan's seed. Default 1: each one. */
  readonly probability?: number;
  /** Default 1; where a probability is given: no bound. */
  readonly times?: number;
}

/** An actor throws instead of handling a message; or its thread, or the process, ends there. */
export interface KillRule extends Striking {
  readonly fault: 'kill';
  readonly actor: ActorName;
  /** Messages of this name alone. */
  readonly type?: Exclude<MessageName, 'reply'>;
  /** `thread`: as `process.exit` in it; `process`: SIGKILL. Default `actor`. */
  readonly what?: 'actor' | 'thread' | 'process';
}

/** A message between two actors, also on the same thread. Left out: any actor, any message. */
export interface MessageRule extends Striking {
  readonly fault: 'message';
  readonly from?: ActorName;
  readonly to?: ActorName;
  readonly type?: MessageName;
  readonly do: 'drop' | 'delay' | 'duplicate' | 'reorder';
  /** Of `delay`: for how long; of `reorder`: how long it waits, at most, for one that overtakes it; in ms. Default 100. */
  readonly byMs?: number;
}

/** What ends at a fault of the disk: the thread that writes, or the process. `fail`: the call fails, with EIO, and nothing ends. */
export type Ending = 'fail' | 'thread' | 'process';

/** A call on a file of the checkpoint directory. */
export type DiskRule = Striking & {
  readonly fault: 'disk';
  /** Left out: any of the three. */
  readonly file?: 'log' | 'state' | 'checkpoint';
} & (
    | {
        readonly do: 'EIO' | 'ENOSPC';
        /** Default `write`. */
        readonly on?: 'write' | 'sync';
      }
    | {
        readonly do: 'slow';
        /** Default `write`. */
        readonly on?: 'write' | 'sync';
        /** In ms. Default 100. */
        readonly byMs?: number;
      }
    | {
        /** A part of the write, from its beginning, is on the disk. */
        readonly do: 'tornWrite';
        /** Default `thread`. */
        readonly then?: Ending;
      }
    | {
        /** At a sync: what was written to any file since its last sync is gone. */
        readonly do: 'loseUnsynced';
        /** Default `thread`. */
        readonly then?: Exclude<Ending, 'fail'>;
      }
    | {
        /** One bit of the write is another one; nobody is told. */
        readonly do: 'bitFlip';
      }
  );

/** What a socket source reads; each read is an event. */
export interface NetworkRule extends Striking {
  readonly fault: 'network';
  /** Of connections to this port alone. */
  readonly port?: number;
  /** Only reads by which their connection has brought so many bytes, or more. Default 0. */
  readonly afterBytes?: number;
  /** `cut`: the connection breaks; `stall`: nothing is read for a while; `halfOpen`: nothing comes any more, and nobody says so. */
  readonly do: 'cut' | 'stall' | 'halfOpen';
  /** Of `stall`: default 100. Of `halfOpen`: then the connection breaks; default: never. In ms. */
  readonly forMs?: number;
}

/** One rule of a plan: what is looked at, when it strikes, and what happens then. */
export type FaultRule = KillRule | MessageRule | DiskRule | NetworkRule;

/** What a thread is given of a plan. `memory`: see lib/faults/fault-memory.ts. */
export interface FaultPlanShare {
  readonly seed: number;
  readonly memory: SharedArrayBuffer;
}

/**
 * The fixed addresses of the tree, in one place: who lives where. `tree.ts` builds them, everybody else finds each other
 * by them.
 *
 * Invariant: an address is (host, cell), the cell a number of its own in this file, so an actor is found at the same
 * address after each restart, and before its first start, as an OTP registered name is.
 *
 *   cells of a host:   1..99 the cluster's   |   100 + 32 n: program n   |   1 Mi + ...: receivers   |   2^31...: all others
 */
import { appHost, driverHost } from '../protocol/ref.ts';
import type { ActorRef } from '../protocol/ref.ts';
import { asActorPath } from '../protocol/ids.ts';
import type { HostId, ProgramId, StreamId } from '../protocol/ids.ts';
import type { ToBatchTimer, ToJobGenerator } from '../protocol/batch.ts';
import type { ToBlockManager, ToBlockManagerMaster } from '../protocol/block.ts';
import type { ToHostAgent, ToHostManager } from '../protocol/host.ts';
import type { ToAppOutputs, ToJobScheduler, ToTaskScheduler } from '../protocol/job.ts';
import type { LogLine } from '../protocol/log.ts';
import type { ToListenerBus } from '../protocol/listener.ts';
import type { ToProgramManager } from '../protocol/program.ts';
import type { ToBlockGenerator, ToReceiver, ToReceiverTracker } from '../protocol/receiver.ts';
import type { ToCheckpointWriter, ToWriteAheadLog } from '../protocol/recovery.ts';
import type { ToTaskWorker } from '../protocol/task.ts';
import type { ToSupervisor } from '../lib/actor/child-spec.ts';

function place<Message>(host: HostId, cell: number, path: string): ActorRef<Message> {
  return { host, cell, path: asActorPath(path) };
}

export const places = {
  root: place<ToSupervisor>(driverHost, 1, '/driver'),
  blockManagerMaster: place<ToBlockManagerMaster>(driverHost, 2, '/driver/block-manager-master'),
  listenerBus: place<ToListenerBus>(driverHost, 3, '/driver/listener-bus'),
  taskScheduler: place<ToTaskScheduler>(driverHost, 4, '/driver/task-scheduler'),
  hosts: place<ToSupervisor>(driverHost, 5, '/driver/hosts'),
  hostManager: place<ToHostManager>(driverHost, 6, '/driver/host-manager'),
  programs: place<ToSupervisor>(driverHost, 7, '/driver/programs'),
  programManager: place<ToProgramManager>(driverHost, 8, '/driver/program-manager'),
  agent: (host: HostId): ActorRef<ToHostAgent> => place(host, 9, '/agent'),
  appListeners: place<ToListenerBus>(appHost, 10, '/app/listeners'),
  appLog: place<LogLine>(appHost, 13, '/app/log'),
  /** One of each on a thread: the host tells them apart. */
  taskWorker: (host: HostId, index: number): ActorRef<ToTaskWorker> => place(host, 11, `/driver/hosts/task-worker-${index}`),
  blockManager: (host: HostId, index: number): ActorRef<ToBlockManager> => place(host, 12, host === driverHost ? '/driver/block-manager' : `/driver/hosts/block-manager-${index}`),
} as const;

const programCells = 32;
const firstProgramCell = 100;
const firstReceiverCell = 0x10_0000;
const streamsMax = 0x4000;

/** The actors of one program, all on the driver but the receivers and the outputs. */
export function programPlaces(program: ProgramId) {
  const first = firstProgramCell + program * programCells;
  const root = `/driver/programs/streaming-${program}`;
  return {
    streaming: place<ToSupervisor>(driverHost, first, root),
    receiverTracker: place<ToReceiverTracker>(driverHost, first + 1, `${root}/receiver-tracker`),
    jobScheduler: place<ToJobScheduler>(driverHost, first + 2, `${root}/job-scheduler`),
    jobGenerator: place<ToJobGenerator>(driverHost, first + 3, `${root}/job-generator`),
    receivers: place<ToSupervisor>(driverHost, first + 4, `${root}/receivers`),
    batchTimer: place<ToBatchTimer>(driverHost, first + 5, `${root}/batch-timer`),
    writeAheadLog: place<ToWriteAheadLog>(driverHost, first + 7, `${root}/write-ahead-log`),
    checkpointWriter: place<ToCheckpointWriter>(driverHost, first + 8, `${root}/checkpoint-writer`),
    outputs: place<ToAppOutputs>(appHost, first + 6, `/app/outputs-${program}`),
  } as const;
}

/** The actors of one receiver, on the io thread that it was given. */
export function receiverPlaces(host: HostId, program: ProgramId, stream: StreamId) {
  const first = firstReceiverCell + (program * streamsMax + stream) * 4;
  const root = `/driver/programs/streaming-${program}/receivers/receiver-${stream}`;
  return {
    supervisor: place<ToSupervisor>(host, first, root),
    blockGenerator: place<ToBlockGenerator>(host, first + 1, `${root}/block-generator`),
    receiver: place<ToReceiver>(host, first + 2, `${root}/receiver`),
  } as const;
}

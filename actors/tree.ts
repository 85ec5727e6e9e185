/**
 * The whole tree, in one place: every actor, its restart and its place. `registry.ts` says what the names mean.
 *
 *   the driver's thread                                            io threads                     worker threads
 *   /driver                 rest_for_one, 0 restarts                /agent                         /agent
 *   |- block-manager-master permanent
 *   |- block-manager        permanent
 *   |- listener-bus         permanent
 *   |- task-scheduler       permanent
 *   |- hosts                one_for_one ........................... block-manager-I                task-worker-I
 *   |- programs             one_for_one, dynamic
 *   |  `- streaming-P       one_for_all, 0 restarts; temporary
 *   |     |- write-ahead-log      (with a checkpoint directory)
 *   |     |- receiver-tracker
 *   |     |- job-scheduler
 *   |     |- checkpoint-writer    (with a checkpoint directory)
 *   |     |- job-generator
 *   |     |- receivers      one_for_one ........................... receiver-S   rest_for_one
 *   |     |                                                         |- block-generator
 *   |     |                                                         `- receiver   (back-off)
 *   |     `- batch-timer
 *   |- program-manager      permanent
 *   `- host-manager         permanent                               the app's thread: /app/listeners, /app/outputs-P
 *
 * Why 0 restarts on the driver: its actors keep what can't be made again without a log (received blocks, which batch is
 * next). A failure there ends the program (streaming-P) or the cluster (/driver) with its cause, at once and loudly
 * (contexts with a checkpoint directory go on from it, in a new cluster: lib/driver-restart.ts). What
 * runs on other threads holds nothing that can't be had again, and is restarted.
 */
import type { ChildSpec, SupervisorSpec } from '../lib/actor/child-spec.ts';
import type { Recovered } from '../lib/recovery/recover.ts';
import type { Durability, StreamingSpec } from '../protocol/host.ts';
import type { HostId } from '../protocol/ids.ts';
import type { ReceiverSpec } from '../protocol/receiver.ts';
import type { BatchTimerArgs } from './batch-timer.ts';
import type { CheckpointWriterArgs } from './checkpoint-writer.ts';
import type { JobGeneratorArgs } from './job-generator.ts';
import type { JobSchedulerArgs } from './job-scheduler.ts';
import { driverHost } from '../protocol/ref.ts';
import { places, programPlaces, receiverPlaces } from './places.ts';
import type { StreamingTimes } from './program-manager.ts';
import type { ReceiverTrackerArgs } from './receiver-tracker.ts';
import type { WriteAheadLogArgs } from './write-ahead-log.ts';

/** Restarts that are not counted here: their own back-off, the host manager's bound, or (receivers') their tracker limits them. */
const uncounted = { intensity: 1_000_000, periodMs: 1_000 };

export function driverTree(): SupervisorSpec {
  const child = (id: string, behavior: string, cell: number, args: unknown = undefined): ChildSpec => ({ id, behavior, args, cell });
  const group = (id: string, cell: number, spec: SupervisorSpec): ChildSpec => ({ id, behavior: 'supervisor', type: 'supervisor', args: spec, cell });
  return {
    strategy: 'rest_for_one',
    intensity: 0,
    children: [
      child('block-manager-master', 'block-manager-master', places.blockManagerMaster.cell),
      child('block-manager', 'block-manager', places.blockManager(driverHost, 0).cell),
      child('listener-bus', 'listener-bus', places.listenerBus.cell),
      child('task-scheduler', 'task-scheduler', places.taskScheduler.cell),
      group('hosts', places.hosts.cell, { strategy: 'one_for_one', ...uncounted, children: [] }),
      group('programs', places.programs.cell, { strategy: 'one_for_one', ...uncounted, children: [] }),
      child('program-manager', 'program-manager', places.programManager.cell),
      child('host-manager', 'host-manager', places.hostManager.cell),
    ],
  };
}

function logArgs({ descriptor, fingerprint, uids }: StreamingSpec, { settings, recovered }: Durability, { zeroTime, startTime }: StreamingTimes): WriteAheadLogArgs {
  const { program, url, args, appName, batchIntervalMs, defaultParallelism } = descriptor;
  return { program, settings, recovered: recovered as Recovered | null, uids, identity: { url, args, appName, batchIntervalMs, zeroTime, startTime, fingerprint, defaultParallelism } };
}

/** One program's part of the tree. Receivers are dealt out to the io threads in turn. */
export function streamingTree(spec: StreamingSpec, times: StreamingTimes, recordBytesMax: number, io: readonly HostId[]): ChildSpec {
  const { descriptor, durability } = spec;
  const { zeroTime, startTime, lastTime } = times;
  const { program, batchIntervalMs: intervalMs } = descriptor;
  const at = programPlaces(program);
  const backoff = { minMs: Math.min(100, spec.receiverRestartDelayMs), maxMs: spec.receiverRestartDelayMs, jitter: 0.2, resetAfterMs: 10_000 };
  const trackerArgs: ReceiverTrackerArgs = {
    program,
    inputs: spec.receivers.map(({ stream, operator }) => ({ stream, operator })),
    limits: { restartsMax: spec.receiverRestartsMax, restartsMs: spec.receiverRestartsMs, backoff },
    receiverTimeoutMs: spec.receiverTimeoutMs,
    // A manual clock's batch holds all that was stored before it, however long that takes to get here.
    flushTimeoutMs: spec.clock === 'manual' ? spec.advanceTimeoutMs / 2 : 25,
    logsBlocks: durability?.settings.logsBlocks === true,
    isRestored: durability?.recovered != null,
  };
  const schedulerArgs: JobSchedulerArgs = { program, onBatchFailure: spec.onBatchFailure, outputTimeoutMs: spec.outputTimeoutMs, outputNames: spec.outputNames, isDurable: durability !== null };
  const recovered = (durability?.recovered ?? null) as Recovered | null;
  const generatorArgs: JobGeneratorArgs = { program, intervalMs, zeroTime, startTime, lastTime, hasReceivers: spec.receivers.length > 0, isDurable: durability !== null, recovered: recovered?.book ?? null, directory: durability?.settings.directory ?? '' };
  const timerArgs: BatchTimerArgs = { program, intervalMs, clock: spec.clock, zeroTime, lastTime, isDurable: durability !== null, advanceTimeoutMs: spec.advanceTimeoutMs };
  const receivers = spec.receivers.map((source, index): ChildSpec => {
    const host = io[index % Math.max(1, io.length)] as HostId;
    const cells = receiverPlaces(host, program, source.stream);
    const args: ReceiverSpec = { ...source, program, blockIntervalMs: spec.blockIntervalMs, recordBytesMax, restartDelayMs: spec.receiverRestartDelayMs, blocksInFlightMax: spec.blocksInFlightMax };
    return {
      id: `receiver-${source.stream}`,
      behavior: 'supervisor',
      type: 'supervisor',
      host,
      cell: cells.supervisor.cell,
      args: {
        strategy: 'rest_for_one',
        ...uncounted,
        children: [
          { id: 'block-generator', behavior: 'block-generator', args, cell: cells.blockGenerator.cell },
          { id: 'receiver', behavior: 'receiver', args, cell: cells.receiver.cell, restart: 'transient', backoff },
        ],
      } satisfies SupervisorSpec,
    };
  });
  return {
    id: `streaming-${program}`,
    behavior: 'supervisor',
    type: 'supervisor',
    restart: 'temporary',
    cell: at.streaming.cell,
    args: {
      strategy: 'one_for_all',
      intensity: 0,
      children: [
        ...(durability === null ? [] : [{ id: 'write-ahead-log', behavior: 'write-ahead-log', args: logArgs(spec, durability, times), cell: at.writeAheadLog.cell }]),
        { id: 'receiver-tracker', behavior: 'receiver-tracker', args: trackerArgs, cell: at.receiverTracker.cell },
        { id: 'job-scheduler', behavior: 'job-scheduler', args: schedulerArgs, cell: at.jobScheduler.cell },
        ...(durability === null ? [] : [{ id: 'checkpoint-writer', behavior: 'checkpoint-writer', args: { program } satisfies CheckpointWriterArgs, cell: at.checkpointWriter.cell }]),
        { id: 'job-generator', behavior: 'job-generator', args: generatorArgs, cell: at.jobGenerator.cell },
        { id: 'receivers', behavior: 'supervisor', type: 'supervisor', args: { strategy: 'one_for_one', ...uncounted, children: receivers }, cell: at.receivers.cell },
        { id: 'batch-timer', behavior: 'batch-timer', args: timerArgs, cell: at.batchTimer.cell },
      ],
    } satisfies SupervisorSpec,
  };
}

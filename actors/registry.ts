/**
 * Every behaviour by its name, for the hosts of each role: the only file that imports all actors.
 *
 * Invariant: a name means the same behaviour on every host that knows it.
 */
import type { AnyBehavior, BehaviorRegistry } from '../lib/actor/behavior.ts';
import { batchTimer } from './batch-timer.ts';
import { blockGenerator } from './block-generator.ts';
import { blockManager } from './block-manager.ts';
import { blockManagerMaster } from './block-manager-master.ts';
import { checkpointWriter } from './checkpoint-writer.ts';
import { hostAgent } from './host-agent.ts';
import { hostManager } from './host-manager.ts';
import { jobGenerator } from './job-generator.ts';
import { jobScheduler } from './job-scheduler.ts';
import { listenerBus } from './listener-bus.ts';
import { programManager } from './program-manager.ts';
import { receiver } from './receiver.ts';
import { receiverTracker } from './receiver-tracker.ts';
import { taskScheduler } from './task-scheduler.ts';
import { taskWorker } from './task-worker.ts';
import { writeAheadLog } from './write-ahead-log.ts';
import type { ProgramLoader } from './program-loader.ts';
import type { HostServices } from './services.ts';
import { streamingTree } from './tree.ts';

/** Every behaviour by its name, for the hosts of a role. */
export function registryFor(services: HostServices, load: ProgramLoader): BehaviorRegistry {
  const behaviors: AnyBehavior[] = [hostAgent(services, load)];
  if (services.role === 'driver') {
    behaviors.push(blockManagerMaster(services), blockManager(services), listenerBus(), taskScheduler(services), hostManager(services), programManager(services, streamingTree));
    behaviors.push(receiverTracker(), jobScheduler(services), jobGenerator(services), batchTimer(services), writeAheadLog(services), checkpointWriter(services));
  }
  if (services.role === 'io') behaviors.push(blockManager(services), blockGenerator(services), receiver(services));
  if (services.role === 'worker') behaviors.push(taskWorker(services));
  return new Map(behaviors.map((behavior) => [behavior.name, behavior]));
}

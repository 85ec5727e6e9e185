/**
 * Faults at once: what a test kills of a running context.
 *
 * Invariant: what it kills is killed when the promise resolves (a thread: when the order is given), and nothing else is.
 */
import { places, programPlaces, receiverPlaces } from '../actors/places.ts';
import type { ActorName } from '../protocol/fault.ts';
import type { HostInfo, HostRole } from '../protocol/host.ts';
import type { ProgramId, StreamId } from '../protocol/ids.ts';
import type { ActorRef } from '../protocol/ref.ts';
import { driverHost } from '../protocol/ref.ts';
import { MillraceError, previewOf, toWireError } from '../protocol/errors.ts';
import type { WireError } from '../protocol/errors.ts';
import type { ThreadDeath } from './spark-context.ts';
import type { StreamingContext } from './streaming-context.ts';
import { isActorNamed } from './faults/actor-names.ts';
import { killProcess } from './faults/endings.ts';
import { killed } from './faults/faulty-system.ts';

let kills = 0;

/** Kills parts of a running context at once. What is to happen later, or to messages, disk and network: `faultPlan`. */
export function faults(ssc: StreamingContext<never> | StreamingContext) {
  return {
    /**
     * The actor ends as if it had thrown, with what lies in its mailbox; its supervisor acts. Of a name with `*`: all of that name. Resolves
     * with the paths of those that have ended, once they have. Throws InvalidArgument where no actor has that name, ActorGone where none of them lives.
     */
    async killActor(name: ActorName): Promise<readonly string[]> {
      const hosts = (await ssc.sparkContext.hosts()).filter(({ up }) => up);
      const all = actorsOf(ssc.program, ssc.receiverInputs.map(({ stream }) => stream), hosts);
      // No name is no wish to end all of them.
      const named = typeof name === 'string' ? all.filter(({ path }) => isActorNamed(name, path)) : [];
      if (named.length === 0) throw new MillraceError('InvalidArgument', `Expected the name of an actor that a supervisor starts; got ${previewOf(name)}. There are ${[...new Set(all.map(({ path }) => path))].join(', ')}.`);
      const { system } = ssc.sparkContext.internals.host;
      const kill = (kills += 1);
      const endings = named.map(async (ref) => {
        const ended = system.ended(ref);
        system.kill(ref, { type: 'error', error: toWireError(killed(ref.path, { kill })) });
        const reason = await ended;
        // One that wasn't there gives another reason, or that of another life.
        return reason.type === 'error' && killOf(reason.error) === kill ? [ref.path as string] : [];
      });
      const paths = (await Promise.all(endings)).flat();
      if (paths.length === 0) throw new MillraceError('ActorGone', `Expected ${previewOf(name)} to live; it has ended, and is not started again yet.`, { details: { name } });
      return paths;
    },

    /** Ends a thread by role and place: `killThread('worker', 0)`. Resolves when the order is given; `threadStarted` tells the rest. Throws InvalidArgument. */
    async killThread(role: HostRole, index = 0, how: ThreadDeath = 'terminate'): Promise<number> {
      const hosts = await ssc.sparkContext.hosts();
      const found = hosts.find((host) => host.role === role && host.index === index);
      if (found === undefined) throw new MillraceError('InvalidArgument', `Expected a thread of role ${role} at place ${index}; there are ${previewOf(hosts.map((host) => `${host.role} ${host.index}`))}.`);
      await ssc.sparkContext.killHost(found.host, how);
      return found.host;
    },

    /** SIGKILL to this very process: for an app in a process of its own. */
    killProcess,
  };
}

function killOf(error: WireError): unknown {
  const { details } = error.fields;
  return (details as { readonly kill?: unknown } | undefined)?.kill;
}

/** All that supervisors start for this program; receivers at each of the io threads where they may be. */
function actorsOf(program: ProgramId, streams: readonly StreamId[], hosts: readonly HostInfo[]): ActorRef<never>[] {
  const { root, blockManagerMaster, listenerBus, taskScheduler, hosts: threads, hostManager, programs, programManager } = places;
  const { outputs: _ofTheApp, ...ofProgram } = programPlaces(program);
  const workers = hosts.filter(({ role }) => role === 'worker');
  const io = hosts.filter(({ role }) => role === 'io');
  return [
    ...[root, blockManagerMaster, listenerBus, taskScheduler, threads, hostManager, programs, programManager, places.blockManager(driverHost, 0)],
    ...Object.values(ofProgram),
    ...workers.map(({ host, index }) => places.taskWorker(host, index)),
    ...io.map(({ host, index }) => places.blockManager(host, index)),
    ...io.flatMap(({ host }) => streams.flatMap((stream) => Object.values(receiverPlaces(host, program, stream)))),
  ] as ActorRef<never>[];
}

/**
 * Makes a host: the actor system of one thread (or, inline, of one logical thread), its services and its first actors.
 *
 * Invariant: everything that an actor may reach of the world is put together here, once for each host.
 */
import { TaskControl } from '../lib/base/task-control.ts';
import { ActorSystem } from '../lib/actor/system.ts';
import type { ActorSystemOptions } from '../lib/actor/system.ts';
import type { AnyBehavior, BehaviorRegistry, ExitReason } from '../lib/actor/behavior.ts';
import type { Port } from '../lib/actor/link.ts';
import type { Logger } from '../lib/actor/logger.ts';
import type { Clock } from '../lib/base/clock.ts';
import { createPrng } from '../lib/base/prng.ts';
import { killProcess } from '../lib/faults/endings.ts';
import { FaultInjector } from '../lib/faults/fault-injector.ts';
import { FaultyDisk } from '../lib/faults/faulty-disk.ts';
import { faultyNet } from '../lib/faults/faulty-net.ts';
import { FaultySystem } from '../lib/faults/faulty-system.ts';
import { nodeNet } from '../lib/sources/node-net.ts';
import type { NetPort } from '../lib/sources/source.ts';
import type { Disk } from '../lib/storage/disk.ts';
import { nodeDisk } from '../lib/storage/node-disk.ts';
import { claimDirectory, completeDirectory, listFiles, nodeFiles } from '../lib/storage/node-files.ts';
import type { SyncFiles } from '../lib/storage/node-files.ts';
import { SlabPool } from '../lib/storage/slab-pool.ts';
import type { SlabPoolShare } from '../lib/storage/slab-pool.ts';
import type { HostInit } from '../protocol/host.ts';
import { appHost, driverHost } from '../protocol/ref.ts';
import type { HostLauncher } from './launcher.ts';
import { places } from './places.ts';
import type { ProgramLoader } from './program-loader.ts';
import { registryFor } from './registry.ts';
import type { HostServices } from './services.ts';
import { driverTree } from './tree.ts';

export interface HostPorts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly load: ProgramLoader;
  /** Driver only. */
  readonly launcher: HostLauncher | null;
  readonly die: HostServices['die'];
  /** Driver only: the root of the tree has ended, and with it the cluster. */
  readonly onEnded?: (reason: ExitReason) => void;
  /** The simulator's systems; left out: an ordinary one. */
  readonly createSystem?: CreateSystem;
  /** Of tests; left out: the machine's own. */
  readonly disk?: DiskPorts;
}

/** A disk, and the synchronous calls on it that tasks make. */
export interface DiskPorts {
  readonly disk: Disk;
  readonly files: SyncFiles;
}

export type CreateSystem = (options: ActorSystemOptions) => ActorSystem;

export interface Host {
  readonly system: ActorSystem;
  readonly services: HostServices;
}

/** `port` leads to the host that launched this one: the app for the driver, the driver for all others. Null: the simulator connects it. */
export function startHost(init: HostInit, port: Port | null, ports: HostPorts): Host {
  const host = makeHost(init, ports, (services) => registryFor(services, ports.load));
  const { system } = host;
  if (port !== null) system.connect(port, { hosts: [init.role === 'driver' ? appHost : driverHost], isDefault: true });
  system.spawn('/agent', 'host-agent', undefined, { cell: places.agent(init.host).cell });
  if (init.role === 'driver') {
    const { onEnded } = ports;
    const started = { type: 'emit', program: null, event: { type: 'threadStarted', info: { host: init.host, role: 'driver' } } } as const;
    system.spawn('/driver', 'supervisor', driverTree(), {
      cell: places.root.cell,
      // Only now can the app ask anything of the driver's actors.
      onStarted: () => system.tell(places.appListeners, started),
      ...(onEnded === undefined ? {} : { onExit: onEnded }),
    });
  }
  return host;
}

/** The app's own host: no tree, only the ends of what comes to it. */
export function startAppHost(init: Omit<HostInit, 'role'>, ports: Pick<HostPorts, 'clock' | 'logger' | 'createSystem' | 'disk'>, behaviors: readonly AnyBehavior[]): Host {
  const die = (): never => {
    throw new TypeError('The app\'s own thread is not ended by fault injection.');
  };
  const registry = new Map(behaviors.map((behavior) => [behavior.name, behavior]));
  return makeHost({ ...init, role: 'app' }, { ...ports, launcher: null, die }, () => registry);
}

/** The services come before the system, since behaviours are made of them; the two are joined here. */
function makeHost(
  init: Omit<HostInit, 'role'> & { readonly role: HostServices['role'] },
  given: Omit<HostPorts, 'load' | 'onEnded'>,
  registry: (services: HostServices) => BehaviorRegistry,
): Host {
  const { clock, logger, launcher, die } = given;
  const { net, createSystem, disk: { disk, files } } = worldOf(init, given);
  const { host, role, index, options, control } = init;
  let rdds = init.firstRdd ?? 0;
  const services: HostServices = {
    host,
    role,
    index,
    options,
    clock,
    control: new TaskControl(control),
    launcher,
    die,
    pool: SlabPool.attach(init.pool as SlabPoolShare, host),
    net,
    files,
    disk,
    programs: new Map(),
    controls: new Map(),
    tell: (to, message) => system.tell(to, message),
    ask: (to, make, timeoutMs) => system.ask(to, make, timeoutMs),
    nextRdd: () => rdds++,
    log: (level, text) => logger.log(level, text),
    listFiles,
    claimDirectory,
    completeDirectory,
    connect: (port, other) => {
      if (port !== null) system.connect(port, { hosts: [other] });
    },
    hostDown: (other, error) => system.hostDown(other, error),
  };
  const system: ActorSystem = createSystem({ host, clock, registry: registry(services), logger, prng: createPrng(`${options.seed} host ${host}`) });
  return { system, services };
}

interface World {
  readonly net: NetPort;
  readonly disk: DiskPorts;
  readonly createSystem: CreateSystem;
}

/** Disk, network and delivery of messages: the machine's own, unless a test injects faults into them. */
function worldOf(
  { host, role, index, options }: Omit<HostInit, 'role'> & { readonly role: HostServices['role'] },
  { clock, die, disk = { disk: nodeDisk, files: nodeFiles }, createSystem = (given) => new ActorSystem(given) }: Pick<HostPorts, 'clock' | 'die' | 'disk' | 'createSystem'>,
): World {
  if (options.faults === null) return { net: nodeNet, disk, createSystem };
  const injector = new FaultInjector(options.faults, { host, role, index });
  const endings = { thread: () => die('exit'), process: killProcess };
  return {
    net: faultyNet(nodeNet, injector, clock),
    disk: { disk: new FaultyDisk({ disk: disk.disk, injector, clock, endings }), files: disk.files },
    createSystem: (given) => new FaultySystem(given, injector, endings),
  };
}

/**
 * Owns the threads: starts them, announces them, and puts a new one in the place of one that dies.
 *
 * Owns: the pools (through its launcher), host numbers, and which programs are built where. Invariant: a host number is
 * used once; a thread is announced only after every active program is built on it, alike.
 * Talks to: the agent of each host, the supervisors of what lives there (`replaceHost`), task scheduler, block manager
 * master, listener bus.
 * A crash loses: the pools; the driver then ends, and every thread with it.
 *
 *   launch --> starting --agent answers--> loading --all programs built--> up --exit--> (replacement) launch ...
 */
import { TaskControl } from '../lib/base/task-control.ts';
import type { Behavior, Turn } from '../lib/actor/behavior.ts';
import type { ChildSpec, ToSupervisor } from '../lib/actor/child-spec.ts';
import type { ActorRef, ReplyTo } from '../protocol/ref.ts';
import type { Fingerprint, HostInit, HostRole, ProgramDescriptor, ToHostAgent, ToHostManager } from '../protocol/host.ts';
import { asHostId } from '../protocol/ids.ts';
import type { HostId, ProgramId } from '../protocol/ids.ts';
import { driverHost } from '../protocol/ref.ts';
import { clauseOf, fromWireError, MillraceError, toWireError } from '../protocol/errors.ts';
import type { WireError } from '../protocol/errors.ts';
import { unreachable } from '../lib/base/assert.ts';
import { compareFingerprints } from '../lib/dstream/fingerprint.ts';
import type { LaunchedHost } from './launcher.ts';
import { places } from './places.ts';
import type { HostServices } from './services.ts';

interface Host {
  readonly host: HostId;
  readonly role: HostRole;
  readonly index: number;
  readonly launched: LaunchedHost;
  /** The host whose place it takes. */
  replaces: HostId | null;
  /** Programs still to be built there; null until the agent has answered. */
  loading: Set<ProgramId> | null;
  up: boolean;
}

interface ActiveProgram {
  readonly descriptor: ProgramDescriptor;
  readonly expected: Fingerprint;
  /** Hosts that must still build it before `replyTo` is answered. */
  readonly waiting: Set<HostId>;
  replyTo: ReplyTo<{ readonly io: readonly HostId[] }> | null;
}

interface State {
  readonly hosts: Map<HostId, Host>;
  readonly programs: Map<ProgramId, ActiveProgram>;
  nextHost: number;
  /** When threads died, lately: liveness time. */
  deaths: readonly number[];
}

type Turning = Turn<ToHostManager>;

/** More deaths than this within the period, and the cluster gives up: something kills every thread. */
const deathsMax = 20;
const deathsPeriodMs = 10_000;
/** A thread that has not answered by then counts as dead: a module graph can take a while on a busy machine. */
const startTimeoutMs = 60_000;
const firstThread = 2;

export function hostManager(services: HostServices): Behavior<State, ToHostManager> {
  const { launcher, options } = services;

  const launch = (state: State, role: HostRole, index: number, replaces: HostId | null, turn: Turning): void => {
    const host = asHostId(state.nextHost++);
    const control = new TaskControl();
    const init: HostInit = { host, role, index, options, pool: services.pool.share, control: control.shared };
    services.controls.set(host, control);
    const launched = launcher!.launch(init);
    services.connect(launched.port, host);
    state.hosts.set(host, { host, role, index, launched, replaces, loading: null, up: false });
    const { self } = turn;
    void launched.exited.then((error) => services.tell(self, { type: 'hostExited', host, error: error ?? hostGone(host, 'it ended by itself') }));
    turn.ask<ToHostAgent, null>(places.agent(host), (replyTo) => ({ type: 'ping', replyTo }), startTimeoutMs, (outcome) => ({ type: 'hostReady', host, error: outcome.ok ? null : outcome.error }));
  };

  const build = (program: ActiveProgram, host: HostId, turn: Turning): void => {
    const { descriptor } = program;
    turn.ask<ToHostAgent, { readonly fingerprint: Fingerprint }>(places.agent(host), (replyTo) => ({ type: 'loadProgram', descriptor, replyTo }), startTimeoutMs, (outcome) => ({
      type: 'programLoaded',
      host,
      program: descriptor.program,
      fingerprint: outcome.ok ? outcome.value.fingerprint : null,
      error: outcome.ok ? null : outcome.error,
    }));
  };

  /** All programs are built there: what lives on the host can start. */
  const announce = (host: Host, turn: Turning): void => {
    host.up = true;
    turn.tell(places.listenerBus, { type: 'emit', program: null, event: { type: 'threadStarted', info: { host: host.host, role: host.role } } });
    if (host.replaces !== null) {
      turn.tell(places.root, { type: 'replaceHost', from: host.replaces, to: host.host });
      return;
    }
    startResident(host, turn);
  };

  const startResident = (host: Host, turn: Turning): void => {
    turn.ask<ToSupervisor, ActorRef<never>>(places.hosts, (replyTo) => ({ type: 'startChild', spec: residentOf(host), replyTo }), startTimeoutMs, (outcome) => ({
      type: 'childStarted',
      host: host.host,
      error: outcome.ok ? null : outcome.error,
    }));
  };

  const onProgramLoaded = (state: State, message: Extract<ToHostManager, { type: 'programLoaded' }>, turn: Turning): State => {
    const { host, fingerprint } = message;
    const program = state.programs.get(message.program);
    if (program === undefined) return state;
    const error = message.error ?? (fingerprint === null ? null : divergence(program.expected, fingerprint, host));
    // A thread that died while it built is replaced; its replacement builds again.
    if (error !== null && error.code === 'HostGone') return state;
    if (error !== null) {
      // A thread that takes the place of another one builds what runs already: where it can't, the program is no longer whole.
      if (program.replyTo !== null) turn.replyError(program.replyTo as ReplyTo<never>, error);
      else turn.tell(places.programManager, { type: 'programBroken', program: message.program, error });
      forget(state, message.program, turn);
      return state;
    }
    program.waiting.delete(host);
    answerIfLoaded(state, program, turn);
    const entry = state.hosts.get(host);
    if (entry?.loading?.delete(message.program) === true && entry.loading.size === 0 && !entry.up) announce(entry, turn);
    return state;
  };

  /** No thread waits for it any more: one that was to be announced after it had built it is announced now. */
  const forget = (state: State, program: ProgramId, turn: Turning): void => {
    state.programs.delete(program);
    forgetOn(state, program, turn);
    for (const host of state.hosts.values()) {
      if (host.loading?.delete(program) === true && host.loading.size === 0 && !host.up) announce(host, turn);
    }
  };

  const onExited = (state: State, host: HostId, error: WireError, turn: Turning): State => {
    const dead = state.hosts.get(host);
    if (dead === undefined) return state;
    state.hosts.delete(host);
    services.controls.delete(host);
    services.hostDown(host, error);
    // Who was told of its memory has that reclaimed, once all is entered that it had reported: reports still lie in their mailboxes.
    if (dead.role === 'io') turn.tell(places.programManager, { type: 'ioHostDown', host, error, entered: [] });
    else turn.tell(places.taskScheduler, { type: 'workerDown', host, error });
    turn.tell(places.listenerBus, { type: 'emit', program: null, event: { type: 'threadLost', info: { host, role: dead.role, error } } });
    turn.log('warn', `Thread ${host} (${dead.role} ${dead.index}) has died: ${clauseOf(error.message)}. Another is started in its place.`);
    state.deaths = [...state.deaths.filter((at) => at > turn.now - deathsPeriodMs), turn.now];
    if (state.deaths.length > deathsMax) {
      throw new MillraceError('RestartIntensityReached', `Expected at most ${deathsMax} threads to die within ${deathsPeriodMs} ms; more have. The last one: ${error.message}`, { cause: fromWireError(error) });
    }
    // A replacement of a replacement that never came up still takes the place of the first.
    launch(state, dead.role, dead.index, dead.up ? host : dead.replaces, turn);
    const replacement = asHostId(state.nextHost - 1);
    for (const program of state.programs.values()) {
      if (program.waiting.delete(host)) program.waiting.add(replacement);
    }
    return state;
  };

  return {
    name: 'host-manager',
    init(turn) {
      const state: State = { hosts: new Map(), programs: new Map(), nextHost: firstThread, deaths: [] };
      for (let index = 0; index < options.ioThreads; index += 1) launch(state, 'io', index, null, turn);
      for (let index = 0; index < options.workers; index += 1) launch(state, 'worker', index, null, turn);
      return state;
    },
    receive(state, message, turn) {
      switch (message.type) {
        case 'hostReady': {
          const host = state.hosts.get(message.host);
          if (host === undefined) return state;
          if (message.error !== null) {
            host.launched.kill();
            return state;
          }
          host.loading = new Set(state.programs.keys());
          for (const program of state.programs.values()) build(program, host.host, turn);
          if (host.loading.size === 0) announce(host, turn);
          return state;
        }
        case 'hostExited':
          return onExited(state, message.host, message.error, turn);
        case 'loadEverywhere': {
          const { descriptor, expected, replyTo } = message;
          const program: ActiveProgram = { descriptor, expected, replyTo, waiting: new Set([driverHost, ...state.hosts.keys()]) };
          state.programs.set(descriptor.program, program);
          build(program, driverHost, turn);
          for (const host of state.hosts.values()) {
            if (host.loading !== null) build(program, host.host, turn);
            if (host.loading !== null && !host.up) host.loading.add(descriptor.program);
          }
          return state;
        }
        case 'programLoaded':
          return onProgramLoaded(state, message, turn);
        case 'forgetProgram':
          forget(state, message.program, turn);
          return state;
        case 'whichHosts':
          turn.reply(message.replyTo, [...state.hosts.values()].map(({ host, role, index, up }) => ({ host, role, index, up })));
          return state;
        case 'killHost': {
          if (message.how === 'terminate') state.hosts.get(message.host)?.launched.kill();
          else turn.tell(places.agent(message.host), { type: 'die', how: message.how });
          return state;
        }
        case 'childStarted':
          if (message.error === null) return state;
          turn.log('error', `What lives on thread ${message.host} could not be started: ${message.error.message}`);
          // Its thread died first: the one in its place has nothing to take over, and begins with it.
          for (const host of state.hosts.values()) {
            if (host.replaces !== message.host) continue;
            host.replaces = null;
            if (host.up) startResident(host, turn);
          }
          return state;
        default:
          return unreachable(message);
      }
    },
    stopped(state) {
      for (const { host, launched } of state.hosts.values()) {
        launched.kill();
        // Nobody will be there to hear of the exit, and the supervisors of what lives there wait for it.
        services.hostDown(host, hostGone(host, 'the cluster has ended'));
      }
    },
  };
}

function divergence(expected: Fingerprint, built: Fingerprint, host: HostId): WireError | null {
  try {
    compareFingerprints(expected, built, 'the app\'s thread', `thread ${host}`);
    return null;
  } catch (thrown) {
    return toWireError(thrown);
  }
}

function answerIfLoaded(state: State, program: ActiveProgram, turn: Turning): void {
  if (program.waiting.size > 0 || program.replyTo === null) return;
  const io = [...state.hosts.values()].filter(({ role }) => role === 'io').map(({ host }) => host);
  turn.reply(program.replyTo, { io });
  program.replyTo = null;
}

function forgetOn(state: State, program: ProgramId, turn: Turning): void {
  for (const host of [driverHost, ...state.hosts.keys()]) turn.tell(places.agent(host), { type: 'forgetProgram', program });
}

/** The actor that lives on a thread of that role, as a child of /driver/hosts. */
function residentOf(host: Host): ChildSpec {
  const behavior = host.role === 'io' ? 'block-manager' : 'task-worker';
  const { cell } = host.role === 'io' ? places.blockManager(host.host, host.index) : places.taskWorker(host.host, host.index);
  return { id: `${behavior}-${host.index}`, behavior, args: undefined, host: host.host, cell };
}

function hostGone(host: HostId, why: string): WireError {
  return toWireError(new MillraceError('HostGone', `Thread ${host} is gone: ${why}.`));
}

/**
 * The supervisor: starts, stops and restarts its children by their specs, as Erlang/OTP's does.
 *
 * It does one thing after another: a *plan* stops some children (last first), then starts some (first first), each waiting for the
 * one before. What arrives meanwhile (exits, requests) waits in `todo`, as it would in an OTP supervisor's mailbox; only the request to
 * end does not wait.
 *
 *   exit, request, try again ──> todo [ .. | .. ] ──> plan { stops: [c, b], starts: [b, c] } ──> then: next of todo
 *
 * Owns: its children's specs and what is known of them. Talks to: its parent, its children's systems, whoever sends `ToSupervisor`.
 * Lost by a crash: dynamic children and the restart history; its children end with it, and its parent starts it by its spec.
 * Invariant: at most one plan; a child has at most one life, `alive` from its spawn to the news of its exit; nothing is started while ending.
 */
import { clauseOf, MillraceError, toWireError } from '../../protocol/errors.ts';
import type { ErrorCode, WireError } from '../../protocol/errors.ts';
import type { ActorPath, HostId } from '../../protocol/ids.ts';
import { unreachable } from '../base/assert.ts';
import type { Behavior, ExitReason, Signal, Turn } from './behavior.ts';
import type { ChildInfo, ChildSpec, SupervisorSpec, ToSupervisor } from './child-spec.ts';
import type { ActorRef, ReplyTo } from './ref.ts';
import {
  addRestart, affectedBy, afterExit, backoffDelayMs, checkChildSpec, checkSupervisorSpec, childType, defaultIntensity, defaultPeriodMs, isAbnormal, moveSpec,
  restartType, shutdownOf,
} from './supervision.ts';
import type { SupervisorSignal, SupervisorTurn } from './supervisor-turn.ts';

type Message = ToSupervisor | OwnMessage;

/** To itself, by timers. The incarnation tells a late one from a wanted one. */
type OwnMessage =
  | { readonly type: 'shutdownOver'; readonly id: string; readonly incarnation: number }
  | { readonly type: 'backoffOver'; readonly id: string };

type SupTurn = SupervisorTurn<Message>;

interface Child {
  spec: ChildSpec;
  /** `restarting`: its restart is due, but waits for its back-off or for its host to be replaced. */
  state: ChildInfo['state'];
  /** Its address, kept over restarts on the same host. */
  ref: ActorRef<never> | null;
  alive: boolean;
  started: boolean;
  /** `restarting`, and there is no living host for it. */
  waitsForHost: boolean;
  incarnation: number;
  /** Starts in a row that did not last: what the back-off grows by. */
  failures: number;
  startedAtMs: number;
}

type Todo =
  | { readonly type: 'exited'; readonly child: Child; readonly incarnation: number; readonly reason: ExitReason }
  | { readonly type: 'tryAgain'; readonly child: Child; readonly reason: ExitReason }
  | { readonly type: 'backoffOver'; readonly id: string }
  | { readonly type: 'request'; readonly request: ToSupervisor };

interface Plan {
  readonly stops: Child[];
  readonly starts: Child[];
  /** Temporary children among the stopped ones: they don't come back. */
  readonly removes: readonly Child[];
  /** What is done when all is stopped and started, or with the child whose start failed. */
  readonly then: (state: State, failed: FailedStart | null, turn: SupTurn) => void;
  /** The child that is being stopped or started. */
  waiting: Child | null;
}

interface FailedStart {
  readonly child: Child;
  readonly reason: ExitReason;
}

interface State {
  readonly strategy: SupervisorSpec['strategy'];
  readonly intensity: number;
  readonly periodMs: number;
  /** In start order. */
  children: Child[];
  history: readonly number[];
  readonly todo: Todo[];
  plan: Plan | null;
  ending: ExitReason | null;
  /** Dead hosts whose death was counted as a failure. */
  readonly countedHosts: Set<HostId>;
}

export const supervisor: Behavior<State, Message, SupervisorSpec> = {
  name: 'supervisor',
  trapExit: true,

  init(turn, args) {
    checkSupervisorSpec(args);
    const state: State = {
      strategy: args.strategy,
      intensity: args.intensity ?? defaultIntensity,
      periodMs: args.periodMs ?? defaultPeriodMs,
      children: args.children.map(newChild),
      history: [],
      todo: [],
      plan: null,
      ending: null,
      countedHosts: new Set(),
    };
    const own = turn as SupTurn;
    own.deferStart();
    state.plan = { stops: [], starts: [...state.children], removes: [], then: onAllStarted, waiting: null };
    goOn(state, own);
    return state;
  },

  receive(state, message, turn) {
    switch (message.type) {
      case 'shutdownOver':
        onShutdownOver(state, message, turn as SupTurn);
        break;
      case 'backoffOver':
        state.todo.push(message);
        break;
      case 'replaceHost':
        moveSpecs(state, message.from, message.to, turn as SupTurn);
        state.todo.push({ type: 'request', request: message });
        break;
      default:
        state.todo.push({ type: 'request', request: message });
    }
    goOn(state, turn as SupTurn);
    return state;
  },

  signal(state, received: Signal, turn: Turn<Message>) {
    const signal = received as SupervisorSignal;
    const own = turn as SupTurn;
    if (signal.type === 'shutdownRequested') endWith(state, { type: 'shutdown' });
    else if (signal.type === 'childStarted') onChildStarted(state, signal.ref, signal.incarnation, own);
    else if (signal.type === 'childExited') onChildExited(state, signal.ref, signal.incarnation, signal.reason, own);
    goOn(state, own);
    return state;
  },
};

/** Carries the plan on as far as it goes without waiting, then takes the next thing to do. */
function goOn(state: State, turn: SupTurn): void {
  for (;;) {
    if (state.plan !== null) {
      if (!advance(state, state.plan, turn)) return;
    } else if (state.ending !== null) {
      const reason = state.ending;
      const alive = state.children.filter((child) => child.alive);
      if (alive.length === 0) return turn.stop(reason);
      state.plan = { stops: [...alive].reverse(), starts: [], removes: [], then: () => undefined, waiting: null };
    } else {
      const next = state.todo.shift();
      if (next === undefined) return;
      doNext(state, next, turn);
    }
  }
}

/** True where the plan is done. */
function advance(state: State, plan: Plan, turn: SupTurn): boolean {
  if (plan.waiting !== null) return false;
  for (let child = plan.stops.shift(); child !== undefined; child = plan.stops.shift()) {
    child.state = 'stopped';
    if (!child.alive) continue;
    plan.waiting = child;
    stopChild(child, turn);
    return false;
  }
  for (const child of plan.removes) remove(state, child);
  for (let child = plan.starts.shift(); child !== undefined; child = plan.starts.shift()) {
    if (child.alive) continue;
    if (plan.then === onAllStarted && turn.deadHost(hostOf(child, turn)) !== null) {
      // The very first start waits for `replaceHost`: to give up instead would end the parents, too, one after another.
      child.state = 'restarting';
      plan.starts.unshift(child);
      return false;
    }
    plan.waiting = child;
    startChild(child, turn);
    return false;
  }
  state.plan = null;
  plan.then(state, null, turn);
  return true;
}

function doNext(state: State, next: Todo, turn: SupTurn): void {
  switch (next.type) {
    case 'exited':
      // In the meantime a plan may have stopped it, or started it anew: then its exit is dealt with.
      if (next.child.alive || next.child.state !== 'running' || next.child.incarnation !== next.incarnation) return;
      return onExited(state, next.child, next.reason, turn);
    case 'tryAgain':
      if (next.child.state === 'restarting') restart(state, next.child, next.reason, turn);
      return;
    case 'backoffOver': {
      const child = state.children.find(({ spec }) => spec.id === next.id);
      if (child?.state !== 'restarting') return;
      // Its host may have died while it waited for its time.
      if (turn.deadHost(hostOf(child, turn)) !== null) child.waitsForHost = true;
      else state.plan = restartPlan(state, child);
      return;
    }
    case 'request':
      return onRequest(state, next.request, turn);
    default:
      unreachable(next);
  }
}

function onAllStarted(state: State, failed: FailedStart | null, turn: SupTurn): void {
  if (failed === null) turn.confirmStart();
  else if (failed.reason.type === 'hostDown' && turn.deadHost(failed.child.ref!.host) !== null) {
    state.plan = { stops: [], starts: [...state.children], removes: [], then: onAllStarted, waiting: null };
  } else endWith(state, { type: 'shutdown', error: failedToStart(failed) });
}

function onChildStarted(state: State, ref: ActorRef<never>, incarnation: number, turn: SupTurn): void {
  const child = childAt(state, ref, incarnation);
  if (child === undefined || !child.alive) return;
  child.started = true;
  child.startedAtMs = turn.now;
  if (state.plan?.waiting !== child || child.state === 'stopped') return;
  child.state = 'running';
  state.plan.waiting = null;
}

function onChildExited(state: State, ref: ActorRef<never>, incarnation: number, reason: ExitReason, turn: SupTurn): void {
  const child = childAt(state, ref, incarnation);
  if (child === undefined || !child.alive) return;
  child.alive = false;
  turn.cancelTimer(`shutdown ${child.spec.id}`);
  const plan = state.plan;
  if (plan?.waiting !== child) {
    state.todo.push({ type: 'exited', child, incarnation, reason });
    return;
  }
  plan.waiting = null;
  if (child.state === 'stopped') {
    const brutal = shutdownOf(child.spec) === 'brutalKill' && reason.type === 'killed';
    if (isAbnormal(reason) && !brutal) log(turn, 'error', child, `did not stop in good order (${reason.type})`, reason);
    return;
  }
  // It was being started: the plan ends here, what comes behind it is not started.
  log(turn, 'error', child, `failed to start (${reason.type})`, reason);
  child.state = 'stopped';
  state.plan = null;
  plan.then(state, { child, reason }, turn);
}

/** A child that was running has ended by itself. */
function onExited(state: State, child: Child, reason: ExitReason, turn: SupTurn): void {
  const after = afterExit(restartType(child.spec), reason);
  child.state = 'stopped';
  if (isAbnormal(reason)) log(turn, 'error', child, `ended (${reason.type})`, reason);
  if (after === 'restart') restart(state, child, reason, turn);
  else if (after === 'remove') remove(state, child);
}

/** Counts a failure; ends the supervisor where there were too many, else restarts what the strategy says. */
function restart(state: State, child: Child, reason: ExitReason, turn: SupTurn): void {
  const host = reason.type === 'hostDown' ? child.ref!.host : null;
  if (host === null || !state.countedHosts.has(host)) {
    if (host !== null) state.countedHosts.add(host);
    const { history, allowed } = addRestart(state.history, turn.now, state.intensity, state.periodMs);
    state.history = history;
    if (!allowed) return endWith(state, { type: 'shutdown', error: intensityReached(state, child, reason) });
  }
  const backoff = child.spec.backoff;
  if (backoff !== undefined && child.started && turn.now - child.startedAtMs >= backoff.resetAfterMs) child.failures = 0;
  // On a dead host it waits for `replaceHost` instead.
  const hostDead = turn.deadHost(hostOf(child, turn)) !== null;
  const delayMs = backoff === undefined || hostDead ? 0 : backoffDelayMs(backoff, child.failures, turn.random());
  child.failures += 1;
  child.state = 'restarting';
  child.waitsForHost = hostDead;
  if (delayMs === 0 && !hostDead) {
    state.plan = restartPlan(state, child);
    return;
  }
  if (delayMs > 0) turn.startTimer(`backoff ${child.spec.id}`, delayMs, { type: 'backoffOver', id: child.spec.id });
  // The others end now, as they would in OTP; they start again together with it.
  const plan = restartPlan(state, child);
  state.plan = { ...plan, starts: [], then: () => undefined, stops: plan.stops.filter((other) => other !== child) };
}

function restartPlan(state: State, child: Child): Plan {
  const indexes = affectedBy(state.strategy, state.children.length, state.children.indexOf(child));
  const affected = indexes.map((index) => state.children[index]!);
  // Temporary children end with the others and do not come back.
  const starts = affected.filter((other) => other === child || restartType(other.spec) !== 'temporary');
  const stops = state.strategy === 'one_for_one' ? [] : [...affected].reverse();
  const removes = affected.filter((other) => !starts.includes(other));
  return { stops, starts, removes, waiting: null, then: onRestarted };
}

function onRestarted(state: State, failed: FailedStart | null): void {
  if (failed === null) return;
  // OTP's try_again_restart: behind what waits already, and counted once more.
  failed.child.state = 'restarting';
  state.todo.push({ type: 'tryAgain', child: failed.child, reason: failed.reason });
}

function onRequest(state: State, request: ToSupervisor, turn: SupTurn): void {
  switch (request.type) {
    case 'startChild': return onStartChild(state, request.spec, request.replyTo, turn);
    case 'terminateChild': return onTerminateChild(state, request.id, request.replyTo, turn);
    case 'restartChild': return onRestartChild(state, request.id, request.replyTo, turn);
    case 'deleteChild': return onDeleteChild(state, request.id, request.replyTo, turn);
    case 'whichChildren': return turn.reply(request.replyTo, state.children.map(infoOf));
    case 'replaceHost': return onReplaceHost(state, turn);
    default: unreachable(request);
  }
}

function onStartChild(state: State, spec: ChildSpec, replyTo: ReplyTo<ActorRef<never>>, turn: SupTurn): void {
  try {
    checkChildSpec(spec);
  } catch (thrown) {
    return turn.replyError(replyTo, toWireError(thrown));
  }
  const present = find(state, spec.id);
  if (present !== undefined) return refuse(turn, replyTo, spec.id, present.state === 'stopped' ? 'is present already' : 'has been started already', 'startChild');
  const child = newChild(spec);
  state.children.push(child);
  state.plan = {
    stops: [], starts: [child], removes: [], waiting: null,
    then: (_state, failed, then) => {
      if (failed === null) return then.reply(replyTo, child.ref!);
      remove(state, child);
      then.replyError(replyTo, failedToStart(failed));
    },
  };
}

function onTerminateChild(state: State, id: string, replyTo: ReplyTo<null>, turn: SupTurn): void {
  const child = find(state, id);
  if (child === undefined) return refuse(turn, replyTo, id, 'is unknown', 'terminateChild');
  turn.cancelTimer(`backoff ${id}`);
  state.plan = {
    stops: [child], starts: [], removes: [], waiting: null,
    then: (_state, _failed, then) => {
      if (restartType(child.spec) === 'temporary') remove(state, child);
      then.reply(replyTo, null);
    },
  };
}

function onRestartChild(state: State, id: string, replyTo: ReplyTo<ActorRef<never>>, turn: SupTurn): void {
  const child = find(state, id);
  if (child === undefined) return refuse(turn, replyTo, id, 'is unknown', 'restartChild');
  if (child.state !== 'stopped') return refuse(turn, replyTo, id, `is ${child.state}`, 'restartChild');
  state.plan = {
    stops: [], starts: [child], removes: [], waiting: null,
    then: (_state, failed, then) => (failed === null ? then.reply(replyTo, child.ref!) : then.replyError(replyTo, failedToStart(failed))),
  };
}

function onDeleteChild(state: State, id: string, replyTo: ReplyTo<null>, turn: SupTurn): void {
  const child = find(state, id);
  if (child === undefined) return refuse(turn, replyTo, id, 'is unknown', 'deleteChild');
  if (child.state !== 'stopped') return refuse(turn, replyTo, id, `is ${child.state}`, 'deleteChild');
  remove(state, child);
  turn.reply(replyTo, null);
}

/** At once, also while a plan waits for something on that host. */
function moveSpecs(state: State, from: HostId, to: HostId, turn: SupTurn): void {
  for (const child of state.children) {
    child.spec = moveSpec(child.spec, from, to);
    const runsElsewhere = child.alive && child.ref !== null && child.ref.host !== from;
    if (runsElsewhere && childType(child.spec) === 'supervisor') turn.tell(child.ref as ActorRef<ToSupervisor>, { type: 'replaceHost', from, to });
  }
}

/** The children that wait for a living host start on the one that they have been given. */
function onReplaceHost(state: State, turn: SupTurn): void {
  // Its host may have been replaced more than once meanwhile, so what counts is where its spec puts it now.
  const waiting = state.children.filter((child) => child.state === 'restarting' && child.waitsForHost && turn.deadHost(hostOf(child, turn)) === null);
  // One plan each: where the start of one fails, the others are not to wait for it. Under the other strategies the first one's
  // restart takes those behind it along, and finds them `running` when their turn comes.
  state.todo.unshift(...waiting.map((child): Todo => ({ type: 'backoffOver', id: child.spec.id })));
}

/** From here on nothing is started; goOn stops what is alive, last first, and then the supervisor itself. */
function endWith(state: State, reason: ExitReason): void {
  if (state.ending !== null) return;
  state.ending = reason;
  state.todo.length = 0;
  state.plan = null;
}

function startChild(child: Child, turn: SupTurn): void {
  const host = hostOf(child, turn);
  const path = `${turn.self.path}/${child.spec.id}` as ActorPath;
  if (child.ref === null || child.ref.host !== host) child.ref = turn.newChildRef(host, path, child.spec.cell);
  child.incarnation += 1;
  child.alive = true;
  child.started = false;
  child.waitsForHost = false;
  child.state = 'running';
  turn.spawnChild({ ref: child.ref, behavior: child.spec.behavior, args: child.spec.args, incarnation: child.incarnation });
}

function stopChild(child: Child, turn: SupTurn): void {
  const { spec, incarnation } = child;
  const shutdown = shutdownOf(spec);
  if (shutdown === 'brutalKill') return turn.killChild(child.ref!);
  turn.exitChild(child.ref!, { type: 'shutdown' });
  if (shutdown !== 'infinity') turn.startTimer(`shutdown ${spec.id}`, shutdown, { type: 'shutdownOver', id: spec.id, incarnation });
}

function onShutdownOver(state: State, message: { readonly id: string; readonly incarnation: number }, turn: SupTurn): void {
  const child = state.plan?.waiting;
  if (child === null || child === undefined || child.spec.id !== message.id || child.incarnation !== message.incarnation || !child.alive) return;
  turn.killChild(child.ref!);
}

function newChild(spec: ChildSpec): Child {
  return { spec, state: 'stopped', ref: null, alive: false, started: false, waitsForHost: false, incarnation: -1, failures: 0, startedAtMs: 0 };
}

function hostOf(child: Child, turn: SupTurn): HostId {
  return child.spec.host ?? turn.host;
}

function find(state: State, id: string): Child | undefined {
  return state.children.find((child) => child.spec.id === id);
}

function childAt(state: State, ref: ActorRef<never>, incarnation: number): Child | undefined {
  return state.children.find((child) => child.ref?.host === ref.host && child.ref.cell === ref.cell && child.incarnation === incarnation);
}

function remove(state: State, child: Child): void {
  state.children = state.children.filter((other) => other !== child);
}

function infoOf(child: Child): ChildInfo {
  return { id: child.spec.id, ref: child.alive ? child.ref : null, type: childType(child.spec), state: child.state, restarts: Math.max(0, child.incarnation) };
}

function refuse(turn: SupTurn, replyTo: ReplyTo<never>, id: string, why: string, request: string): void {
  turn.replyError(replyTo, wire('UnknownChild', `${request}: the child "${id}" of ${turn.self.path} ${why}.`, { id }));
}

function failedToStart(failed: FailedStart): WireError {
  const text = `The child "${failed.child.spec.id}" failed to start (${failed.reason.type})`;
  const cause = errorOf(failed.reason);
  return cause === null ? wire('ActorGone', `${text}.`, { id: failed.child.spec.id }) : { ...wire('ActorGone', `${text}: ${cause.message}`, { id: failed.child.spec.id }), cause };
}

function intensityReached(state: State, child: Child, reason: ExitReason): WireError {
  const text = `More than ${state.intensity} restarts within ${state.periodMs} ms; the last to fail was "${child.spec.id}" (${reason.type}).`;
  return { ...wire('RestartIntensityReached', text, { id: child.spec.id, intensity: state.intensity, periodMs: state.periodMs }), cause: errorOf(reason) };
}

function errorOf(reason: ExitReason): WireError | null {
  return 'error' in reason && reason.error !== undefined ? reason.error : null;
}

function wire(code: ErrorCode, text: string, details: Record<string, unknown>): WireError {
  return toWireError(new MillraceError(code, text, { details }));
}

function log(turn: SupTurn, level: 'error' | 'warn', child: Child, text: string, reason: ExitReason): void {
  const error = errorOf(reason);
  turn.log(level, `Child "${child.spec.id}" ${text}${error === null ? '' : `: ${clauseOf(error.message)}`}.`, { child: child.spec.id, reason });
}

/**
 * Keeps the blocks that this io thread's receivers have cut, until the tracker on the driver has them; knows those of another
 * block manager, to report them in its place; and writes blocks to the disk that make room for others.
 *
 * Owns: in which step (actors/block-steps.ts) each block is; the bytes lie in shared memory and outlive this thread. Invariant:
 * every block that is put is answered once: received for good, or not stored. Blocks of one receiver's life (a *line*) stay in
 * order, and where one is refused, all behind it are, so that no position ever hides a gap.
 * Talks to: block generators (same thread), other block managers, the receiver tracker of the block's program, the block
 * manager master.
 * A crash loses: blocks that were not yet reported and that no other block manager knows: nobody has acknowledged them. A block
 * that was being written stays in memory.
 */
import type { Behavior, Turn } from '../lib/actor/behavior.ts';
import { refKey } from '../lib/actor/ref.ts';
import { spill } from '../lib/storage/spill.ts';
import { StepLine } from '../lib/storage/step-line.ts';
import type { PutBlock, ToBlockManager, ToBlockManagerMaster } from '../protocol/block.ts';
import { MillraceError, toWireError } from '../protocol/errors.ts';
import type { WireError } from '../protocol/errors.ts';
import type { SharedHandle } from '../protocol/rdd.ts';
import type { ActorRef, ReplyTo } from '../protocol/ref.ts';
import { unreachable } from '../lib/base/assert.ts';
import { BlockReplicas } from './block-replicas.ts';
import { blockSteps, forgetAt, nextReplica, replicationOf } from './block-steps.ts';
import type { Drain, StoredPut } from './block-steps.ts';
import { places } from './places.ts';
import type { HostServices } from './services.ts';

type Item = StoredPut | Drain;
type Turning = Turn<ToBlockManager>;
type Manager = ActorRef<ToBlockManager>;

interface State {
  managers: readonly Manager[];
  /** By receiver's life, or by that and whom its blocks were adopted from. */
  readonly lines: Map<string, StepLine<Item>>;
  /** Of a stream: the last life of which a block was refused, and why. */
  readonly refused: Map<string, { readonly epoch: number; readonly error: WireError }>;
  readonly replicas: BlockReplicas;
  readonly watched: Set<string>;
}

const pinTimeoutMs = 30_000;

export function blockManager(services: HostServices): Behavior<State, ToBlockManager> {
  return {
    name: 'block-manager',
    init(turn) {
      turn.tell(places.blockManagerMaster, { type: 'blockManagerUp', host: services.host, manager: turn.self });
      return { managers: [], lines: new Map(), refused: new Map(), replicas: new BlockReplicas(), watched: new Set() };
    },
    receive(state, message, turn) {
      switch (message.type) {
        case 'managersChanged':
          state.managers = message.managers;
          return state;
        case 'drained': {
          const line = lineOf(message);
          const { program, stream } = message;
          if (state.lines.has(line)) enter(state, line, [{ kind: 'drain', program, stream, replyTo: message.replyTo }], turn);
          else turn.reply(message.replyTo, null);
          return state;
        }
        case 'putBlock':
          return onPutBlock(state, message, turn);
        case 'stepEnded':
          return onStepEnded(state, message, services, turn);
        case 'stepAgain': {
          const group = state.lines.get(message.line)?.groupAt(message.step, message.group);
          if (group != null) run(state, message.line, message.step, message.group, group.items, message.attempt, turn);
          return state;
        }
        case 'replicateBlocks':
          return onReplicateBlocks(state, message, services, turn);
        case 'blocksPinned': {
          const there = message.blocks.filter((_block, index) => message.pinned[index] === true);
          const gone = message.blocks.filter((block) => !there.includes(block));
          state.replicas.notPinned(message.origin, gone);
          const { adopted, forgotten } = state.replicas.pinned(message.origin, there);
          unpin(forgotten, services, turn);
          if (gone.length === 0) turn.reply(message.replyTo, null);
          else turn.replyError(message.replyTo as ReplyTo<never>, notStored('its memory is gone.'));
          return onAdopted(state, message.origin, adopted, turn);
        }
        case 'forgetReplicas':
          unpin(state.replicas.forget(message.from, message.life, message.blocks), services, turn);
          return state;
        case 'replicaMade':
          return onReplicaMade(state, message, turn);
        case 'spillBlock': {
          const { places: from, file, replyTo } = message;
          turn.perform('spill', () => spill(services.pool, services.files, from, file), (outcome) => ({ type: 'spillEnded', replyTo, spilled: outcome.ok }));
          return state;
        }
        case 'spillEnded':
          turn.reply(message.replyTo, { spilled: message.spilled });
          return state;
        default:
          return unreachable(message);
      }
    },
    signal(state, signal, turn) {
      if (signal.type !== 'terminated') return state;
      const gone = signal.ref as Manager;
      state.watched.delete(refKey(gone));
      state.managers = state.managers.filter((manager) => refKey(manager) !== refKey(gone));
      replicateAnew(state, (replica) => replica !== null && refKey(replica) === refKey(gone), turn);
      return onAdopted(state, refKey(gone), state.replicas.adopt(gone), turn);
    },
  };
}

function onPutBlock(state: State, { put, replyTo }: Extract<ToBlockManager, { type: 'putBlock' }>, turn: Turning): State {
  const stream = `${put.program}/${put.stream}`;
  const refused = state.refused.get(stream);
  if (refused !== undefined && put.epoch <= refused.epoch) {
    if (put.block.place !== null && 'slab' in put.block.place) turn.tell(places.blockManagerMaster, { type: 'releaseUnheld', handles: [put.block.place] });
    turn.replyError(replyTo as ReplyTo<never>, refused.error);
    return state;
  }
  enter(state, lineOf(put), [storedPut(put, replyTo)], turn);
  return state;
}

/** Blocks of one that is gone: reported from here, each life in its own order. */
function onAdopted(state: State, origin: string, blocks: readonly PutBlock[], turn: Turning): State {
  const lines = new Map<string, Item[]>();
  for (const put of blocks) {
    const line = `${lineOf(put)} of ${origin}`;
    lines.set(line, [...(lines.get(line) ?? []), storedPut(put, null)]);
  }
  for (const [line, items] of lines) enter(state, line, items, turn);
  if (blocks.length > 0) turn.log('info', `${blocks.length} blocks of a block manager that is gone are reported from here.`);
  return state;
}

function enter(state: State, name: string, items: readonly Item[], turn: Turning): void {
  let line = state.lines.get(name);
  if (line === undefined) state.lines.set(name, (line = new StepLine(blockSteps.map(({ groupsMax }) => groupsMax))));
  for (const item of items) line.enter(item);
  advance(state, name, line, turn);
}

/** Begins every step that has something to do and can take it. */
function advance(state: State, name: string, line: StepLine<Item>, turn: Turning): void {
  for (let step = 0; step < blockSteps.length; step += 1) {
    const group = line.begin(step);
    if (group !== null) run(state, name, step, group.id, group.items, 0, turn);
  }
}

function run(state: State, line: string, step: number, group: number, items: readonly Item[], attempt: number, turn: Turning): void {
  const puts = items.filter((item): item is StoredPut => item.kind === 'put');
  const drain = items.find((item): item is Drain => item.kind === 'drain') ?? null;
  const ended = (error: WireError | null): ToBlockManager => ({ type: 'stepEnded', line, step, group, error });
  const again = (): ToBlockManager => ({ type: 'stepAgain', line, step, group, attempt: attempt + 1 });
  const waits = blockSteps[step]?.run({ puts, drain, attempt, managers: state.managers, turn, ended, again }) === true;
  if (waits) for (const { asked } of puts) watch(state, asked, turn);
  else turn.tell(turn.self, ended(null));
}

function onStepEnded(state: State, message: Extract<ToBlockManager, { type: 'stepEnded' }>, services: HostServices, turn: Turning): State {
  const { line: name, step, group, error } = message;
  const line = state.lines.get(name);
  if (line === undefined) return state;
  if (error === null) {
    for (const item of line.groupAt(step, group)?.items ?? []) {
      if (item.kind === 'put' && item.replica === null) Object.assign(item, { replica: item.asked });
    }
    settle(line.end(step, group), null, services, turn);
    advance(state, name, line, turn);
  } else {
    const taken = line.fail(step, group);
    const wrong = error.code === 'BlockNotStored' ? error : notStored(error.message, error);
    const [own] = taken.filter((item): item is StoredPut => item.kind === 'put' && item.replyTo !== null);
    if (own !== undefined) state.refused.set(`${own.put.program}/${own.put.stream}`, { epoch: own.put.epoch, error: wrong });
    settle(taken, wrong, services, turn);
  }
  if (line.isEmpty) state.lines.delete(name);
  return state;
}

/** Answers, and gives back what was kept for these blocks elsewhere. */
function settle(items: readonly Item[], error: WireError | null, services: HostServices, turn: Turning): void {
  const puts = items.filter((item): item is StoredPut => item.kind === 'put');
  const byReplica = new Map<Manager, StoredPut[]>();
  for (const put of puts) {
    const at = put.replica ?? put.asked;
    if (at !== null) byReplica.set(at, [...(byReplica.get(at) ?? []), put]);
  }
  for (const [replica, known] of byReplica) forgetAt(replica, known, turn);
  unpin(puts.flatMap(({ put, replyTo }) => (replyTo === null ? [put] : [])), services, turn);
  const unheld = error === null ? [] : handlesOf(puts.flatMap(({ put, replyTo }) => (replyTo === null ? [] : [put])));
  if (unheld.length > 0) turn.tell(places.blockManagerMaster, { type: 'releaseUnheld', handles: unheld });
  for (const item of items) {
    if (item.replyTo === null) continue;
    if (error === null || item.kind === 'drain') turn.reply(item.replyTo, null);
    else turn.replyError(item.replyTo as ReplyTo<never>, error);
  }
}

function onReplicateBlocks(state: State, { from, life, blocks, replyTo }: Extract<ToBlockManager, { type: 'replicateBlocks' }>, services: HostServices, turn: Turning): State {
  const origin = state.replicas.pinning(from, life, blocks);
  watch(state, from, turn);
  const inMemory = blocks.map(({ block }) => block.place !== null && 'slab' in block.place);
  turn.ask<ToBlockManagerMaster, readonly boolean[]>(places.blockManagerMaster, (answer) => ({ type: 'pin', holder: services.host, origin: from.host, handles: handlesOf(blocks), replyTo: answer }), pinTimeoutMs, (outcome) => {
    const there = outcome.ok ? [...outcome.value] : [];
    // One without memory, such as an empty block, is always there.
    const pinned = inMemory.map((isInMemory) => !isInMemory || there.shift() === true);
    return { type: 'blocksPinned', origin, blocks, pinned, replyTo };
  });
  return state;
}

/** What the one that is gone knew, and is not yet received, is made known to another one. */
function replicateAnew(state: State, isLost: (replica: Manager | null, put: PutBlock) => boolean, turn: Turning): void {
  const puts: StoredPut[] = [];
  for (const line of state.lines.values()) {
    for (const item of line.items()) if (item.kind === 'put' && isLost(item.replica, item.put)) puts.push(item);
  }
  if (puts.length === 0) return;
  for (const put of puts) put.replica = null;
  const next = nextReplica(puts, state.managers, turn);
  if (next === null) return;
  watch(state, next, turn);
  const blocks = puts.map(({ put }) => put.block.id);
  turn.ask<ToBlockManager, null>(next, (replyTo) => replicationOf(puts, turn, replyTo), pinTimeoutMs, (outcome) => ({ type: 'replicaMade', blocks, replica: outcome.ok ? next : null }));
}

/** Those that were received meanwhile are forgotten there, too. */
function onReplicaMade(state: State, { blocks, replica }: Extract<ToBlockManager, { type: 'replicaMade' }>, turn: Turning): State {
  const left = new Set(blocks);
  if (replica === null) {
    replicateAnew(state, (known, put) => known === null && left.has(put.block.id), turn);
    return state;
  }
  for (const line of state.lines.values()) {
    for (const item of line.items()) if (item.kind === 'put' && item.replica === null && left.delete(item.put.block.id)) item.replica = replica;
  }
  if (left.size > 0) turn.tell(replica, { type: 'forgetReplicas', from: turn.self, life: turn.incarnation, blocks: [...left] });
  return state;
}

/** Each life once: the signal of its end takes it out. */
function watch(state: State, manager: Manager | null, turn: Turning): void {
  if (manager === null || state.watched.has(refKey(manager))) return;
  state.watched.add(refKey(manager));
  turn.watch(manager as ActorRef<never>);
}

function storedPut(put: PutBlock, replyTo: ReplyTo<null> | null): StoredPut {
  return { kind: 'put', put, replyTo, asked: null, replica: null, tried: new Set() };
}

function unpin(blocks: readonly PutBlock[], { host }: HostServices, turn: Turning): void {
  const handles = handlesOf(blocks);
  if (handles.length > 0) turn.tell(places.blockManagerMaster, { type: 'unpin', holder: host, handles });
}

function handlesOf(blocks: readonly PutBlock[]): readonly SharedHandle[] {
  return blocks.flatMap(({ block: { place } }) => (place !== null && 'slab' in place ? [place] : []));
}

function lineOf({ program, stream, epoch }: Pick<PutBlock, 'program' | 'stream' | 'epoch'>): string {
  return `${program}/${stream}/${epoch}`;
}

function notStored(why: string, cause: WireError | null = null): WireError {
  const error = toWireError(new MillraceError('BlockNotStored', `Expected the block to be stored; it was not, since ${why} Don't acknowledge its records: their source has to send them again.`));
  return { ...error, cause };
}

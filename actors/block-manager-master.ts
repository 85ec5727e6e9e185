/**
 * The ledger of shared memory: which handles are held, and for what. Has blocks written to the disk that make room.
 *
 * Owns: the right to give memory back. Invariant: a handle is released exactly once, when its scope (or it alone) is
 * released; nobody else calls `pool.release` for memory that was ever entered here. A *pin* (actors/block-pins.ts) keeps a handle
 * from going with its thread, and is no scope: it gives back only what no scope has taken over.
 * Talks to: receiver tracker, task scheduler, job generator (all on the driver), block managers (io threads), and the app's
 * thread (results read).
 * A crash loses: the ledger. The driver's supervisor then ends the cluster's programs (rest_for_one), since memory that
 * nobody can account for can't be given back one by one.
 */
import type { Behavior, Turn } from '../lib/actor/behavior.ts';
import { slabsToFree } from '../lib/storage/eviction.ts';
import { spill } from '../lib/storage/spill.ts';
import { handleKey, isScopeOf } from '../protocol/block.ts';
import type { Scope, Spilled, ToBlockManager, ToBlockManagerMaster } from '../protocol/block.ts';
import type { HostId } from '../protocol/ids.ts';
import type { SharedHandle } from '../protocol/rdd.ts';
import { driverHost } from '../protocol/ref.ts';
import type { ActorRef } from '../protocol/ref.ts';
import { unreachable } from '../lib/base/assert.ts';
import { BlockPins } from './block-pins.ts';
import { places } from './places.ts';
import type { HostServices } from './services.ts';

interface State {
  /** Handles by a number that no two live handles share: slab and offset. */
  readonly scopes: Map<Scope, Map<number, SharedHandle>>;
  readonly pins: BlockPins;
  /** Who keeps received blocks. Those on io threads write blocks to the disk, too: taken in turn, the next one first. */
  readonly managers: Map<HostId, ActorRef<ToBlockManager>>;
}

/** A block is written in milliseconds; a disk that takes this long is not to be waited for. */
const spillTimeoutMs = 30_000;

export function blockManagerMaster(services: HostServices): Behavior<State, ToBlockManagerMaster> {
  const { pool } = services;

  const scopeOf = (state: State, scope: Scope): Map<number, SharedHandle> => {
    let handles = state.scopes.get(scope);
    if (handles === undefined) state.scopes.set(scope, (handles = new Map()));
    return handles;
  };

  const releaseScope = (state: State, scope: Scope): void => {
    const handles = state.scopes.get(scope);
    state.scopes.delete(scope);
    for (const handle of handles?.values() ?? []) pool.release(handle);
  };

  /** What no scope holds is nobody's any more. */
  const releaseUnheld = (state: State, handles: readonly SharedHandle[]): void => {
    for (const handle of handles) {
      const isHeld = [...state.scopes.values()].some((held) => held.get(handleKey(handle))?.generation === handle.generation);
      if (!isHeld && pool.isLive(handle)) pool.release(handle);
    }
  };

  return {
    name: 'block-manager-master',
    mailbox: { messagesMax: 1_000_000, overflow: 'fail' },
    init: () => ({ scopes: new Map(), pins: new BlockPins(), managers: new Map() }),
    receive(state, message, turn) {
      switch (message.type) {
        case 'hold': {
          const handles = scopeOf(state, message.scope);
          for (const handle of message.handles) handles.set(handleKey(handle), handle);
          return state;
        }
        case 'holdLive': {
          const handles = scopeOf(state, message.scope);
          const held = message.handles.map((handle) => pool.isLive(handle));
          for (const [index, handle] of message.handles.entries()) if (held[index] === true) handles.set(handleKey(handle), handle);
          forgetEmpty(state, message.scope);
          turn.reply(message.replyTo, held);
          // Receivers have taken memory, with no task or job that would show it to who makes room.
          if (slabsToFree({ slabs: pool.slabs, free: pool.freeSlabs }) > 0) turn.tell(places.taskScheduler, { type: 'keepRoom' });
          return state;
        }
        case 'pin': {
          const pinned = message.handles.map((handle) => pool.isLive(handle));
          state.pins.add(message.holder, message.origin, message.handles.filter((_handle, index) => pinned[index]));
          turn.reply(message.replyTo, pinned);
          return state;
        }
        case 'unpin':
          releaseUnheld(state, state.pins.remove(message.holder, message.handles));
          return state;
        case 'releaseUnheld':
          releaseUnheld(state, state.pins.leave(message.handles.filter((handle) => pool.isLive(handle))));
          return state;
        case 'moveHold': {
          const from = scopeOf(state, message.from);
          const to = scopeOf(state, message.to);
          for (const handle of message.handles) {
            if (take(from, handle)) to.set(handleKey(handle), handle);
          }
          forgetEmpty(state, message.from, message.to);
          return state;
        }
        case 'release': {
          const handles = state.scopes.get(message.scope);
          for (const handle of message.handles) {
            if (handles !== undefined && take(handles, handle)) pool.release(handle);
          }
          forgetEmpty(state, message.scope);
          return state;
        }
        case 'removeFiles':
          turn.perform('removeFiles', () => services.files.remove(message.files), () => null);
          return state;
        case 'releaseProgram':
          for (const scope of [...state.scopes.keys()]) {
            if (isScopeOf(message.program, scope)) releaseScope(state, scope);
          }
          return state;
        case 'blockManagerUp':
          state.managers.set(message.host, message.manager);
          tellManagers(state, turn);
          return state;
        case 'spillBlock':
          return onSpillBlock(state, message, services, turn);
        case 'spillHere':
          return spillHere(state, message, services, turn);
        case 'spillEnded':
          turn.reply(message.replyTo, { spilled: message.spilled });
          return state;
        case 'hostExited': {
          if (state.managers.delete(message.host)) tellManagers(state, turn);
          // Its pins first: what nobody else has taken over is left to the reclaim, or given back.
          const unpinned = state.pins.dropHolder(message.host);
          const live: SharedHandle[] = [...state.pins.leaveOrigin(message.host)];
          for (const handles of state.scopes.values()) live.push(...handles.values());
          pool.reclaim(message.host, live);
          releaseUnheld(state, unpinned);
          return state;
        }
        case 'blockStats': {
          const { slabs, liveHandles, usedBytes } = pool.stats();
          const heldHandles = [...state.scopes.values()].reduce((sum, handles) => sum + handles.size, 0);
          turn.reply(message.replyTo, { poolBytes: slabs * services.options.slabBytes, usedBytes, liveHandles, scopes: state.scopes.size, heldHandles });
          return state;
        }
        default:
          return unreachable(message);
      }
    },
  };
}

function tellManagers(state: State, turn: Turn<ToBlockManagerMaster>): void {
  const managers = [...state.managers.values()];
  for (const manager of managers) turn.tell(manager, { type: 'managersChanged', managers });
}

/** By the io thread whose turn it is; where none is up just now, or it dies over it, here. One that hangs may yet write: then there is no file. */
function onSpillBlock(state: State, message: Extract<ToBlockManagerMaster, { type: 'spillBlock' }>, services: HostServices, turn: Turn<ToBlockManagerMaster>): State {
  const { places: from, file, replyTo } = message;
  for (const [host, manager] of state.managers) {
    if (host === driverHost) continue;
    state.managers.delete(host);
    state.managers.set(host, manager);
    turn.ask<ToBlockManager, Spilled>(manager, (answer) => ({ type: 'spillBlock', places: from, file, replyTo: answer }), spillTimeoutMs, (outcome): ToBlockManagerMaster => {
      if (!outcome.ok && outcome.error.code !== 'AskTimeout') return { ...message, type: 'spillHere' };
      return { type: 'spillEnded', replyTo, spilled: outcome.ok && outcome.value.spilled };
    });
    return state;
  }
  return spillHere(state, { ...message, type: 'spillHere' }, services, turn);
}

function spillHere(state: State, { places: from, file, replyTo }: Extract<ToBlockManagerMaster, { type: 'spillHere' }>, { pool, files }: HostServices, turn: Turn<ToBlockManagerMaster>): State {
  turn.perform('spill', () => spill(pool, files, from, file), (outcome) => ({ type: 'spillEnded', replyTo, spilled: outcome.ok }));
  return state;
}

/** Each output of each batch has a scope of its own for its results: none may stay when it is empty. */
function forgetEmpty(state: State, ...scopes: readonly Scope[]): void {
  for (const scope of scopes) {
    if (state.scopes.get(scope)?.size === 0) state.scopes.delete(scope);
  }
}

/** False where it is not held, or where the place has been given to another handle meanwhile. */
function take(handles: Map<number, SharedHandle>, handle: SharedHandle): boolean {
  const key = handleKey(handle);
  return handles.get(key)?.generation === handle.generation && handles.delete(key);
}

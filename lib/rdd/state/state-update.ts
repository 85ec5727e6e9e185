/**
 * How one batch changes a state table: the rules of updateStateByKey, mapWithState and windows with an inverse function.
 *
 * Invariant: only what a function has changed is written, so that a table costs by what is touched. The order of calls depends on
 * the table and the input alone: keys that are there, in their order, then new ones as they come (`track`: records as they come).
 * A state is null or undefined: the key has none.
 */
import type { StateUpdate } from '../../../protocol/rdd.ts';
import { KeyTable } from '../../base/key-table.ts';
import { MillraceError, previewOf } from '../../../protocol/errors.ts';
import { KeyedState } from './keyed-state.ts';
import type { StateColumns, StateTable } from './state-table.ts';
import { removed } from './state-table.ts';

type UserFunction = (...args: unknown[]) => unknown;
type UpdateOf<K extends StateUpdate['kind']> = Extract<StateUpdate, { kind: K }>;

export interface UpdateRun {
  readonly table: StateTable;
  readonly time: number;
  /** The batch's pairs: for `update` and `window` grouped by key, each key once. */
  readonly input: StateColumns;
  resolve(ref: UpdateOf<'update'>['fn']): UserFunction;
  /** Called every 1,024 calls of the function. Throws TaskCancelled. */
  alive(): void;
  /** The error for what the function threw, or returned, for a key. */
  failure(thrown: unknown, key: unknown): Error;
  /** The function threw on a record, which begins with its key: under a policy it is noted as left out, else its failure is thrown. */
  leaveOut(thrown: unknown, record: readonly unknown[]): void;
  /** Throws where a function has returned a promise. */
  refuseAsync(result: unknown): void;
}

/** Changes the table. Returns what was emitted; only `track` emits. Where it throws, the change is to be rolled back. */
export function updateState(run: UpdateRun, update: StateUpdate): unknown[] {
  switch (update.kind) {
    case 'update':
      if (update.form === 'iterator') updateAllAtOnce(run, update);
      else updateEach(run, update);
      return [];
    case 'track':
      return track(run, update);
    case 'window':
      slideWindow(run, update);
      return [];
  }
}

const noValues: readonly unknown[] = Object.freeze([]);
const callsPerLook = 1_024;

function updateEach(run: UpdateRun, update: UpdateOf<'update'>): void {
  const { table, time, input } = run;
  const fn = run.resolve(update.fn);
  const timed = update.form === 'time';
  const slotsBefore = table.size;
  const { bySlot, fresh, clear } = groupsBySlot(run);
  const { keys, values } = table;
  // Every key passes here in every batch: the loop makes no object, and one `try` around it has to know whose error it caught.
  let calling = false;
  let key: unknown;
  let given: unknown;
  let slot = 0;
  try {
    while (slot < slotsBefore) {
      try {
        for (; slot < slotsBefore; slot += 1) {
          if ((slot & (callsPerLook - 1)) === 0) run.alive();
          const state = values[slot];
          if (state === removed) continue;
          const group = bySlot[slot] as number;
          given = group < 0 ? noValues : input.values[group];
          key = keys[slot];
          calling = true;
          const next = timed ? fn(time, key, given, state) : fn(given, state);
          calling = false;
          if (typeof next === 'object' && next !== null) {
            run.refuseAsync(next);
            // It may have been changed in place: with new values it counts as changed.
            if (group >= 0 || next !== state) table.setAt(slot, next, time);
          } else if (next === undefined || next === null) table.removeAt(slot);
          else if (!Object.is(next, state)) table.setAt(slot, next, time);
        }
      } catch (thrown) {
        if (!calling) throw thrown;
        run.leaveOut(thrown, [key, given]);
        // The key's state stays as it was.
        calling = false;
        slot += 1;
      }
    }
  } finally {
    clear();
  }
  fresh.forEach((group, index) => {
    if ((index & (callsPerLook - 1)) === 0) run.alive();
    const added = input.keys[group];
    const next = calledOr(run, undefined, () => (timed ? fn(time, added, input.values[group], undefined) : fn(input.values[group], undefined)), [added, input.values[group]]);
    if (next !== undefined && next !== null) table.add(added, next, time);
  });
}

interface Groups {
  /** By slot: which group of the input belongs to it, or -1. */
  readonly bySlot: Int32Array;
  /** The groups of keys that are new. */
  readonly fresh: readonly number[];
  /** Must be called when `bySlot` is no longer needed. */
  readonly clear: () => void;
}

function groupsBySlot({ table, input }: UpdateRun): Groups {
  const fresh: number[] = [];
  const slots: number[] = [];
  // Found first: a key that can't be one throws before anything is marked.
  for (let group = 0; group < input.keys.length; group += 1) slots.push(table.find(input.keys[group]));
  const bySlot = table.scratch();
  slots.forEach((slot, group) => {
    if (slot < 0) fresh.push(group);
    else bySlot[slot] = group;
  });
  const clear = (): void => {
    for (const slot of slots) if (slot >= 0) bySlot[slot] = -1;
  };
  return { bySlot, fresh, clear };
}

/** The form that sees all keys as one sequence: what it does not give back, goes. */
function updateAllAtOnce(run: UpdateRun, update: UpdateOf<'update'>): void {
  const { table, time, input } = run;
  const fn = run.resolve(update.fn);
  const slotsBefore = table.size;
  const groups = groupsBySlot(run);
  const given = function* (): Generator<[unknown, unknown, unknown]> {
    for (let slot = 0; slot < slotsBefore; slot += 1) {
      if ((slot & (callsPerLook - 1)) === 0) run.alive();
      const state = table.values[slot];
      if (state === removed) continue;
      const group = groups.bySlot[slot] as number;
      yield [table.keys[slot], group < 0 ? noValues : input.values[group], state];
    }
    for (const group of groups.fresh) yield [input.keys[group], input.values[group], undefined];
  };
  // All of it is drawn before the table is changed, since the function may look back at what it was given.
  const result = new KeyTable<unknown>();
  try {
    guarded(run, () => {
      const pairs = fn(given());
      run.refuseAsync(pairs);
      for (const pair of pairs as Iterable<unknown>) {
        if (!Array.isArray(pair) || pair.length !== 2) throw new MillraceError('InvalidArgument', `The function of updateStateByKey must give pairs [key, state], and gave ${previewOf(pair)}.`);
        result.values[result.slotOf(pair[0])] = pair[1];
      }
    }, undefined);
  } finally {
    groups.clear();
  }
  for (let slot = 0; slot < slotsBefore; slot += 1) {
    if (table.values[slot] !== removed && result.find(table.keys[slot]) < 0) table.removeAt(slot);
  }
  result.keys.forEach((key, index) => {
    const next = result.values[index];
    const slot = table.find(key);
    if (next === undefined || next === null) {
      if (slot >= 0) table.removeAt(slot);
    } else if (slot < 0) table.add(key, next, time);
    else if (!Object.is(next, table.values[slot]) || typeof next === 'object') table.setAt(slot, next, time);
  });
}

function track(run: UpdateRun, update: UpdateOf<'track'>): unknown[] {
  const { table, time } = run;
  const { keys, values } = run.input;
  const fn = run.resolve(update.fn);
  const emitted: unknown[] = [];
  const state = new KeyedState();
  const isTimed = update.timeoutMs !== null;
  // As in `updateEach`: no object for a record, and one `try` around the loop.
  let calling = false;
  let index = 0;
  while (index < keys.length) {
    try {
      for (; index < keys.length; index += 1) {
        if ((index & (callsPerLook - 1)) === 0) run.alive();
        const key = keys[index];
        const slot = table.find(key);
        state.wrap(slot >= 0, slot < 0 ? undefined : table.values[slot], false);
        calling = true;
        const result = fn(time, key, values[index], state);
        calling = false;
        if (typeof result === 'object' && result !== null) run.refuseAsync(result);
        if (result !== undefined) emitted.push(result);
        if (state.isRemoved) {
          if (slot >= 0) table.removeAt(slot);
        } else if (state.isUpdated || (isTimed && state.exists())) {
          // With a timeout, being asked for is being in use.
          if (slot < 0) table.add(key, state.get(), time);
          else table.setAt(slot, state.get(), time, key);
        }
      }
    } catch (thrown) {
      if (!calling) throw thrown;
      run.leaveOut(thrown, [keys[index], values[index]]);
      // What it had done to the state before it threw is forgotten with the call.
      calling = false;
      index += 1;
    }
  }
  if (update.timeoutMs === null || !update.sweeps) return emitted;
  for (const slot of table.idleSince(time - update.timeoutMs)) {
    const [key, last] = [table.keys[slot], table.values[slot]];
    state.wrap(true, last, true);
    // Under a policy the state goes all the same: it would throw again at every sweep, and never leave. The letter has it.
    const result = calledOr(run, undefined, () => fn(time, key, undefined, state), [key, undefined, last]);
    if (result !== undefined) emitted.push(result);
    table.removeAt(slot);
  }
  return emitted;
}

/**
 * A key of the input has a list for each per-batch result that leaves or enters the window, `leaving` of them first; each list holds its
 * value there, or nothing. A key that none of them has keeps its result.
 */
function slideWindow(run: UpdateRun, update: UpdateOf<'window'>): void {
  const { table, time, input } = run;
  const [reduce, inverse] = [run.resolve(update.fn), run.resolve(update.inverse)];
  const filter = update.filter === null ? null : run.resolve(update.filter);
  const merge = (lists: readonly (readonly unknown[])[], from: number, to: number): readonly unknown[] => {
    let merged: unknown[] | null = null;
    for (let index = from; index < to; index += 1) {
      for (const value of lists[index] ?? noValues) {
        if (merged === null) merged = [value];
        else merged[0] = reduce(merged[0], value);
      }
    }
    return merged ?? noValues;
  };
  input.keys.forEach((key, index) => {
    if ((index & (callsPerLook - 1)) === 0) run.alive();
    const lists = input.values[index] as readonly (readonly unknown[])[];
    const slot = table.find(key);
    const next = guarded(run, () => {
      const old = merge(lists, 0, update.leaving);
      const fresh = merge(lists, update.leaving, lists.length);
      if (slot < 0) {
        if (fresh.length > 0) return fresh[0];
        throw new MillraceError('InverseWindowInconsistent', 'A key leaves the window that has no result from the window before: the filter function has removed it while it still had values. Let the filter keep keys that are still in the window.');
      }
      const rest = old.length > 0 ? inverse(table.values[slot], old[0]) : table.values[slot];
      return fresh.length > 0 ? reduce(rest, fresh[0]) : rest;
    }, key);
    const kept = filter === null || guarded(run, () => filter([key, next]), key) === true;
    if (slot >= 0) {
      if (!kept) table.removeAt(slot);
      else if (!Object.is(next, table.values[slot]) || typeof next === 'object') table.setAt(slot, next, time);
    } else if (kept) table.add(key, next, time);
  });
}

/** The function's result; `instead` where its record, which begins with the key, is left out. */
function calledOr<R, I>(run: UpdateRun, instead: I, call: () => R, record: readonly unknown[]): R | I {
  let result: R;
  try {
    result = call();
  } catch (thrown) {
    run.leaveOut(thrown, record);
    return instead;
  }
  if (typeof result === 'object' && result !== null) run.refuseAsync(result);
  return result;
}

/** The function's result; what it throws, or a promise that it returns, is the task's failure. */
function guarded<R>(run: UpdateRun, call: () => R, key: unknown): R {
  let result: R;
  try {
    result = call();
  } catch (thrown) {
    throw run.failure(thrown, key);
  }
  if (typeof result === 'object' && result !== null) run.refuseAsync(result);
  return result;
}

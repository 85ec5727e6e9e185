/**
 * One partition of keyed state on the worker that owns it: key -> value, changed batch by batch.
 *
 * Invariant: the table is one version's, and can go back to a few before it. A change is made in place and undone where it fails; a
 * version that was committed is undone, too, where the batch turns out to have failed elsewhere. Keys are in the order in which they
 * came; one that was removed and comes again is last. So two tables that were put together from the same steps are equal.
 *
 *   slots     0    1    2    3    4          size of the version before: 4
 *   keys      a    b    c    d    e
 *   values    1    -    3    9    5          b was removed (its slot stays empty), d was 8, e is new
 *   undo      { version: t1, size: 4, slots: [1, 3], values: [2, 8] }
 */
import { grown } from '../../base/grown.ts';
import { KeyTable } from '../../base/key-table.ts';

/** Stands in the slot of a key that was removed. */
export const removed = Symbol('removed');

interface Undo {
  /** The version to which it leads back. */
  readonly version: number | null;
  readonly size: number;
  readonly live: number;
  readonly slots: number[];
  readonly values: unknown[];
  readonly touched: number[];
}

/** What a change did, for the bytes that bring it to another table. */
export interface StateChanges {
  /** Changed keys, then new ones in the order in which they came. */
  readonly keys: unknown[];
  readonly values: unknown[];
  readonly removed: unknown[];
}

export interface StateColumns {
  readonly keys: readonly unknown[];
  readonly values: readonly unknown[];
}

/** Empty slots are given up when they are so many, and more than the live ones. */
const emptySlotsMin = 1_024;

export class StateTable {
  /** The batch time of the version; null: nothing has been put in. */
  version: number | null = null;
  /** Bytes and steps since the last snapshot: when the next one is due. */
  stepBytes = 0;
  steps = 0;
  snapshotBytes = 0;
  #index = new KeyTable<unknown>();
  #touched: number[] = [];
  #live = 0;
  #undo: Undo[] = [];
  #open: Undo | null = null;
  /** By slot, the number of the last change that has noted its old value. Typed, since an array filled at random is a slow one. */
  #noted = new Uint32Array(0);
  #changes = 0;
  /** Of the change that goes on: the keys of its slots, as they came with it where they are strings: the table's own lie far apart in memory. */
  #changedKeys: unknown[] = [];
  /** Somebody asks when keys were touched; else it is not written down. */
  #isTimed = true;
  #scratch = new Int32Array(0);

  /** Live keys. */
  get live(): number {
    return this.#live;
  }

  /** Slots, empty ones included. */
  get size(): number {
    return this.#index.keys.length;
  }

  /** By slot. Read only. */
  get keys(): readonly unknown[] {
    return this.#index.keys;
  }

  /** By slot; `removed` in an empty one. Read only. */
  get values(): readonly unknown[] {
    return this.#index.values;
  }

  /** When a slot's key was last set. */
  touchedAt(slot: number): number {
    return this.#touched[slot] as number;
  }

  /** The key's slot, or -1. Throws InvalidKey. */
  find(key: unknown): number {
    return this.#index.find(key);
  }

  /**
   * A change begins. `versionsKept`: how many older versions must stay readable; one can always be undone. `isTimed`: it matters when keys are touched,
   * for this table in all of its changes or in none.
   */
  begin(versionsKept: number, isTimed = true): void {
    this.rollback();
    this.#isTimed = isTimed;
    this.#changedKeys = [];
    const keep = Math.max(0, versionsKept - 1);
    if (this.#undo.length > keep) this.#undo.splice(0, this.#undo.length - keep);
    const empty = this.size - this.#live;
    if (empty > emptySlotsMin && empty > this.#live) this.#compact();
    this.#changes += 1;
    this.#open = { version: this.version, size: this.size, live: this.#live, slots: [], values: [], touched: [] };
  }

  set(key: unknown, value: unknown, time: number): void {
    const { size } = this;
    const slot = this.#index.slotOf(key);
    if (slot < size) return this.setAt(slot, value, time);
    this.#fill(slot, value, time);
  }

  /** All pairs of a snapshot at once, into an empty table. The lists become its own. `touched`: when each key was, or all were. */
  fill(keys: unknown[], values: unknown[], touched: readonly number[] | number): void {
    this.#index = KeyTable.of(keys, values);
    this.#touched = typeof touched === 'number' ? new Array<number>(keys.length).fill(touched) : touched.slice();
    this.#live = keys.length;
  }

  /** For a live slot. `key`: that of the slot, or an equal one, where it is at hand. */
  setAt(slot: number, value: unknown, time: number, key?: unknown): void {
    this.#note(slot, key);
    this.#index.values[slot] = value;
    if (this.#isTimed) this.#touched[slot] = time;
  }

  /** The key must be new. */
  add(key: unknown, value: unknown, time: number): void {
    this.#fill(this.#index.slotOf(key), value, time);
  }

  /** For a live slot. */
  removeAt(slot: number): void {
    this.#note(slot, undefined);
    this.#index.remove(slot);
    this.#index.values[slot] = removed;
    this.#live -= 1;
  }

  /** Of the change that goes on. */
  changes(): StateChanges {
    const changes: StateChanges = { keys: [], values: [], removed: [] };
    const { slots, size } = this.#open as Undo;
    const { keys, values } = this.#index;
    for (let index = 0; index < slots.length; index += 1) {
      const value = values[slots[index] as number];
      const key = this.#changedKeys[index];
      if (value === removed) changes.removed.push(key);
      else {
        changes.keys.push(key);
        changes.values.push(value);
      }
    }
    for (let slot = size; slot < keys.length; slot += 1) {
      if (values[slot] === removed) continue;
      changes.keys.push(keys[slot]);
      changes.values.push(values[slot]);
    }
    return changes;
  }

  /** The change becomes the version at `time`. */
  commit(time: number): void {
    this.#undo.push(this.#open as Undo);
    this.#open = null;
    this.#changedKeys = [];
    this.version = time;
  }

  /** Undoes a change that was not committed. */
  rollback(): void {
    if (this.#open === null) return;
    this.#undoOne(this.#open);
    this.#open = null;
  }

  /** Goes back to a version, or is there. False, and nothing has changed: it is not at hand. */
  rollBackTo(version: number | null): boolean {
    this.rollback();
    if (this.version === version) return true;
    if (!this.#undo.some((undo) => undo.version === version)) return false;
    while (this.version !== version) {
      this.#undoOne(this.#undo.pop() as Undo);
      // What a snapshot since then has saved is unknown now: the next one comes a little late.
    }
    return true;
  }

  /** The pairs of a version; null: it is not at hand. The arrays are the table's own where nothing has to be left out: read them before the next change. */
  columnsAt(version: number | null): StateColumns | null {
    const { keys, values } = this.#index;
    if (version === this.version) return this.#live === keys.length ? { keys, values } : dense(keys, values, keys.length, null);
    const from = this.#undo.findIndex((undo) => undo.version === version);
    if (from < 0) return null;
    const before = new Map<number, unknown>();
    // The oldest note of a slot is what it held then.
    for (let index = this.#undo.length - 1; index >= from; index -= 1) {
      const undo = this.#undo[index] as Undo;
      undo.slots.forEach((slot, at) => before.set(slot, undo.values[at]));
    }
    return dense(keys, values, (this.#undo[from] as Undo).size, before);
  }

  /** The pairs as they are now, in the middle of a change too. The arrays may be the table's own. */
  liveColumns(): StateColumns {
    const { keys, values } = this.#index;
    return this.#live === keys.length ? { keys, values } : dense(keys, values, keys.length, null);
  }

  /** A number for each slot, -1 in all of them; whoever takes it leaves it so. It is as long as the table, so it is not made anew each time. */
  scratch(): Int32Array {
    if (this.#scratch.length < this.size) this.#scratch = new Int32Array(roomFor(this.size)).fill(-1);
    return this.#scratch;
  }

  /** A new slot. */
  #fill(slot: number, value: unknown, time: number): void {
    this.#index.values[slot] = value;
    this.#touched[slot] = time;
    this.#live += 1;
  }

  /** When each key of the table's own version was last touched, in the order of `columnsAt`. */
  touchedColumn(): number[] {
    return this.#touched.filter((_time, slot) => this.#index.values[slot] !== removed);
  }

  /** The slots whose keys were last touched before `time`, in order. */
  idleSince(time: number): number[] {
    const slots: number[] = [];
    const { values } = this.#index;
    for (let slot = 0; slot < values.length; slot += 1) if ((this.#touched[slot] as number) < time && values[slot] !== removed) slots.push(slot);
    return slots;
  }

  /** Once for each slot and change. Slots of this change itself are cut off on the way back: nothing to note. */
  #note(slot: number, key: unknown): void {
    const open = this.#open as Undo;
    if (slot >= open.size || this.#noted[slot] === this.#changes) return;
    if (slot >= this.#noted.length) this.#noted = grown(this.#noted, roomFor(this.size));
    this.#noted[slot] = this.#changes;
    open.slots.push(slot);
    open.values.push(this.#index.values[slot]);
    if (this.#isTimed) open.touched.push(this.#touched[slot] as number);
    // Equal strings are one and the same; other equal keys need not be (0 and -0).
    this.#changedKeys.push(typeof key === 'string' ? key : this.#index.keys[slot]);
  }

  #undoOne(undo: Undo): void {
    const { keys, values } = this.#index;
    for (let slot = keys.length - 1; slot >= undo.size; slot -= 1) if (values[slot] !== removed) this.#index.remove(slot);
    keys.length = undo.size;
    values.length = undo.size;
    this.#touched.length = undo.size;
    undo.slots.forEach((slot, index) => {
      const old = undo.values[index];
      if (values[slot] === removed && old !== removed) this.#index.restore(slot);
      values[slot] = old;
      if (undo.touched.length > 0) this.#touched[slot] = undo.touched[index] as number;
    });
    this.#live = undo.live;
    this.version = undo.version;
    // A number of its own again: what was noted for the change that is gone says nothing about the next.
    this.#changes += 1;
  }

  /** Slots are numbered anew, without the empty ones. What could be undone can't be any more. */
  #compact(): void {
    const { keys, values } = this.#index;
    const index = new KeyTable<unknown>();
    const touched: number[] = [];
    for (let slot = 0; slot < keys.length; slot += 1) {
      if (values[slot] === removed) continue;
      index.values[index.slotOf(keys[slot])] = values[slot];
      touched.push(this.#touched[slot] as number);
    }
    this.#index = index;
    this.#touched = touched;
    this.#noted = new Uint32Array(0);
    this.#scratch = new Int32Array(0);
    this.#undo = [];
  }
}

/** So that a table which grows slot by slot is not copied each time. */
function roomFor(slots: number): number {
  return Math.ceil(slots * 1.25) + 64;
}

function dense(keys: readonly unknown[], values: readonly unknown[], size: number, before: ReadonlyMap<number, unknown> | null): StateColumns {
  const columns: { keys: unknown[]; values: unknown[] } = { keys: [], values: [] };
  for (let slot = 0; slot < size; slot += 1) {
    const value = before !== null && before.has(slot) ? before.get(slot) : values[slot];
    if (value === removed) continue;
    columns.keys.push(keys[slot]);
    columns.values.push(value);
  }
  return columns;
}

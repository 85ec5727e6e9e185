/**
 * What keyed state means: updateStateByKey and mapWithState over a plain Map that each batch copies.
 *
 * Invariant: the state of a time is made of the state one slide before and of the parent's batch; nothing is shared between
 * times, so what a failed batch leaves is nothing.
 */
import { required } from '../conformance/case.ts';
import type { CaseOperation } from '../conformance/case.ts';
import { keyOf, valueOf } from '../conformance/functions.ts';
import { mapWithStateFunction, updateFunction } from '../conformance/state-functions.ts';
import type { MapWithStateFunction, StateLike } from '../conformance/state-functions.ts';
import type { Value } from '../conformance/values.ts';
import type { Model } from './sequential-operations.ts';
import { SequentialRdd } from './sequential-rdd.ts';
import { remembered, sequentialStream } from './sequential-stream.ts';
import type { SequentialStream } from './sequential-stream.ts';

/** A key's state, and when it was last in use. */
interface Entry {
  readonly key: Value;
  readonly state: Value;
  readonly touched: number;
}
type States = ReadonlyMap<string, Entry>;

/** Slides between two looks for idle keys, where no checkpoint interval is given. */
const sweepSlides = 10;

function statesOf(pairs: readonly Value[], time: number): Map<string, Entry> {
  return new Map(pairs.map((pair) => [JSON.stringify(keyOf(pair)), { key: keyOf(pair), state: valueOf(pair), touched: time }]));
}

/** Every key that has a state or values is called; one whose function gives nothing has no state any more. */
const updateStateByKey: Model = (operation, [parent], options) => {
  const { slideMs } = parent as SequentialStream;
  const call = updateCall(operation);
  const statesAt = remembered(async (time: number): Promise<States | null> => {
    if (time <= 0) return null;
    const before = await statesAt(time - slideMs);
    const batch = await (parent as SequentialStream).rddAt(time);
    if (before === null && batch === null) return null;
    const states = new Map(before ?? statesOf(operation.initial ?? [], time));
    const values = new Map<string, { readonly key: Value; readonly values: Value[] }>([...states].map(([text, { key }]) => [text, { key, values: [] }]));
    for (const pair of batch?.records ?? []) {
      const text = JSON.stringify(keyOf(pair));
      values.set(text, { key: keyOf(pair), values: [...(values.get(text)?.values ?? []), valueOf(pair)] });
    }
    for (const [text, group] of values) {
      const state = call(time, group.key, group.values, states.get(text)?.state) ?? null;
      if (state === null) states.delete(text);
      else states.set(text, { key: group.key, state, touched: time });
    }
    return states;
  });
  return sequentialStream(slideMs, async (time) => {
    const states = await statesAt(time);
    if (states === null) return null;
    return new SequentialRdd([[...states.values()].map(({ key, state }): Value => [key, state])], options).partitionedByKey(operation.numPartitions ?? options.defaultParallelism);
  });
};

/** Only the timed form is told the time, and only that and the iterator's the key. */
function updateCall(operation: CaseOperation): ReturnType<typeof updateFunction> {
  const fn = updateFunction(required(operation, 'fn'));
  if (operation.variant === 'time') return fn;
  if (operation.variant === 'iterator') return (_time, key, values, state) => fn(0, key, values, state);
  return (_time, _key, values, state) => fn(0, null, values, state);
}

interface Tracked {
  readonly states: States;
  readonly emitted: SequentialRdd;
}

/** The function is called for each record, then, in batches that look for them, for keys that were idle for too long. */
const mapWithState: Model = (operation, [parent], options) => {
  const { slideMs } = parent as SequentialStream;
  const fn = mapWithStateFunction(required(operation, 'fn'));
  const { timeoutMs = null, checkpointMs = sweepSlides * slideMs, numPartitions = options.defaultParallelism } = operation;
  const trackedAt = remembered(async (time: number): Promise<Tracked | null> => {
    if (time <= 0) return null;
    const before = await trackedAt(time - slideMs);
    const states = new Map(before?.states ?? statesOf(operation.initial ?? [], time));
    const batch = (await (parent as SequentialStream).rddAt(time)) ?? new SequentialRdd([], options);
    const emitted = batch.partitionedByKey(numPartitions).flatMap((pair) => callFor(states, fn, { time, key: keyOf(pair), value: valueOf(pair), touches: timeoutMs !== null }));
    if (timeoutMs === null || time % checkpointMs !== 0) return { states, emitted };
    const idle = [...states.values()].filter(({ touched }) => touched < time - timeoutMs);
    const ended = idle.flatMap(({ key }) => callFor(states, fn, { time, key, value: undefined, touches: false }));
    for (const { key } of idle) states.delete(JSON.stringify(key));
    return { states, emitted: new SequentialRdd([[...emitted.records, ...ended]], options) };
  });
  const made = sequentialStream(slideMs, async (time) => (await trackedAt(time))?.emitted ?? null);
  const snapshots = sequentialStream(slideMs, async (time) => {
    const tracked = await trackedAt(time);
    return tracked === null ? null : new SequentialRdd([[...tracked.states.values()].map(({ key, state }): Value => [key, state])], options).partitionedByKey(numPartitions);
  });
  return { ...made, snapshots };
};

interface Call {
  readonly time: number;
  readonly key: Value;
  /** Undefined: the key is timing out. */
  readonly value: Value | undefined;
  /** The call itself counts as use of a state that is there. */
  readonly touches: boolean;
}

/** Calls the function and keeps what it made of the state. Gives what it emitted. */
function callFor(states: Map<string, Entry>, fn: MapWithStateFunction, { time, key, value, touches }: Call): Value[] {
  const text = JSON.stringify(key);
  const known = states.get(text);
  const state = new KeyState(known?.state, value === undefined);
  const emitted = fn(time, key, value, state);
  if (state.current === undefined) states.delete(text);
  else if (state.isUpdated || touches) states.set(text, { key, state: state.current, touched: time });
  return emitted === undefined ? [] : [emitted];
}

class KeyState implements StateLike {
  current: Value | undefined;
  isUpdated = false;
  readonly #timingOut: boolean;

  constructor(state: Value | undefined, timingOut: boolean) {
    this.current = state;
    this.#timingOut = timingOut;
  }

  exists(): boolean {
    return this.current !== undefined;
  }

  get(): Value {
    if (this.current === undefined) throw new Error('State is not set');
    return this.current;
  }

  update(state: Value): void {
    this.current = state;
    this.isUpdated = true;
  }

  remove(): void {
    this.current = undefined;
  }

  isTimingOut(): boolean {
    return this.#timingOut;
  }
}

export const stateModels: Readonly<Record<string, Model>> = {
  updateStateByKey,
  mapWithState,
  stateSnapshots: (_operation, [states]) => {
    if (states?.snapshots === undefined) throw new Error('stateSnapshots is of mapWithState alone.');
    return states.snapshots;
  },
};

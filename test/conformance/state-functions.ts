/**
 * The named functions on state: of updateStateByKey and mapWithState.
 *
 * Invariant: "none" is undefined throughout, so that null can be a state or a record. Times are in ms after the zero time.
 */
import { asNumber, makeFunction, maximum, numberArgument, sum } from './functions.ts';
import type { FunctionTable } from './functions.ts';
import { sortedValues } from './values.ts';
import type { Value } from './values.ts';

export type UpdateFunction = (time: number, key: Value, values: readonly Value[], state: Value | undefined) => Value | undefined;
export type MapWithStateFunction = (time: number, key: Value, value: Value | undefined, state: StateLike) => Value | undefined;

/** What mapWithState functions ask of a key's state: Spark's `State`. */
export interface StateLike {
  exists(): boolean;
  get(): Value;
  update(state: Value): void;
  remove(): void;
  isTimingOut(): boolean;
}

export const updateFunction = (text: string): UpdateFunction => makeFunction('update function', updateFunctions, text);
export const mapWithStateFunction = (text: string): MapWithStateFunction => makeFunction('mapWithState function', mapWithStateFunctions, text);

const stateSum = (_time: number, _key: Value, values: readonly Value[], state: Value | undefined): number => sum(values) + asNumber(state ?? 0);

export const updateFunctions: FunctionTable<UpdateFunction> = {
  stateSum: () => stateSum,
  stateDropWhenZero: () => (time, key, values, state) => noneIf(stateSum(time, key, values, state), (total) => total === 0),
  stateCountCalls: () => (_time, _key, _values, state) => noneIf(asNumber(state ?? 0) + 1, (calls) => calls >= 5),
  stateMax: () => (_time, _key, values, state) => maximum(state === undefined ? values : [...values, state]),
  stateDropIfIdle: () => (time, key, values, state) => (values.length === 0 ? undefined : stateSum(time, key, values, state)),
  stateHistory: () => (_time, _key, values, state) => [...listOf(state), values.length],
  stateNone: () => () => undefined,
  stateCountValues: () => (_time, _key, values, state) => asNumber(state ?? 0) + values.length,
  stateSumIfPositive: () => (time, key, values, state) => noneIf(stateSum(time, key, values, state), (total) => total <= 0),
  stateReplaceLast: () => (_time, _key, values, state) => (values.length === 0 ? state : sum(values)),
  stateLastSeen: (ttl) => (time, _key, values, state) => {
    if (values.length > 0) return time;
    return state === undefined || time - asNumber(state) >= numberArgument(ttl) ? undefined : state;
  },
  stateTimeAndKey: () => (time, key, values) => [time, key, values.length],
  stateCollect: () => (_time, _key, values, state) => sortedValues([...listOf(state), ...values]),
};

export const mapWithStateFunctions: FunctionTable<MapWithStateFunction> = {
  mwsSum: () => withTimeoutRule((_time, key, value, state) => setAndEmit(state, key, sumOf(value, state))),
  mwsRemoveAt: (c) => withTimeoutRule((_time, key, value, state) => {
    const total = sumOf(value, state);
    if (total < numberArgument(c)) return setAndEmit(state, key, total);
    if (state.exists()) state.remove();
    return [key, 'removed', total];
  }),
  mwsCountEmitEven: () => (_time, key, _value, state) => {
    if (state.isTimingOut()) return undefined;
    const emitted = setAndEmit(state, key, stateOrZero(state) + 1);
    return stateOrZero(state) % 2 === 0 ? emitted : undefined;
  },
  mwsReadOnly: () => (_time, key, value, state) => [key, value ?? null, state.exists() ? state.get() : null, state.isTimingOut()],
  mwsSilentSum: () => (_time, _key, value, state) => {
    if (!state.isTimingOut()) state.update(sumOf(value, state));
    return undefined;
  },
  mwsSinceFirst: () => (time, key, _value, state) => {
    if (state.isTimingOut()) return [key, 'expired', time, state.get()];
    if (state.exists()) return [key, time - asNumber(state.get())];
    state.update(time);
    return undefined;
  },
  mwsRemoveOnZero: () => withTimeoutRule((_time, key, value, state) => {
    if (value !== 0) {
      state.update(value ?? null);
      return [key, 'set', value ?? null];
    }
    const existed = state.exists();
    if (existed) state.remove();
    return [key, 'zero', existed];
  }),
  mwsUpdateOnce: () => withTimeoutRule((_time, key, value, state) => {
    if (state.exists()) return [key, 'old', state.get()];
    state.update(value ?? null);
    return [key, 'new', value ?? null];
  }),
};

/** Emits [key, 'timeout', state] and does nothing else while the state is timing out. */
function withTimeoutRule(otherwise: MapWithStateFunction): MapWithStateFunction {
  return (time, key, value, state) => (state.isTimingOut() ? [key, 'timeout', state.get()] : otherwise(time, key, value, state));
}

function setAndEmit(state: StateLike, key: Value, value: Value): Value {
  state.update(value);
  return [key, value];
}

function sumOf(value: Value | undefined, state: StateLike): number {
  return asNumber(value ?? 0) + stateOrZero(state);
}

function stateOrZero(state: StateLike): number {
  return state.exists() ? asNumber(state.get()) : 0;
}

function listOf(state: Value | undefined): readonly Value[] {
  return (state ?? []) as readonly Value[];
}

function noneIf(value: number, none: (value: number) => boolean): number | undefined {
  return none(value) ? undefined : value;
}

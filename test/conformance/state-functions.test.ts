import t from 'tap';
import { mapWithStateFunction, mapWithStateFunctions, updateFunction, updateFunctions } from './state-functions.ts';
import { parseFunctionText } from './functions.ts';
import type { StateLike } from './state-functions.ts';
import type { Value } from './values.ts';

// function text, time, key, values, state before, state after.
const updateRows: readonly [string, number, Value, Value[], Value | undefined, Value | undefined][] = [
  ['stateSum', 1000, 'k', [1, 2], undefined, 3],
  ['stateSum', 1000, 'k', [], 4, 4],
  ['stateDropWhenZero', 1000, 'k', [-4], 4, undefined],
  ['stateDropWhenZero', 1000, 'k', [1], 4, 5],
  ['stateCountCalls', 1000, 'k', [], undefined, 1],
  ['stateCountCalls', 1000, 'k', [], 4, undefined],
  ['stateMax', 1000, 'k', ['a', 5], undefined, 'a'],
  ['stateMax', 1000, 'k', [5], 9, 9],
  ['stateDropIfIdle', 1000, 'k', [], 9, undefined],
  ['stateDropIfIdle', 1000, 'k', [0], 9, 9],
  ['stateHistory', 1000, 'k', [7, 7], [1], [1, 2]],
  ['stateNone', 1000, 'k', [1], 1, undefined],
  ['stateCountValues', 1000, 'k', ['x', 'y'], 1, 3],
  ['stateSumIfPositive', 1000, 'k', [-5], 5, undefined],
  ['stateSumIfPositive', 1000, 'k', [1], undefined, 1],
  ['stateReplaceLast', 1000, 'k', [], undefined, undefined],
  ['stateReplaceLast', 1000, 'k', [2, 3], 9, 5],
  ['stateLastSeen(3000)', 5000, 'k', [1], 1000, 5000],
  ['stateLastSeen(3000)', 3999, 'k', [], 1000, 1000],
  ['stateLastSeen(3000)', 4000, 'k', [], 1000, undefined],
  ['stateTimeAndKey', 2000, 'k', [1, 1], undefined, [2000, 'k', 2]],
  ['stateCollect', 1000, 'k', ['b', 1], ['a'], [1, 'a', 'b']],
];

t.test('every update function gives what its description says', async (t) => {
  for (const [text, time, key, values, before, after] of updateRows) t.strictSame(updateFunction(text)(time, key, values, before), after, `${text} of ${JSON.stringify(before)}`);
  t.strictSame([...new Set(updateRows.map(([text]) => parseFunctionText(text).name))].sort(), Object.keys(updateFunctions).sort(), 'each has a row');
});

/** A key's state over calls: null stands for "no call of update or remove". */
class TestState implements StateLike {
  value: Value | undefined;
  timingOut = false;

  constructor(value: Value | undefined) {
    this.value = value;
  }

  exists(): boolean {
    return this.value !== undefined;
  }

  get(): Value {
    if (this.value === undefined) throw new Error('State is not set');
    return this.value;
  }

  update(value: Value): void {
    this.value = value;
  }

  remove(): void {
    if (this.value === undefined) throw new Error('removed without state');
    this.value = undefined;
  }

  isTimingOut(): boolean {
    return this.timingOut;
  }
}

// function text, value, state before, what is emitted, state after.
const mapWithStateRows: readonly [string, Value | undefined, Value | undefined, Value | undefined, Value | undefined][] = [
  ['mwsSum', 2, undefined, ['k', 2], 2],
  ['mwsSum', 2, 3, ['k', 5], 5],
  ['mwsRemoveAt(4)', 4, undefined, ['k', 'removed', 4], undefined],
  ['mwsRemoveAt(4)', 1, 3, ['k', 'removed', 4], undefined],
  ['mwsRemoveAt(4)', 1, 2, ['k', 3], 3],
  ['mwsCountEmitEven', 9, undefined, undefined, 1],
  ['mwsCountEmitEven', 9, 1, ['k', 2], 2],
  ['mwsReadOnly', 1, undefined, ['k', 1, null, false], undefined],
  ['mwsReadOnly', 1, 7, ['k', 1, 7, false], 7],
  ['mwsSilentSum', 1, 7, undefined, 8],
  ['mwsSinceFirst', 1, undefined, undefined, 5000],
  ['mwsSinceFirst', 1, 2000, ['k', 3000], 2000],
  ['mwsRemoveOnZero', 0, undefined, ['k', 'zero', false], undefined],
  ['mwsRemoveOnZero', 0, 3, ['k', 'zero', true], undefined],
  ['mwsRemoveOnZero', 6, 3, ['k', 'set', 6], 6],
  ['mwsUpdateOnce', 6, undefined, ['k', 'new', 6], 6],
  ['mwsUpdateOnce', 7, 6, ['k', 'old', 6], 6],
];

t.test('every mapWithState function gives what its description says', async (t) => {
  for (const [text, value, before, emitted, after] of mapWithStateRows) {
    const state = new TestState(before);
    t.strictSame(mapWithStateFunction(text)(5000, 'k', value, state), emitted, text);
    t.strictSame(state.value, after, `${text}: state`);
  }
  t.strictSame([...new Set(mapWithStateRows.map(([text]) => parseFunctionText(text).name))].sort(), Object.keys(mapWithStateFunctions).sort(), 'each has a row');
});

t.test('no mapWithState function changes a state that is timing out', async (t) => {
  const emitted: Record<string, Value | undefined> = {
    mwsSum: ['k', 'timeout', 3], 'mwsRemoveAt(4)': ['k', 'timeout', 3], mwsCountEmitEven: undefined, mwsReadOnly: ['k', null, 3, true], mwsSilentSum: undefined,
    mwsSinceFirst: ['k', 'expired', 5000, 3], mwsRemoveOnZero: ['k', 'timeout', 3], mwsUpdateOnce: ['k', 'timeout', 3],
  };
  t.strictSame(Object.keys(emitted).map((text) => parseFunctionText(text).name).sort(), Object.keys(mapWithStateFunctions).sort());
  for (const [text, wanted] of Object.entries(emitted)) {
    const state = new TestState(3);
    state.timingOut = true;
    t.strictSame(mapWithStateFunction(text)(5000, 'k', undefined, state), wanted, text);
    t.equal(state.value, 3, `${text}: state`);
  }
});

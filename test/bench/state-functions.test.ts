/** The updates of the state benchmark, and the bare tables that it is held against. */
import t from 'tap';
import { runBareTables } from '../../bench/peers/limit/state-loop.ts';
import { addToState, initialPairs, statePartitions, updatePairs } from '../../bench/programs/state-functions.ts';

const size = { keys: 1_000, updates: 200 };
const partitions = Array.from({ length: statePartitions }, (_, partition) => partition);

t.test('the initial state has each key once', async (t) => {
  const keys = partitions.flatMap((partition) => initialPairs(partition, size).map(([key]) => key));
  t.equal(keys.length, size.keys);
  t.same(new Set(keys), new Set(Array.from({ length: size.keys }, (_, index) => `k${index}`)));
});

t.test('a batch brings distinct keys of the state, others each time, and the same for the same time', async (t) => {
  const keysAt = (time: number): string[] => partitions.flatMap((partition) => updatePairs(time, partition, size).map(([key]) => key));
  const first = keysAt(1_000);
  t.equal(first.length, size.updates);
  t.equal(new Set(first).size, size.updates);
  const known = new Set(partitions.flatMap((partition) => initialPairs(partition, size).map(([key]) => key)));
  t.ok(first.every((key) => known.has(key)));
  t.same(keysAt(1_000), first);
  t.not(new Set([...first, ...keysAt(3_000)]).size, size.updates);
});

t.test('more updates than keys are as many as there are keys', async (t) => {
  t.equal(partitions.flatMap((partition) => updatePairs(1_000, partition, { keys: 10, updates: 100 })).length, 10);
});

t.test('the closure adds what came, to nothing too', async (t) => {
  t.equal(addToState([1, 2], 4), 7);
  t.equal(addToState([], 4), 4);
  t.equal(addToState([3], undefined), 3);
});

t.test('the bare tables count all keys, or those that changed', async (t) => {
  for (const form of ['updateStateByKey', 'mapWithState'] as const) {
    const times = await runBareTables({ form, ...size, batches: 3 });
    t.equal(times.length, 3);
    t.ok(times.every((time) => time > 0), form);
  }
});

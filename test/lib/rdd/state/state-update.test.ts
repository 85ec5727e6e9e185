/** How a batch changes a state table where a function fails in the middle: whose failure it is, and what it leaves behind. */
import t from 'tap';
import type { StateUpdate } from '../../../../protocol/rdd.ts';
import { StateTable } from '../../../../lib/rdd/state/state-table.ts';
import { updateState } from '../../../../lib/rdd/state/state-update.ts';
import type { UpdateRun } from '../../../../lib/rdd/state/state-update.ts';

type Update = Extract<StateUpdate, { kind: 'update' }>;
type UserFunction = (...args: unknown[]) => unknown;

class Failure extends Error {
  readonly key: unknown;
  constructor(thrown: unknown, key: unknown) {
    super(`failed at ${String(key)}`, { cause: thrown });
    this.key = key;
  }
}

function failureOf(run: () => void): Failure {
  try {
    run();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('The batch has not failed.');
}

const ref = { program: null, index: 0 } as unknown as Update['fn'];
const update = (form: Update['form']): Update => ({ kind: 'update', fn: ref, form });
const add = (values: unknown, state: unknown): number => (values as number[]).reduce((sum, value) => sum + value, (state as number | undefined) ?? 0);

function tableOf(pairs: Readonly<Record<string, number>>): StateTable {
  const table = new StateTable();
  table.begin(0);
  for (const [key, value] of Object.entries(pairs)) table.set(key, value, 1);
  table.commit(1);
  return table;
}

/** One batch, given by key; what it throws has been undone. */
function runBatch(table: StateTable, groups: Readonly<Record<string, readonly number[]>>, form: Update['form'], fn: UserFunction, alive = (): void => undefined, leftOut?: unknown[]): void {
  const run: UpdateRun = {
    table,
    time: 2,
    input: { keys: Object.keys(groups), values: Object.values(groups) },
    resolve: () => fn,
    alive,
    failure: (thrown, key) => new Failure(thrown, key),
    leaveOut(thrown, record) {
      if (leftOut === undefined) throw new Failure(thrown, record[0]);
      leftOut.push(record);
    },
    refuseAsync: () => undefined,
  };
  table.begin(0);
  try {
    updateState(run, update(form));
    table.commit(2);
  } catch (error) {
    table.rollback();
    throw error;
  }
}

const pairsOf = (table: StateTable): unknown => {
  const { keys, values } = table.columnsAt(table.version)!;
  return Object.fromEntries(keys.map((key, index) => [key, values[index]]));
};

for (const form of ['plain', 'time'] as const) {
  const called = (fn: (values: unknown, state: unknown) => unknown): UserFunction => (...args) => fn(args.at(-2), args.at(-1));

  t.test(`${form}: a function that throws fails the batch with the key it had, and the next batch sees nothing of it`, async (t) => {
    const table = tableOf({ a: 1, b: 2, c: 3 });
    const cause = new Error('two');
    const failing = called((values, state) => {
      if (state === 2) throw cause;
      return add(values, state);
    });
    const failure = failureOf(() => runBatch(table, { a: [10], c: [30], d: [40] }, form, failing));
    t.equal(failure.key, 'b');
    t.equal(failure.cause, cause);
    t.same(pairsOf(table), { a: 1, b: 2, c: 3 }, 'undone');
    runBatch(table, { b: [5] }, form, called(add));
    t.same(pairsOf(table), { a: 1, b: 7, c: 3 }, 'no value of the failed batch has stayed with its key');
  });

  t.test(`${form}: a function that throws for a new key is told apart, too`, async (t) => {
    const table = tableOf({ a: 1 });
    const failing = called((values, state) => {
      if (state === undefined) throw new Error('new');
      return add(values, state);
    });
    t.equal(failureOf(() => runBatch(table, { b: [1] }, form, failing)).key, 'b');
    t.same(pairsOf(table), { a: 1 });
  });

  t.test(`${form}: under a policy the keys on which it throws are left out with their values, and keep their states; all others go on`, async (t) => {
    const table = tableOf({ a: 1, b: 2, c: 3, d: 4 });
    const leftOut: unknown[] = [];
    const failing = called((values, state) => {
      if (state === 2 || state === 4 || (values as number[]).includes(60)) throw new Error('no');
      return add(values, state);
    });
    runBatch(table, { a: [10], b: [20, 21], e: [50], f: [60] }, form, failing, undefined, leftOut);
    t.same(leftOut, [['b', [20, 21]], ['d', []], ['f', [60]]]);
    t.same(pairsOf(table), { a: 11, b: 2, c: 3, d: 4, e: 50 });
    runBatch(table, { b: [5] }, form, called(add));
    t.same(pairsOf(table), { a: 11, b: 7, c: 3, d: 4, e: 50 }, 'no value of what was left out has stayed with its key');
  });
}

t.test('a task that is cancelled between two calls is no failure of the function', async (t) => {
  const table = tableOf({ a: 1 });
  const cancelled = new Error('cancelled');
  const alive = (): never => {
    throw cancelled;
  };
  try {
    runBatch(table, { a: [1] }, 'plain', add as UserFunction, alive);
    t.fail('it must throw');
  } catch (error) {
    t.equal(error, cancelled);
  }
});

t.test('a key for which the function gives null or undefined has no state any more; NaN and -0 are states', async (t) => {
  const table = tableOf({ a: 1, b: 2, c: 3, d: 0, e: 5 });
  const results: Readonly<Record<number, unknown>> = { 1: null, 2: undefined, 3: Number.NaN, 0: -0, 5: 5 };
  runBatch(table, {}, 'plain', (_values, state) => results[state as number]);
  const pairs = pairsOf(table) as Record<string, number>;
  t.same(Object.keys(pairs), ['c', 'd', 'e']);
  t.ok(Number.isNaN(pairs['c']));
  t.ok(Object.is(pairs['d'], -0));
});

t.test('iterator: a function that throws leaves no mark for the next batch', async (t) => {
  const table = tableOf({ a: 1, b: 2 });
  const failing = (keys: unknown): never => {
    for (const _ of keys as Iterable<unknown>) break;
    throw new Error('at once');
  };
  t.equal(failureOf(() => runBatch(table, { a: [10] }, 'iterator', failing as UserFunction)).message, 'failed at undefined');
  const seen: unknown[] = [];
  runBatch(table, { b: [5] }, 'iterator', (keys) => {
    const pairs: [unknown, unknown][] = [];
    for (const [key, values, state] of keys as Iterable<[unknown, unknown, unknown]>) {
      seen.push([key, values, state]);
      pairs.push([key, add(values, state)]);
    }
    return pairs;
  });
  t.same(seen, [['a', [], 1], ['b', [5], 2]]);
  t.same(pairsOf(table), { a: 1, b: 7 });
});

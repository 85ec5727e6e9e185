/** A partition of keyed state against a plain Map for each version: changes, undoing, older versions, rebuilding from steps. */
import fc from 'fast-check';
import t from 'tap';
import { StateTable, removed } from '../../../../lib/rdd/state/state-table.ts';
import type { StateChanges } from '../../../../lib/rdd/state/state-table.ts';

type Key = string | number | readonly number[];
type Op = { readonly kind: 'set' | 'remove'; readonly key: Key; readonly value: number };
/** One batch: what it does, and how it ends. */
interface Batch {
  readonly ops: readonly Op[];
  readonly end: 'commit' | 'fail' | 'undoLater';
}

const key: fc.Arbitrary<Key> = fc.oneof(fc.integer({ min: 0, max: 12 }), fc.constantFrom('a', 'b', '1', ''), fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 2 }));
const op: fc.Arbitrary<Op> = fc.record({ kind: fc.constantFrom('set', 'set', 'remove'), key, value: fc.integer({ min: 0, max: 99 }) });
const batches: fc.Arbitrary<readonly Batch[]> = fc.array(fc.record({ ops: fc.array(op, { maxLength: 20 }), end: fc.constantFrom('commit', 'commit', 'commit', 'fail', 'undoLater') }), { maxLength: 12 });

function apply(table: StateTable, ops: readonly Op[], time: number): void {
  for (const { kind, key, value } of ops) {
    const slot = table.find(key);
    if (kind === 'set') table.set(key, value, time);
    else if (slot >= 0) table.removeAt(slot);
  }
}

/** A Map keeps the order of insertion, and so does the table. Keys go by value: arrays by their text. */
type Model = ReadonlyMap<string, readonly [Key, number]>;

function applied(model: Model, ops: readonly Op[]): Model {
  const next = new Map(model);
  for (const { kind, key, value } of ops) {
    const name = JSON.stringify(key);
    if (kind === 'remove') next.delete(name);
    else next.set(name, [next.get(name)?.[0] ?? key, value]);
  }
  return next;
}

const pairsOf = (model: Model): (readonly [Key, number])[] => [...model.values()];
const pairsAt = (table: StateTable, version: number | null): [unknown, unknown][] | null => {
  const columns = table.columnsAt(version);
  return columns === null ? null : columns.keys.map((each, index) => [each, columns.values[index]]);
};

t.test('after any batches, failed and undone ones among them, each version at hand is what a plain Map holds', (t) => {
  fc.assert(
    fc.property(batches, fc.integer({ min: 0, max: 3 }), (given, versionsKept) => {
      const table = new StateTable();
      const steps: { time: number; changes: StateChanges }[] = [];
      let models: { time: number | null; model: Model }[] = [{ time: null, model: new Map() }];
      given.forEach(({ ops, end }, index) => {
        const time = index + 1;
        const before = models.at(-1)!;
        t.ok(table.rollBackTo(before.time), 'the version before is at hand');
        table.begin(versionsKept);
        apply(table, ops, time);
        if (end === 'fail') return table.rollback();
        const changes = table.changes();
        table.commit(time);
        if (end === 'undoLater') return;
        steps.push({ time, changes });
        models.push({ time, model: applied(before.model, ops) });
        models = models.slice(-(versionsKept + 1));
        for (const { time: at, model } of models) {
          const pairs = pairsAt(table, at);
          if (at === time || pairs !== null) t.strictSame(pairs, pairsOf(model), `version ${at} after batch ${time}`, { diagnostic: false });
        }
        t.equal(table.live, models.at(-1)!.model.size);
      });
      // Another worker puts it together from the steps.
      const other = new StateTable();
      for (const { time, changes } of steps) {
        other.begin(0);
        for (const gone of changes.removed) other.removeAt(other.find(gone));
        changes.keys.forEach((each, index) => other.set(each, changes.values[index], time));
        other.commit(time);
      }
      t.strictSame(pairsAt(other, other.version), pairsOf(models.at(-1)!.model), 'the same pairs in the same order');
    }),
    { numRuns: 300 },
  );
  t.end();
});

t.test('older versions stay readable as many as were asked for', (t) => {
  const table = new StateTable();
  for (let time = 1; time <= 5; time += 1) {
    table.begin(2);
    table.set('k', time, time);
    table.set(`only ${time}`, time, time);
    if (time > 1) table.removeAt(table.find(`only ${time - 1}`));
    table.commit(time);
  }
  t.same(pairsAt(table, 5), [['k', 5], ['only 5', 5]]);
  t.same(pairsAt(table, 4), [['k', 4], ['only 4', 4]]);
  t.same(pairsAt(table, 3), [['k', 3], ['only 3', 3]]);
  t.equal(pairsAt(table, 2), null);
  t.end();
});

t.test('empty slots are given up once they are many, and nothing changes but their number', (t) => {
  const table = new StateTable();
  table.begin(0);
  for (let index = 0; index < 4_000; index += 1) table.set(index, index, 1);
  table.commit(1);
  table.begin(0);
  for (let index = 0; index < 3_990; index += 1) table.removeAt(table.find(index));
  table.commit(2);
  t.equal(table.size, 4_000);
  t.equal(table.values[0], removed);
  table.begin(0);
  table.set(3_995, 'new', 3);
  table.commit(3);
  t.equal(table.size, 10);
  t.same(pairsAt(table, 3), Array.from({ length: 10 }, (_, index) => [3_990 + index, index === 5 ? 'new' : 3_990 + index]));
  t.same(table.idleSince(3), [0, 1, 2, 3, 4, 6, 7, 8, 9]);
  t.end();
});

t.test('a table whose keys come and go stays as large as its live keys need', (t) => {
  const table = new StateTable();
  const live = 100;
  for (let batch = 0; batch < 500; batch += 1) {
    table.begin(2);
    for (let index = 0; index < live; index += 1) table.set(`${batch}-${index}`, index, batch);
    for (let index = 0; batch > 0 && index < live; index += 1) table.removeAt(table.find(`${batch - 1}-${index}`));
    table.scratch();
    table.commit(batch);
  }
  t.equal(table.live, live);
  t.ok(table.size < 2_000, `${table.size} slots after ${500 * live} keys`);
  // One batch with many more, which go again.
  table.begin(2);
  for (let index = 0; index < 100_000; index += 1) table.set(index, index, 500);
  t.ok(table.scratch().length >= 100_000);
  table.commit(500);
  table.begin(2);
  for (let index = 0; index < 100_000; index += 1) table.removeAt(table.find(index));
  table.commit(501);
  table.begin(2);
  table.commit(502);
  t.ok(table.size <= live && table.scratch().length < 1_000, `${table.size} slots, and ${table.scratch().length} numbers`);
  t.end();
});

t.test('what has changed is named by the key that the table has, where an equal one may look otherwise', async (t) => {
  const table = new StateTable();
  table.begin(1, false);
  for (const key of [-0, 'a', [1]]) table.set(key, 1, 1);
  const first = table.keys[2];
  table.commit(1);
  table.begin(1, false);
  table.setAt(0, 2, 2, 0);
  table.setAt(1, 2, 2, 'a');
  table.setAt(2, 2, 2, [1]);
  table.setAt(1, 3, 2, 'a');
  const { keys, values } = table.changes();
  t.ok(Object.is(keys[0], -0));
  t.equal(keys[2], first);
  t.strictSame(keys.length, 3);
  t.strictSame(values, [2, 3, 2]);
  table.rollback();
  t.strictSame(table.values, [1, 1, 1]);
});

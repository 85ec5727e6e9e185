/** Tables put together from bytes: chains, other layouts, other versions of the values. */
import fc from 'fast-check';
import t from 'tap';
import { partitionOf } from '../../../../lib/base/key.ts';
import { bucketsOf, overlapping } from '../../../../lib/rdd/state/resplit.ts';
import type { LinkReader } from '../../../../lib/rdd/state/state-store.ts';
import { StateStore } from '../../../../lib/rdd/state/state-store.ts';
import { decodePairs, decodeRecords, encodePairs, encodeRecords } from '../../../../protocol/codec.ts';
import { asBlockId, asRddId } from '../../../../protocol/ids.ts';
import type { BlockRef, StateLink } from '../../../../protocol/rdd.ts';
import type { StateInput, StateOrigin } from '../../../../protocol/task.ts';
import { asBatchTime } from '../../../../protocol/time.ts';

type Key = string | number;
interface Step {
  readonly set: readonly (readonly [Key, unknown])[];
  readonly removed?: readonly Key[];
  /** When each was last touched: a snapshot. */
  readonly touched?: readonly number[] | null;
}

/** Links as a log has them: all in one file. */
class Log {
  #bytes = new Uint8Array(0);

  block(bytes: Uint8Array, records: number): BlockRef | null {
    if (records === 0) return null;
    const offset = this.#bytes.length;
    const all = new Uint8Array(offset + bytes.length);
    all.set(this.#bytes);
    all.set(bytes, offset);
    this.#bytes = all;
    return { id: asBlockId('log'), codec: 'records', place: { file: 'log', offset, bytes: bytes.length, durable: true }, records };
  }

  link(time: number, { set, removed = [], touched }: Step): StateLink {
    const snapshot = touched !== undefined;
    const extra = snapshot ? touched ?? [] : removed;
    return { time: asBatchTime(time), snapshot, pairs: this.block(encodePairs(set.map(([key]) => key), set.map(([, value]) => value)), set.length), extra: this.block(encodeRecords(extra), extra.length) };
  }

  readonly reader: LinkReader = {
    pairs: ({ pairs }) => (pairs === null ? { keys: [], values: [] } : decodePairs(this.#read(pairs))),
    extra: ({ extra }) => (extra === null ? [] : decodeRecords(this.#read(extra))),
    migration: ({ fromVersion }) => (_key, value) => (value === 0 ? null : `${String(value)} of ${fromVersion}`),
  };

  #read({ place }: BlockRef): Uint8Array {
    if (place === null || !('file' in place)) throw new Error('It lies in the log.');
    return this.#bytes.subarray(place.offset, place.offset + place.bytes);
  }
}

const input = (time: number, chain: readonly StateLink[] | null, partition = 0, origin?: StateOrigin): StateInput => ({ rdd: asRddId(1), partition, table: 3, time: asBatchTime(time), versionsKept: 1, chain, ...(origin === undefined ? {} : { origin }) });
const pairsOf = ({ keys, values }: { readonly keys: readonly unknown[]; readonly values: readonly unknown[] }): unknown[] => keys.map((key, index) => [key, values[index]]);
const first = (n: number, of = 1): StateOrigin => ({ resplit: null, migrate: { fn: { kind: 'builtin', name: 'identity' }, fromVersion: n * of } });

t.test('a chain gives the table that it was written from, and when each key was touched', (t) => {
  const log = new Log();
  const chain = [log.link(1, { set: [['a', 1], ['b', 2], ['c', 3]], touched: [1, 0, 1] }), log.link(2, { set: [['c', 4], ['d', 5]], removed: ['a'] }), log.link(3, { set: [['a', 6]] })];
  const table = new StateStore().tableAt(input(3, chain), 3, 0, log.reader);
  t.same(pairsOf(table.liveColumns()), [['b', 2], ['c', 4], ['d', 5], ['a', 6]]);
  t.same(table.touchedColumn(), [0, 2, 2, 3]);
  t.equal(table.version, 3);
  t.equal(table.steps, 2);
  t.end();
});

t.test('a table that was put together can be changed, and the change undone', (t) => {
  const log = new Log();
  const store = new StateStore();
  const table = store.tableAt(input(1, [log.link(1, { set: [['a', 1], ['b', 2]], touched: null })]), 3, 0, log.reader);
  table.begin(1);
  table.set('b', 3, 2);
  table.set('c', 4, 2);
  table.commit(asBatchTime(2));
  t.same(pairsOf(store.columnsAt(input(2, null), log.reader)), [['a', 1], ['b', 3], ['c', 4]]);
  t.same(pairsOf(store.columnsAt(input(1, null), log.reader)), [['a', 1], ['b', 2]]);
  t.equal(store.tableAt(input(1, null), 3, 0, log.reader), table);
  t.same(pairsOf(table.liveColumns()), [['a', 1], ['b', 2]]);
  t.end();
});

t.test('migrate is called for what is left at the chain\'s end; null ends a key, and when it was touched stays', (t) => {
  const log = new Log();
  const chain = [log.link(1, { set: [['a', 1], ['b', 2], ['z', 7]], touched: [1, 0, 1] }), log.link(2, { set: [['a', 5], ['b', 0]], removed: ['z'] })];
  const table = new StateStore().tableAt(input(2, chain, 0, first(9)), 3, 0, log.reader);
  t.same(pairsOf(table.liveColumns()), [['a', '5 of 9']]);
  t.same(table.touchedColumn(), [2]);
  t.end();
});

t.test('old and new partitions share buckets just where one has a key of the other', (t) => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }), (before, after) => {
    const owner = (bucket: number, partitions: number): number => Math.floor((bucket * partitions) / 4_096);
    for (let partition = 0; partition < after; partition += 1) {
      const { first: from, end } = bucketsOf(partition, after);
      const owners = new Set<number>();
      for (let bucket = from; bucket < end; bucket += 1) {
        if (owner(bucket, after) !== partition) return false;
        owners.add(owner(bucket, before));
      }
      if ([...owners].join() !== overlapping(partition, after, before).join()) return false;
    }
    return true;
  }), { numRuns: 100 });
  t.end();
});

const step = fc.record({ set: fc.array(fc.tuple(fc.oneof(fc.integer({ min: 0, max: 30 }), fc.constantFrom('a', 'b', 'c', 'd')), fc.integer({ min: 0, max: 9 })), { maxLength: 12 }), removed: fc.array(fc.oneof(fc.integer({ min: 0, max: 30 }), fc.constantFrom('a', 'b', 'c', 'd')), { maxLength: 6 }) });

t.test('whatever the steps, N partitions read as M hold each key once, where it belongs, in the order of the old partitions', (t) => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }), (steps, before, after) => {
      const log = new Log();
      const models = Array.from({ length: before }, () => new Map<Key, number>());
      const chains = models.map((model, old) => steps.map(({ set, removed }, index) => {
        const isOurs = (key: Key): boolean => partitionOf(key, before) === old;
        const gone = removed.filter((key, at) => isOurs(key) && model.has(key) && removed.indexOf(key) === at);
        for (const key of gone) model.delete(key);
        const put = new Map(set.filter(([key]) => isOurs(key)));
        for (const [key, value] of put) model.set(key, value);
        return index === 0 ? log.link(1, { set: [...put], touched: null }) : log.link(index + 1, { set: [...put], removed: gone });
      }));
      for (let partition = 0; partition < after; partition += 1) {
        const origin: StateOrigin = { resplit: { partitions: after, chains: overlapping(partition, after, before).map((old) => chains[old]!) }, migrate: null };
        const table = new StateStore().tableAt(input(steps.length, [], partition, origin), 3, partition, log.reader);
        const expected = models.flatMap((model) => [...model]).filter(([key]) => partitionOf(key, after) === partition);
        t.strictSame(pairsOf(table.liveColumns()), expected, 'the same pairs in the same order', { diagnostic: false });
      }
    }),
    { numRuns: 200 },
  );
  t.end();
});

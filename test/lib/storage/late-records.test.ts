/** Records that found no room: each gets its place once, in order, or the error that says why not. */
import t from 'tap';
import { LateRecords } from '../../../lib/storage/late-records.ts';
import { MillraceError } from '../../../protocol/errors.ts';
import type { SharedHandle } from '../../../protocol/rdd.ts';

interface Block {
  readonly name: string;
}

/** Memory of so many bytes; `makes`: what each round frees, null: nothing can. */
function late(free: number, makes: (number | null)[], waitsMax = 3) {
  const seen = { free, placed: [] as string[], asked: [] as number[] };
  const records = new LateRecords<Block>({
    write: ({ length }) => {
      if (length > seen.free) return null;
      seen.free -= length;
      return { slab: seen.placed.length, offset: 0, bytes: length, generation: 1 } satisfies SharedHandle;
    },
    makeRoom: (bytes) => {
      seen.asked.push(bytes);
      const made = makes.shift() ?? null;
      seen.free += made ?? 0;
      return Promise.resolve(made !== null);
    },
    placed: ({ name }, { bytes }) => void seen.placed.push(`${name}:${bytes}`),
    waitsMax,
    poolBytes: 1_000,
  });
  return { records, seen };
}

t.test('each gets its place as soon as there is room, in the order of storing, with as many rounds as it takes', async (t) => {
  const { records, seen } = late(5, [3, 4, 20]);
  for (const [name, bytes] of [['a', 5], ['b', 7], ['c', 9]] as const) records.add({ name }, new Uint8Array(bytes));
  await records.place();
  t.same(seen.placed, ['a:5', 'b:7', 'c:9']);
  t.same(seen.asked, [7, 7, 9]);
  t.ok(records.isEmpty);
  await records.place();
  t.equal(seen.placed.length, 3, 'once');
});

t.test('two who ask at the same time wait for the same placing, and what comes meanwhile is placed with it', async (t) => {
  const { records, seen } = late(0, [5, 5]);
  records.add({ name: 'a' }, new Uint8Array(5));
  const both = [records.place(), records.place()];
  records.add({ name: 'b' }, new Uint8Array(5));
  await Promise.all(both);
  t.same(seen.placed, ['a:5', 'b:5']);
});

t.test('where nothing can make room it is tried once more and then refused; it waits for the next call, and so do those behind it', async (t) => {
  const { records, seen } = late(0, [null]);
  records.add({ name: 'a' }, new Uint8Array(5));
  records.add({ name: 'b' }, new Uint8Array(1));
  const thrown: unknown = await records.place().catch((error: unknown) => error);
  t.match(thrown, { code: 'BlockMemoryExhausted', details: { bytes: 5, blockMemoryBytesMax: 1_000 } });
  t.ok(thrown instanceof MillraceError && thrown.retryable);
  t.same([seen.asked, seen.placed, records.isEmpty], [[5], [], false]);
  seen.free = 6;
  await records.place();
  t.same(seen.placed, ['a:5', 'b:1']);
});

t.test('rounds that free too little end after waitsMax', async (t) => {
  const { records, seen } = late(0, [1, 1, 1, 1, 1, 1]);
  records.add({ name: 'a' }, new Uint8Array(5));
  await t.rejects(records.place(), { code: 'BlockMemoryExhausted' });
  t.equal(seen.asked.length, 3);
});

t.test('one that was dropped while it waited gets no place', async (t) => {
  const { records, seen } = late(0, [1, 5]);
  const [a, b] = [{ name: 'a' }, { name: 'b' }];
  records.add(a, new Uint8Array(5));
  records.add(b, new Uint8Array(1));
  const placing = records.place();
  t.ok(records.has(a));
  records.drop(a);
  await placing;
  t.same(seen.placed, ['b:1']);
});

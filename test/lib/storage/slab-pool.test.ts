import t from 'tap';
import { SlabPool } from '../../../lib/storage/slab-pool.ts';
import { MillraceError } from '../../../protocol/errors.ts';
import type { SharedHandle } from '../../../protocol/rdd.ts';

const KiB = 1024;

function poolOf(slabs: number, options: { slabBytes?: number; poison?: boolean; host?: number } = {}): SlabPool {
  const slabBytes = options.slabBytes ?? 4 * KiB;
  return SlabPool.create({ poolBytes: slabs * slabBytes, ...options, slabBytes });
}

function allocate(pool: SlabPool, bytes: number, fill = 1): SharedHandle {
  const memory = pool.allocate(bytes);
  if (memory === null) throw new Error(`Expected room for ${bytes} bytes, got none.`);
  memory.view.fill(fill);
  return memory.handle;
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return error instanceof MillraceError ? error.code : String(error);
  }
  return 'none';
}

t.test('what one host writes, another reads by the handle', async (t) => {
  const writer = poolOf(4);
  const reader = SlabPool.attach(structuredClone(writer.share), 2);
  const memory = writer.allocate(5)!;
  memory.view.set([1, 2, 3, 4, 5]);
  const handle = structuredClone(memory.handle);
  t.strictSame([...reader.view(handle)], [1, 2, 3, 4, 5]);
  t.type(reader.view(handle).buffer, SharedArrayBuffer);
  t.equal(memory.handle.bytes, 5);
  t.equal(memory.view.byteOffset % 8, 0);
});

t.test('handles are cut from one slab until it is full, and none overlaps another', async (t) => {
  const pool = poolOf(3);
  const handles = Array.from({ length: 96 }, (_, index) => allocate(pool, 100, index));
  for (const [index, handle] of handles.entries()) t.ok(pool.view(handle).every((byte) => byte === index));
  t.match(pool.stats(), { slabs: 3, free: 0, liveHandles: 96 });
  t.equal(new Set(handles.map(({ slab }) => slab)).size, 3);
});

t.test('an empty allocation has a handle too', async (t) => {
  const pool = poolOf(1);
  const a = allocate(pool, 0);
  const b = allocate(pool, 0);
  t.equal(pool.view(a).length, 0);
  pool.release(a);
  t.equal(codeOf(() => pool.view(a)), 'StaleHandle');
  pool.release(b);
  pool.close();
  t.match(pool.stats(), { free: 1, liveHandles: 0 });
});

t.test('a slab is free again when it is sealed and its last handle is released', async (t) => {
  const pool = poolOf(2);
  const first = [allocate(pool, 2 * KiB), allocate(pool, 2 * KiB)];
  const second = allocate(pool, 2 * KiB);
  t.equal(pool.allocate(4 * KiB), null, 'both slabs are taken');
  pool.release(first[0]!);
  t.equal(pool.allocate(4 * KiB), null, 'one handle of the first is alive');
  pool.release(first[1]!);
  t.equal(pool.stats().free, 1);
  const large = allocate(pool, 4 * KiB);
  t.equal(large.slab, first[0]!.slab);
  pool.release(second);
  pool.release(large);
  pool.close();
  t.match(pool.stats(), { free: 2, liveHandles: 0, usedBytes: 0 });
});

t.test('an exhausted pool keeps the open slab for what still fits', async (t) => {
  const pool = poolOf(1);
  allocate(pool, 3 * KiB);
  t.equal(pool.allocate(2 * KiB), null);
  t.ok(pool.allocate(KiB));
  t.equal(pool.allocate(1), null);
});

t.test('a host whose handles are all released uses its slab again instead of another', async (t) => {
  const pool = poolOf(4);
  const old = allocate(pool, 4 * KiB);
  pool.release(old);
  for (let round = 0; round < 20; round++) {
    const handle = allocate(pool, 3 * KiB);
    t.equal(handle.slab, old.slab);
    pool.release(handle);
  }
  t.equal(pool.stats().free, 3);
  t.equal(codeOf(() => pool.view(old)), 'StaleHandle');
});

t.test('an old handle is stale, also when its place was given away again', async (t) => {
  const pool = poolOf(1);
  const old = allocate(pool, 4 * KiB);
  pool.release(old);
  const next = allocate(pool, 4 * KiB);
  t.match(next, { slab: old.slab, offset: old.offset, bytes: old.bytes });
  t.equal(codeOf(() => pool.view(old)), 'StaleHandle');
  t.equal(codeOf(() => pool.release(old)), 'StaleHandle');
  t.equal(codeOf(() => pool.view({ ...next, slab: 7 })), 'StaleHandle');
  t.ok(pool.view(next));
});

t.test('a second release is refused and changes nothing', async (t) => {
  const pool = poolOf(1);
  const a = allocate(pool, 10);
  const b = allocate(pool, 10);
  pool.release(a);
  t.equal(codeOf(() => pool.release(a)), 'StaleHandle');
  t.equal(codeOf(() => pool.view(a)), 'StaleHandle', 'though its slab is still in use');
  t.equal(pool.stats().liveHandles, 1);
  t.ok(pool.view(b));
});

t.test('an allocation larger than a slab is a run of slabs, given back as a whole', async (t) => {
  const pool = poolOf(6);
  const small = allocate(pool, 10);
  const large = allocate(pool, 4 * 4 * KiB + 1, 7);
  t.equal(pool.view(large).length, 4 * 4 * KiB + 1);
  t.equal(pool.stats().free, 0);
  t.equal(pool.allocate(5 * KiB), null);
  pool.release(large);
  t.equal(pool.stats().free, 5);
  t.equal(codeOf(() => pool.view(large)), 'StaleHandle');
  t.equal(pool.allocate(100 * KiB), null, 'more than the pool has');
  t.ok(pool.view(small));
});

t.test('a run does not reach over the end of a buffer', async (t) => {
  // 256 MiB a buffer: slabs of 96 MiB lie two in a buffer. Nothing is written, so nothing is touched.
  const slabBytes = 96 * KiB * KiB;
  const pool = SlabPool.create({ slabBytes, poolBytes: 5 * slabBytes });
  t.equal(pool.share.memory.length, 3);
  const runs = [pool.allocate(slabBytes + 1), pool.allocate(slabBytes + 1), pool.allocate(slabBytes + 1)];
  t.strictSame(runs.map((run) => run?.handle.slab), [2, 0, undefined]);
  t.equal(pool.allocate(10)?.handle.slab, 4);
});

t.test('a large handle does not close an open slab that is mostly unused', async (t) => {
  const pool = poolOf(3);
  const small = allocate(pool, 100);
  allocate(pool, 4 * KiB);
  t.equal(allocate(pool, 100).slab, small.slab);
});

t.test('blocks of an open slab may begin at any byte and be of any size', async (t) => {
  const pool = poolOf(2);
  const slab = pool.openSlab()!;
  t.equal(slab.view.length, 4 * KiB);
  slab.view.set(Buffer.from('a\nbb\nccc\n'));
  const handles = [slab.commit(0, 2), slab.commit(2, 3), slab.commit(5, 4), slab.commit(9, 0)];
  t.strictSame(handles.map((handle) => Buffer.from(pool.view(handle)).toString()), ['a\n', 'bb\n', 'ccc\n', '']);
  for (const handle of handles.slice(0, 3)) pool.release(handle);
  t.equal(pool.stats().free, 1, 'it is open');
  slab.close();
  slab.close();
  t.equal(pool.stats().free, 1, 'a handle is alive');
  pool.release(handles[3]!);
  t.equal(pool.stats().free, 2);
  t.throws(() => slab.commit(0, 1), /closed/);
});

t.test('an open slab takes any number of blocks over time, and a bounded number at a time', async (t) => {
  const pool = poolOf(1);
  const slab = pool.openSlab()!;
  for (let round = 0; round < 500; round++) pool.release(slab.commit(round % 100, 1));
  const alive = Array.from({ length: 64 }, (_, index) => slab.commit(index, 1));
  t.equal(codeOf(() => slab.commit(70, 1)), 'BlockMemoryExhausted');
  pool.release(alive[10]!);
  t.ok(slab.commit(70, 1));
  t.throws(() => slab.commit(4000, 100), /within the slab/);
});

t.test('released bytes are poisoned where that is asked for', async (t) => {
  const pool = poolOf(1, { poison: true });
  const memory = pool.allocate(100)!;
  const other = pool.allocate(100)!;
  memory.view.fill(1);
  other.view.fill(2);
  pool.release(memory.handle);
  t.ok(memory.view.every((byte) => byte === 0xdb));
  t.ok(other.view.every((byte) => byte === 2));
});

t.test('after a thread\'s death its slabs keep only the handles that are named', async (t) => {
  const driver = poolOf(8, { host: 1 });
  const dead = SlabPool.attach(driver.share, 5);
  const own = allocate(driver, 10, 9);
  const kept = allocate(dead, 10, 3);
  const lost = allocate(dead, 3 * KiB);
  const full = allocate(dead, 3 * KiB);
  const run = allocate(dead, 9 * KiB);
  const receiver = dead.openSlab()!;
  const block = receiver.commit(0, 10);
  t.equal(driver.stats().free, 1);

  driver.reclaim(5, [kept, block, own]);

  for (const handle of [lost, full, run]) t.equal(codeOf(() => driver.view(handle)), 'StaleHandle');
  t.ok(driver.view(kept).every((byte) => byte === 3));
  t.match(driver.stats(), { free: 5, liveHandles: 3 });
  driver.release(kept);
  driver.release(block);
  t.match(driver.stats(), { free: 7, liveHandles: 1 });
  t.ok(driver.view(own), 'slabs of others are untouched');

  driver.reclaim(5, []);
  t.match(driver.stats(), { free: 7, liveHandles: 1 }, 'a second time changes nothing');
});

t.test('sizes that make no pool are refused', async (t) => {
  t.equal(codeOf(() => SlabPool.create({ poolBytes: 0 })), 'InvalidOption');
  t.equal(codeOf(() => SlabPool.create({ poolBytes: NaN })), 'InvalidOption');
  t.equal(codeOf(() => SlabPool.create({ poolBytes: KiB, slabBytes: 0 })), 'InvalidOption');
  t.equal(codeOf(() => SlabPool.create({ poolBytes: KiB, slabBytes: 2 ** 30 })), 'InvalidOption');
  t.equal(SlabPool.create({ poolBytes: 1 }).stats().slabs, 1);
  t.equal(SlabPool.create({ poolBytes: 10 * KiB * KiB }).stats().slabs, 10);
});

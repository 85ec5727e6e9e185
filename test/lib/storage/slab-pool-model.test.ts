/** Random lives of handles, of several hosts on one thread, against a plain list of what must be alive. */
import fc from 'fast-check';
import t from 'tap';
import { SlabPool, type OpenSlab } from '../../../lib/storage/slab-pool.ts';
import type { SharedHandle } from '../../../protocol/rdd.ts';

const slabBytes = 1024;
const slabs = 12;

type Step =
  | { readonly do: 'allocate'; readonly host: number; readonly bytes: number }
  | { readonly do: 'release'; readonly host: number; readonly pick: number }
  | { readonly do: 'open' | 'close' | 'die'; readonly host: number }
  | { readonly do: 'commit'; readonly host: number; readonly bytes: number };

const host = fc.integer({ min: 0, max: 2 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('allocate' as const), host, bytes: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 4 * slabBytes })) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('release' as const), host, pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('open' as const, 'close' as const, 'die' as const), host }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('commit' as const), host, bytes: fc.integer({ min: 0, max: 200 }) }) },
);

interface Living {
  readonly handle: SharedHandle;
  readonly owner: number;
  readonly fill: number;
}

interface Host {
  readonly number: number;
  readonly pool: SlabPool;
  open: { readonly slab: OpenSlab; next: number } | null;
}

t.test('any lives of handles: bytes stay as written, the dead are stale, and all memory comes back', async () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
    const driver = SlabPool.create({ slabBytes, poolBytes: slabs * slabBytes, host: 1, poison: true });
    let hostsMade = 1;
    const newHost = (): Host => {
      hostsMade += 1;
      return { number: hostsMade, pool: SlabPool.attach(driver.share, hostsMade), open: null };
    };
    const hosts = [newHost(), newHost(), newHost()];
    let living: Living[] = [];
    const dead: SharedHandle[] = [];
    let fill = 0;

    const born = (owner: number, handle: SharedHandle, view: Uint8Array): void => {
      fill = (fill + 1) % 200;
      view.fill(fill);
      living.push({ handle, owner, fill });
    };

    for (const next of steps) {
      const actor = hosts[next.host]!;
      switch (next.do) {
        case 'allocate': {
          const memory = actor.pool.allocate(next.bytes);
          if (memory !== null) born(actor.number, memory.handle, memory.view);
          break;
        }
        case 'release': {
          if (living.length === 0) break;
          const [gone] = living.splice(next.pick % living.length, 1);
          actor.pool.release(gone!.handle);
          dead.push(gone!.handle);
          break;
        }
        case 'open': {
          const slab = actor.open === null ? actor.pool.openSlab() : null;
          if (slab !== null) actor.open = { slab, next: 0 };
          break;
        }
        case 'commit': {
          if (actor.open === null || actor.open.next + next.bytes > slabBytes) break;
          const at = actor.open.next;
          actor.open.next += next.bytes;
          const handle = actor.open.slab.commit(at, next.bytes);
          born(actor.number, handle, actor.open.slab.view.subarray(at, at + next.bytes));
          break;
        }
        case 'close':
          actor.open?.slab.close();
          actor.open = null;
          break;
        case 'die': {
          // Every second of its handles was known to the driver.
          const own = living.filter(({ owner }) => owner === actor.number);
          const known = own.filter((_, index) => index % 2 === 0).map(({ handle }) => handle);
          driver.reclaim(actor.number, known);
          dead.push(...own.map(({ handle }) => handle).filter((handle) => !known.includes(handle)));
          living = living.filter(({ owner, handle }) => owner !== actor.number || known.includes(handle));
          hosts[next.host] = newHost();
          break;
        }
      }
      check(driver, living, dead);
    }

    for (const { handle } of living) driver.release(handle);
    for (const last of hosts) {
      last.open?.slab.close();
      last.pool.close();
    }
    const stats = driver.stats();
    if (stats.free !== slabs || stats.liveHandles !== 0) throw new Error(`Expected ${slabs} free slabs, got ${JSON.stringify(stats)}.`);
  }), { seed: 20_261_123, numRuns: 150 });
});

function check(pool: SlabPool, living: readonly Living[], dead: readonly SharedHandle[]): void {
  if (pool.stats().liveHandles !== living.length) throw new Error(`Expected ${living.length} live handles, got ${JSON.stringify(pool.stats())}.`);
  for (const { handle, fill } of living) {
    if (!pool.view(handle).every((byte) => byte === fill)) throw new Error(`Expected the bytes of ${JSON.stringify(handle)} to be ${fill}.`);
  }
  for (const handle of dead) {
    let stale = false;
    try {
      pool.view(handle);
    } catch {
      stale = true;
    }
    if (!stale) throw new Error(`Expected ${JSON.stringify(handle)} to be stale.`);
  }
}

/** The services of a host for one behaviour under test: a clock moved by hand, and memory that counts what is given back. */
import type { HostServices } from '../../actors/services.ts';
import { ManualClock } from '../../lib/base/clock.ts';
import { clusterOptions } from '../../lib/options.ts';
import type { SparkContextOptions } from '../../lib/options.ts';
import type { SharedHandle } from '../../protocol/rdd.ts';
import type { HostId } from '../../protocol/ids.ts';

export interface StubServices extends HostServices {
  readonly clock: ManualClock;
  /** Handles given back to the pool, in order. */
  readonly released: SharedHandle[];
  /** Handles whose memory is no more, beside those that were given back. */
  readonly gone: SharedHandle[];
  readonly reclaimed: { readonly host: HostId; readonly live: readonly SharedHandle[] }[];
}

export function stubServices(options: SparkContextOptions = {}, epochMs = 0): StubServices {
  const released: SharedHandle[] = [];
  const reclaimed: StubServices['reclaimed'] = [];
  const gone: SharedHandle[] = [];
  const pool = {
    isLive: (handle: SharedHandle) => ![...released, ...gone].some(({ slab, offset, generation }) => slab === handle.slab && offset === handle.offset && generation === handle.generation),
    release: (handle: SharedHandle) => void released.push(handle),
    reclaim: (host: HostId, live: readonly SharedHandle[]) => void reclaimed.push({ host, live }),
    stats: () => ({ slabs: 4, free: 4, liveHandles: 0, usedBytes: 0 }),
    slabs: 4,
    freeSlabs: 4,
    slabUse: () => ({ handles: 0, isOpen: false }),
  };
  const given: Partial<HostServices> & Pick<StubServices, 'clock' | 'released' | 'gone' | 'reclaimed'> = {
    clock: new ManualClock({ epochMs }),
    options: clusterOptions({ master: 'local[2]', ...options }, '/scratch'),
    pool: pool as never,
    controls: new Map(),
    programs: new Map(),
    released,
    gone,
    reclaimed,
  };
  return given as StubServices;
}

export function handle(slab: number, offset = 0): SharedHandle {
  return { slab, offset, bytes: 64, generation: 1 };
}

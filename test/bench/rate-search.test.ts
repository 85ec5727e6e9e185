/** The search for the highest sustained rate, against subjects whose limit is known. */
import t from 'tap';
import fc from 'fast-check';
import { searchHighestRate } from '../../bench/rate-search.ts';
import type { SearchOptions, SearchResult } from '../../bench/rate-search.ts';

const step = 25_000;

function search(limit: number, options: Partial<SearchOptions> = {}): Promise<SearchResult> {
  const holds = async (rate: number): Promise<boolean> => rate <= limit;
  return searchHighestRate({ startRate: 150_000, step, rateMax: Infinity, runs: 3, probe: holds, confirm: holds, ...options });
}

t.test('the rate found is the highest step that holds, whatever the limit and the start', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 3_000_000 }), fc.integer({ min: 1, max: 2_000_000 }), async (limit, startRate) => {
      const { rate, tried } = await search(limit, { startRate });
      const probes = tried.filter(({ kind }) => kind === 'probe');
      return rate === Math.floor(limit / step) * step && probes.length <= 16 && new Set(probes.map((probe) => probe.rate)).size === probes.length;
    }),
    { seed: 42 },
  );
});

t.test('from the start it doubles, then halves the gap', async (t) => {
  const { tried } = await search(420_000);
  t.same(tried.filter(({ kind }) => kind === 'probe').map(({ rate }) => rate), [150_000, 300_000, 600_000, 450_000, 375_000, 400_000, 425_000]);
});

t.test('a rate that holds in two of three full runs is found, and the third run is not made when two agree', async (t) => {
  const confirms = [true, false, true];
  const { rate, tried } = await search(200_000, { confirm: async () => confirms.shift() ?? false });
  t.equal(rate, 200_000);
  t.equal(tried.filter(({ kind }) => kind === 'confirm').length, 3);
  t.equal((await search(200_000)).tried.filter(({ kind }) => kind === 'confirm').length, 2);
});

t.test('a rate that fails in two of three full runs goes one step down', async (t) => {
  const { rate, tried } = await search(200_000, { confirm: async (asked) => asked <= 150_000 });
  t.equal(rate, 150_000);
  t.same(tried.filter(({ kind }) => kind === 'confirm').map((one) => one.rate), [200_000, 200_000, 175_000, 175_000, 150_000, 150_000]);
});

t.test('where not even one step holds, the rate is 0', async (t) => {
  t.equal((await search(10_000)).rate, 0);
  t.equal((await search(100_000, { confirm: async () => false })).rate, 0);
});

t.test('no rate above the maximum is tried', async (t) => {
  const { rate, tried } = await search(Infinity, { rateMax: 400_000 });
  t.equal(rate, 400_000);
  t.ok(tried.every((one) => one.rate <= 400_000));
});

t.test('one run is enough where one is asked for', async (t) => {
  const { tried } = await search(200_000, { runs: 1 });
  t.equal(tried.filter(({ kind }) => kind === 'confirm').length, 1);
});

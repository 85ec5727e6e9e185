/** The pure decisions of a supervisor. */
import t from 'tap';
import fc from 'fast-check';
import type { ChildSpec } from '../../../lib/actor/child-spec.ts';
import { addRestart, affectedBy, backoffDelayMs, moveSpec } from '../../../lib/actor/supervision.ts';
import { asHostId } from '../../../protocol/ids.ts';

t.test('the intensity counts restarts within the period, its last millisecond included', (t) => {
  t.equal(addRestart([], 0, 0, 1_000).allowed, false, 'intensity 0 allows none');
  t.equal(addRestart([0], 1_000, 1, 1_000).allowed, false);
  t.equal(addRestart([0], 1_001, 1, 1_000).allowed, true);
  t.same(addRestart([0, 500, 900], 1_600, 3, 1_000).history, [900, 1_600], 'what is older is forgotten');
  t.end();
});

t.test('more than `intensity` restarts in any window of `periodMs` are never allowed, and fewer always', (t) => {
  fc.assert(fc.property(fc.array(fc.nat(500), { maxLength: 40 }), fc.integer({ min: 0, max: 5 }), (gaps, intensity) => {
    let history: readonly number[] = [];
    let nowMs = 0;
    const all: number[] = [];
    for (const gap of gaps) {
      nowMs += gap;
      all.push(nowMs);
      const next = addRestart(history, nowMs, intensity, 1_000);
      history = next.history;
      if (next.allowed !== all.filter((timeMs) => timeMs >= nowMs - 1_000).length <= intensity) return false;
    }
    return true;
  }));
  t.end();
});

t.test('who is affected by the failure of number 1 of 4', (t) => {
  t.same(affectedBy('one_for_one', 4, 1), [1]);
  t.same(affectedBy('one_for_all', 4, 1), [0, 1, 2, 3]);
  t.same(affectedBy('rest_for_one', 4, 1), [1, 2, 3]);
  t.end();
});

t.test('back-off doubles from min to max, and jitter stays within its share', (t) => {
  const backoff = { minMs: 100, maxMs: 1_000, jitter: 0.2, resetAfterMs: 1 };
  t.same([0, 1, 2, 3, 4, 1_000].map((failures) => backoffDelayMs(backoff, failures, 0.5)), [100, 200, 400, 800, 1_000, 1_000]);
  t.equal(backoffDelayMs(backoff, 0, 0), 80);
  t.ok(backoffDelayMs(backoff, 0, 0.999_999) < 120);
  t.equal(backoffDelayMs(undefined, 9, 0.5), 0, 'without one, at once');
  t.end();
});

t.test('a moved host is moved in the whole tree that a spec describes, and nothing else is', (t) => {
  const child = (id: string, host?: number): ChildSpec => ({ id, behavior: 'child', args: null, ...(host === undefined ? {} : { host: asHostId(host) }) });
  const spec: ChildSpec = { id: 's', behavior: 'supervisor', args: { strategy: 'one_for_one', children: [child('a', 2), child('b', 3), child('c')] } };
  const moved = moveSpec(spec, asHostId(2), asHostId(9)).args as { children: ChildSpec[] };
  t.same(moved.children.map(({ host }) => host), [9, 3, undefined]);
  t.equal((spec.args as { children: ChildSpec[] }).children[0]!.host, 2, 'the old spec is as it was');
  t.end();
});

import t from 'tap';
import type { CaseOperation, ConformanceCase } from './case.ts';
import { documentedCase } from './documented-case.ts';

const of = (...graph: CaseOperation[]): ConformanceCase => ({ name: 'x', batchMs: 1000, inputs: [], graph, output: 's', collect: 'multiset', batchesToRun: 1 });

t.test('windows with an inverse are written out, and keep their ids', async (t) => {
  const window = { id: 's/window', op: 'window', of: ['a'], windowMs: 2000, slideMs: 3000 };
  const one = (operation: CaseOperation): readonly CaseOperation[] => documentedCase(of(operation)).graph;
  t.strictSame(one({ id: 's', op: 'countByWindow', of: ['a'], windowMs: 2000, slideMs: 3000 }), [window, { id: 's', op: 'count', of: ['s/window'] }]);
  t.strictSame(one({ id: 's', op: 'countByValueAndWindow', of: ['a'], windowMs: 2000, slideMs: 3000, numPartitions: 3 }), [window, { id: 's', op: 'countByValue', of: ['s/window'], numPartitions: 3 }]);
  t.strictSame(one({ id: 's', op: 'reduceByKeyAndWindow', of: ['a'], fn: 'add', invFn: 'sub', windowMs: 2000, slideMs: 3000, filterFn: 'valueNonZero' }), [
    window, { id: 's/reduced', op: 'reduceByKey', of: ['s/window'], fn: 'add' }, { id: 's', op: 'filter', of: ['s/reduced'], fn: 'valueNonZero' },
  ]);
});

t.test('what has no inverse stays as it is', async (t) => {
  const graph: CaseOperation[] = [{ id: 'm', op: 'map', of: ['a'], fn: 'inc' }, { id: 's', op: 'reduceByWindow', of: ['m'], fn: 'add', windowMs: 2000, slideMs: 2000 }];
  t.strictSame(documentedCase(of(...graph)).graph, graph);
});

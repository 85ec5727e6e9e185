/**
 * The case with every incremental window written out: what the documentation promises where Spark gives something else.
 *
 * Invariant: only operations with an inverse function change; ids stay, so that the rest of the graph still fits.
 */
import type { CaseOperation, ConformanceCase } from './case.ts';

export function documentedCase(testCase: ConformanceCase): ConformanceCase {
  return { ...testCase, graph: testCase.graph.flatMap(documentedOperations) };
}

/** One operation, written out; the last of them has its id. */
export function documentedOperations(operation: CaseOperation): CaseOperation[] {
  const { id, of, windowMs = 0, slideMs, numPartitions } = operation;
  const window: CaseOperation = { id: `${id}/window`, op: 'window', of, windowMs, ...(slideMs === undefined ? {} : { slideMs }) };
  const partitions = numPartitions === undefined ? {} : { numPartitions };
  switch (operation.op) {
    case 'countByWindow':
      return [window, { id, op: 'count', of: [window.id] }];
    case 'countByValueAndWindow':
      return [window, { id, op: 'countByValue', of: [window.id], ...partitions }];
    case 'reduceByWindow':
      return operation.invFn === undefined ? [operation] : [window, { id, op: 'reduce', of: [window.id], fn: operation.fn ?? '' }];
    case 'reduceByKeyAndWindow': {
      if (operation.invFn === undefined) return [operation];
      const reducedId = operation.filterFn === undefined ? id : `${id}/reduced`;
      const reduced: CaseOperation = { id: reducedId, op: 'reduceByKey', of: [window.id], fn: operation.fn ?? '', ...partitions };
      return operation.filterFn === undefined ? [window, reduced] : [window, reduced, { id, op: 'filter', of: [reducedId], fn: operation.filterFn }];
    }
    default:
      return [operation];
  }
}

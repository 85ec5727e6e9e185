/**
 * Which functions a node of lineage, or a job's sink, names.
 *
 * Invariant: functions inside of our own ones (`over`) are found too. Storage and replays rest on it: a function that is missed
 * here is forgotten while it is still needed.
 */
import { functionRefsOfState } from '../rdd/shape.ts';
import type { FunctionRef, RddNode, Sink } from '../../protocol/rdd.ts';

export function functionRefsOf(node: RddNode): readonly FunctionRef[] {
  const found: FunctionRef[] = [];
  if ('fn' in node) addRef(found, node.fn);
  if (node.kind === 'state') for (const ref of functionRefsOfState(node)) addRef(found, ref);
  if ('aggregator' in node && node.aggregator !== null) {
    for (const ref of [node.aggregator.createCombiner, node.aggregator.mergeValue, node.aggregator.mergeCombiners]) addRef(found, ref);
  }
  return found;
}

/** What the sink names beyond its RDD's lineage. */
export function functionRefsOfSink(sink: Sink): readonly FunctionRef[] {
  const found: FunctionRef[] = [];
  if ('fn' in sink) addRef(found, sink.fn);
  if ('seqFn' in sink) addRef(found, sink.seqFn);
  if ('order' in sink && sink.order !== null) addRef(found, sink.order);
  return found;
}

function addRef(found: FunctionRef[], ref: FunctionRef): void {
  found.push(ref);
  if (ref.kind === 'builtin') for (const inner of ref.over ?? []) addRef(found, inner);
}

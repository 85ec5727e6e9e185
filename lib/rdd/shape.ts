/**
 * The shape of a stage: a text that is equal for stages which run the same loops, so that a compiled loop is used again in
 * each batch.
 *
 * In it: kinds of operators and of the sink, how nodes hang together (by position in the stage), references of functions,
 * kinds of partitioners, whether a node is persisted. Left out: ids, numbers of partitions, blocks, splits, handles, encoded
 * values, batch times.
 *
 *   map(p0.3;0) shuffled(hash,ascending;) > collect        `;0`: its parent is the stage's node 0
 *
 * Invariant: two stages of one shape differ only in what a task gives its loops at run time.
 */
import type { FunctionRef, PartitionerSpec, RddNode, RecordPolicy, Sink, StateUpdate } from '../../protocol/rdd.ts';
import type { RddId } from '../../protocol/ids.ts';

export function stageShape(nodes: readonly RddNode[], sink: Sink): string {
  const positions = new Map<RddId, number>();
  const parts: string[] = [];
  for (const node of nodes) {
    const parents = node.parents.map((parent) => positions.get(parent) ?? 'x').join(',');
    parts.push(`${node.kind}(${nodeShape(node)};${parents})${node.storage === null ? '' : '*'}`);
    positions.set(node.id, positions.size);
  }
  return `${parts.join(' ')} > ${sink.kind}(${sinkShape(sink)})`;
}

/** The functions that a stage's tasks need. */
export function functionRefsOf(nodes: readonly RddNode[], sink: Sink): FunctionRef[] {
  const refs: FunctionRef[] = [];
  const add = (ref: FunctionRef | null): void => {
    if (ref === null) return;
    refs.push(ref);
    if (ref.kind === 'builtin') for (const inner of ref.over ?? []) add(inner);
  };
  for (const node of nodes) {
    if ('fn' in node) add(node.fn);
    if (node.kind === 'state') functionRefsOfUpdate(node.update).forEach(add);
    if (node.kind === 'shuffled' && node.aggregator !== null) {
      add(node.aggregator.createCombiner);
      add(node.aggregator.mergeValue);
      add(node.aggregator.mergeCombiners);
    }
  }
  if ('fn' in sink) add(sink.fn);
  if (sink.kind === 'aggregate') add(sink.seqFn);
  if (sink.kind === 'takeOrdered') add(sink.order);
  if (sink.kind === 'shuffle' && sink.combine !== null) {
    add(sink.combine.createCombiner);
    add(sink.combine.mergeValue);
    add(sink.combine.mergeCombiners);
  }
  return refs;
}

/** The functions that change keyed state. */
export function functionRefsOfUpdate(update: StateUpdate): FunctionRef[] {
  if (update.kind !== 'window') return [update.fn];
  return [update.fn, update.inverse, ...(update.filter === null ? [] : [update.filter])];
}

function nodeShape(node: RddNode): string {
  switch (node.kind) {
    case 'source': return [...new Set(node.blocks.flat().map((block) => block.codec))].sort().join(',');
    case 'map':
    case 'filter':
    case 'flatMap':
    case 'mapValues':
    case 'flatMapValues': return `${refShape(node.fn)}${policyShape(node.onError)}`;
    case 'mapPartitions': return `${refShape(node.fn)}${node.withIndex ? ',index' : ''}`;
    case 'shuffled': {
      const { aggregator } = node;
      const combine = aggregator === null ? '' : `${refShape(aggregator.createCombiner)},${refShape(aggregator.mergeValue)},${refShape(aggregator.mergeCombiners)}${policyShape(aggregator.onError)}`;
      return [specShape(node.spec), combine, node.mapSideCombine ? 'combined' : '', node.sort ?? '', node.narrow ? 'narrow' : ''].join(',');
    }
    case 'state': return updateShape(node.update);
    case 'coGrouped': return `${specShape(node.spec)},${node.shuffles.map((shuffle) => (shuffle === null ? 'narrow' : 'read')).join(',')}`;
    default: return '';
  }
}

function updateShape(update: StateUpdate): string {
  return `${update.kind},${functionRefsOfUpdate(update).map(refShape).join(',')}${policyShape(update.kind === 'window' ? undefined : update.onError)}`;
}

function sinkShape(sink: Sink): string {
  switch (sink.kind) {
    case 'shuffle': {
      const { combine } = sink;
      const functions = combine === null ? '' : `${refShape(combine.createCombiner)},${refShape(combine.mergeValue)},${refShape(combine.mergeCombiners)}${policyShape(combine.onError)}`;
      return `${specShape(sink.spec)},${functions},${sink.keyed ? 'keyed' : ''}`;
    }
    case 'collect': return sink.limit < 0 ? 'all' : 'limit';
    case 'foreach': return `${refShape(sink.fn)}${policyShape(sink.onError)}`;
    case 'reduce':
    case 'foreachPartition': return refShape(sink.fn);
    case 'aggregate': return refShape(sink.seqFn);
    case 'takeOrdered': return `${sink.descending ? 'descending' : 'ascending'},${sink.order === null ? '' : refShape(sink.order)}`;
    default: return '';
  }
}

function specShape(spec: PartitionerSpec): string {
  return spec.kind === 'range' ? `range-${spec.ascending ? 'ascending' : 'descending'}` : spec.kind;
}

function policyShape(onError: RecordPolicy | undefined): string {
  return onError === undefined ? '' : `!${onError}`;
}

function refShape(ref: FunctionRef): string {
  switch (ref.kind) {
    case 'builtin': return ref.over === undefined ? ref.name : `${ref.name}[${ref.over.map(refShape).join(',')}]`;
    case 'program': return `p${ref.program}.${ref.index}`;
    case 'batch': return `b${ref.program}.${ref.operator}.${ref.index}`;
    case 'local': return `l${ref.index}`;
  }
}

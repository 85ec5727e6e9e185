/**
 * How a batch of a stream will be computed, as text: the stages of lib/rdd/explain.ts for the RDDs that its operators would make.
 *
 * The operators are asked to make their RDDs as they do for a batch, in a context that only writes down nodes: no batch has to run, and nothing is
 * computed or stored. What is not made of its parents by operators alone (an input, a transform, state, a window) is where a plan begins; the
 * streams that it is made of have plans of their own below it.
 *
 * Invariant: nothing is added to the program: no RDD, no function, no operator.
 */
import type { ExplainOptions } from '../rdd/explain.ts';
import { explainRdd } from '../rdd/explain.ts';
import type { UserFunction } from '../rdd/fuse.ts';
import type { RddContext } from '../rdd/context.ts';
import { RDD } from '../rdd/rdd.ts';
import { asBlockId, asHostId, rddIdOf } from '../../protocol/ids.ts';
import type { RddId } from '../../protocol/ids.ts';
import type { BlockRef, FunctionRef, OperatorPlace, RddNode } from '../../protocol/rdd.ts';
import type { StorageLevel } from '../rdd/storage-level.ts';
import type { DStream } from './dstream.ts';

/** Inputs whose blocks are text. */
const textInputs: ReadonlySet<string> = new Set(['socketTextStream', 'textFileStream']);

export function explainStream(stream: DStream<unknown>, { recognizeClosures = true }: ExplainOptions): string {
  const parts: string[] = [];
  const explained = new Set<DStream<unknown>>();
  const explain = (one: DStream<unknown>, title: string): void => {
    if (explained.has(one)) return;
    explained.add(one);
    const context = new PlanContext(one.host.rdds.defaultParallelism);
    const { id } = context.rddOf(one);
    parts.push(`${title}${explainRdd(id, { node: (rdd) => context.node(rdd), functionOf: (ref) => context.functionOf(ref), recognizes: recognizeClosures })}`);
    for (const begin of context.begins) for (const parent of begin.parents) explain(parent, `${begin.kind} is made of ${parent.kind}:\n`);
  };
  explain(stream, '');
  return parts.join('\n');
}

class PlanContext implements RddContext {
  readonly defaultParallelism: number;
  /** The streams at which this plan begins. */
  readonly begins = new Set<DStream<unknown>>();
  readonly #nodes = new Map<RddId, RddNode>();
  readonly #rdds = new Map<DStream<unknown>, RDD<unknown>>();
  readonly #functions: UserFunction[] = [];
  #operator: OperatorPlace | null = null;

  constructor(defaultParallelism: number) {
    this.defaultParallelism = defaultParallelism;
  }

  rddOf(stream: DStream<unknown>): RDD<unknown> {
    let rdd = this.#rdds.get(stream);
    if (rdd === undefined) {
      const { make } = stream.spec;
      const parents = make === undefined ? [] : stream.parents.map((parent) => this.rddOf(parent));
      this.#operator = { uid: '', name: stream.kind, place: stream.place };
      rdd = make === undefined ? this.#begin(stream) : make(parents);
      if (stream.storageLevel !== null) rdd.persist(stream.storageLevel);
      this.#rdds.set(stream, rdd);
    }
    return rdd;
  }

  #begin(stream: DStream<unknown>): RDD<unknown> {
    this.begins.add(stream);
    const id = this.newRddId();
    const block: BlockRef = { id: asBlockId('plan'), codec: textInputs.has(stream.kind) ? 'text' : 'records', place: null, records: -1 };
    // As many partitions as there may be: with none, a union would leave it out.
    const blocks = Array.from({ length: this.defaultParallelism }, () => [block]);
    this.define({ id, kind: 'source', parents: [], partitions: blocks.length, partitioner: null, storage: null, operator: this.#operator, blocks });
    return new RDD(this, id);
  }

  functionOf(ref: FunctionRef): UserFunction | null {
    return ref.kind === 'local' ? (this.#functions[ref.index] ?? null) : null;
  }

  newRddId(): RddId {
    return rddIdOf(asHostId(0), this.#nodes.size);
  }

  define(node: RddNode): void {
    this.#nodes.set(node.id, node);
  }

  node(id: RddId): RddNode {
    return this.#nodes.get(id)!;
  }

  functionRef(fn: (...args: never[]) => unknown): FunctionRef {
    return { kind: 'local', index: this.#functions.push(fn as UserFunction) - 1 };
  }

  place(): OperatorPlace | null {
    return this.#operator;
  }

  storeRecords(records: readonly unknown[]): BlockRef {
    return { id: asBlockId('plan'), codec: 'records', place: null, records: records.length };
  }

  setStorage(id: RddId, storage: StorageLevel | null): void {
    this.define({ ...this.node(id), storage });
  }

  runJob(): Promise<never> {
    throw new Error('A plan runs no jobs.');
  }

  loadRecords(): never {
    throw new Error('A plan has no records.');
  }
}

/** Which RDDs nothing leads to: against a walk of all lineage at each sweep, on random lineage. */
import fc from 'fast-check';
import t from 'tap';
import { MadeRdds } from '../../../lib/program/made-rdds.ts';
import { asRddId } from '../../../protocol/ids.ts';
import type { RddId } from '../../../protocol/ids.ts';
import type { RddNode } from '../../../protocol/rdd.ts';
import { asBatchTime } from '../../../protocol/time.ts';
import { ProgramRun } from '../../helpers/program-run.ts';

function node(id: number, parents: readonly number[], rest: object = {}): RddNode {
  return { kind: 'union', id: asRddId(id), parents: parents.map(asRddId), partitions: 1, partitioner: null, storage: null, operator: null, ...rest } as unknown as RddNode;
}

/** The rule itself: all lineage is walked, and what was not reached twice in a row goes, unless what stays leads to it. */
class Plain {
  readonly nodes = new Map<RddId, RddNode>();
  #unreached = new Set<RddId>();

  sweep(roots: readonly RddId[]): RddId[] {
    const live = this.#reached(roots);
    const unreached = new Set([...this.nodes.keys()].filter((id) => !live.has(id)));
    const twice = new Set([...unreached].filter((id) => this.#unreached.has(id)));
    const needed = this.#reached([...this.nodes.keys()].filter((id) => !twice.has(id)));
    const dropped = [...twice].filter((id) => !needed.has(id));
    for (const id of dropped) {
      this.nodes.delete(id);
      unreached.delete(id);
    }
    this.#unreached = unreached;
    return dropped;
  }

  /** It leads to nothing from now on. What it led to counts as reached until now. */
  cut(id: RddId): void {
    const node = this.nodes.get(id);
    if (node === undefined) return;
    for (const reached of this.#reached(node.parents)) this.#unreached.delete(reached);
    this.nodes.set(id, { ...node, parents: [] });
  }

  #reached(from: readonly RddId[]): Set<RddId> {
    const reached = new Set<RddId>();
    const visit = (id: RddId): void => {
      const node = this.nodes.get(id);
      if (node === undefined || reached.has(id)) return;
      reached.add(id);
      node.parents.forEach(visit);
      if (node.kind === 'state' && node.emits !== null) reached.add(node.emits);
    };
    from.forEach(visit);
    return reached;
  }
}

const pick = fc.nat(1_000);
const move = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('make' as const), parents: fc.array(pick, { maxLength: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('state' as const), parents: fc.array(pick, { maxLength: 2 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('settle' as const), of: pick }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('release' as const), of: pick }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('sweep' as const), roots: fc.array(pick, { maxLength: 4 }) }) },
);

t.test('a sweep drops what a walk of all lineage would not have reached twice in a row', (t) => {
  let dropped = 0;
  fc.assert(
    fc.property(fc.array(move, { minLength: 20, maxLength: 60, size: 'max' }), (moves) => {
      const made = new MadeRdds();
      const plain = new Plain();
      let next = 0;
      const any = (of: number): RddId[] => {
        const ids = [...plain.nodes.keys()];
        return ids.length === 0 ? [] : [ids[of % ids.length] as RddId];
      };
      const add = (given: RddNode): void => {
        made.add(given);
        plain.nodes.set(given.id, given);
      };
      for (const one of moves) {
        switch (one.kind) {
          case 'make':
            add(node(next, one.parents.flatMap(any)));
            next += 1;
            break;
          case 'state':
            add(node(next, one.parents.flatMap(any), { kind: 'state', emits: next + 1 }));
            add(node(next + 1, [next], { kind: 'emitted' }));
            next += 2;
            break;
          case 'settle':
            for (const id of any(one.of)) {
              const found = plain.nodes.get(id);
              if (found?.kind !== 'state') continue;
              plain.cut(id);
              made.settle(id);
            }
            break;
          case 'release': {
            // As a foreachRDD body: what nothing else is made of.
            for (const id of any(one.of)) {
              const found = plain.nodes.get(id);
              if (found?.kind !== 'union' || [...plain.nodes.values()].some(({ parents }) => parents.includes(id))) continue;
              plain.cut(id);
              plain.nodes.delete(id);
              if (!made.delete(id)) throw new Error(`${id} is not known.`);
            }
            break;
          }
          case 'sweep': {
            const roots = one.roots.flatMap(any);
            const expected = plain.sweep(roots);
            const found = made.sweep(roots);
            for (const id of found) made.delete(id);
            dropped += found.length;
            if (found.toSorted((a, b) => a - b).join() !== expected.toSorted((a, b) => a - b).join()) throw new Error(`Dropped ${found.join()}, expected ${expected.join()}.`);
          }
        }
        if ([...made.ids].join() !== [...plain.nodes.keys()].join()) throw new Error(`Left ${[...made.ids].join()}, expected ${[...plain.nodes.keys()].join()}.`);
      }
    }),
    { numRuns: 1_000 },
  );
  t.ok(dropped > 1_000, `${dropped} were dropped`);
  t.end();
});

/** A stream far behind remembers many batches: a sweep after each that walked them all made it fall behind further. */
t.test('a sweep looks at no RDD that something leads to, however many are remembered', async (t) => {
  const behind = 300;
  const run = new ProgramRun((ssc) => {
    ssc.batchesStream(Array.from({ length: behind }, () => [1, 2, 3])).map((x) => [x % 2, x] as [number, number]).reduceByKey((a, b) => a + b).foreachRDD(() => {});
  });
  const { rdds, graph } = run.builder;
  for (let batch = 1; batch <= behind; batch += 1) await graph.generateJobs(asBatchTime(batch * 1_000), run.env);
  let looked = 0;
  const { node: read } = rdds;
  rdds.node = (id) => {
    looked += 1;
    return read.call(rdds, id);
  };
  t.same(rdds.sweep(graph.held()), []);
  t.same(rdds.sweep(graph.held()), []);
  t.equal(looked, 0);
  t.ok(rdds.made.length > behind * 2);
  graph.clearMetadata(asBatchTime(3_000));
  t.same(rdds.sweep(graph.held()), [], 'the first time');
  const dropped = rdds.sweep(graph.held());
  t.ok(dropped.length > 2 && looked <= 2 * dropped.length, `${looked} looks for the ${dropped.length} that are dropped`);
});

/**
 * Random streaming programs: inputs with their batches, operations, outputs, as fast-check makes and shrinks them.
 *
 * Invariant: every gene gives a valid program, so that shrinking never leaves the valid ones. Genes name streams by how far they
 * lie back, so that a program keeps its sense when an operation in its middle is taken out; what no output needs is left out.
 */
import fc from 'fast-check';
import type { BatchesInput, CaseOperation } from '../conformance/case.ts';
import type { Value } from '../conformance/values.ts';
import { movesOn, movesOverTime, pick } from './random-moves.ts';
import type { Gene, MoveMaker, Shape } from './random-moves.ts';

export interface RandomProgram {
  readonly batchMs: number;
  readonly inputs: readonly BatchesInput[];
  readonly graph: readonly CaseOperation[];
  readonly outputs: readonly ProgramOutput[];
  readonly batchesToRun: number;
}

export interface ProgramOutput {
  readonly id: string;
  /** How its records are compared. */
  readonly order: Shape['order'];
}

const batchMs = 1_000;

interface InputGene {
  readonly batches: readonly (readonly Value[] | null)[];
  readonly records: Shape['records'];
  readonly numPartitions: number;
}

interface StepGene extends Gene {
  /** How far back the stream lies that it is of, and the second one. */
  readonly from: number;
  readonly other: number;
}

const ints = fc.integer({ min: -3, max: 9 });
const words = fc.constantFrom('a', 'b', 'ab', 'a b', 'b a b', '', 'c  a');
const keys: fc.Arbitrary<Value> = fc.constantFrom('a', 'b', 'c');
const intKeys: fc.Arbitrary<Value> = fc.integer({ min: 0, max: 4 });

function inputOf(records: InputGene['records'], record: fc.Arbitrary<Value>): fc.Arbitrary<InputGene> {
  const batch = fc.array(record, { maxLength: 7 });
  // Most inputs have an RDD at every time.
  const batches = fc.oneof({ weight: 6, arbitrary: fc.array(batch, { maxLength: 9 }) }, { weight: 1, arbitrary: fc.array(fc.option(batch, { freq: 3 }), { maxLength: 9 }) });
  return fc.record({ batches, records: fc.constant(records), numPartitions: fc.integer({ min: 1, max: 4 }) });
}

const unkeyedInputs = fc.oneof(inputOf('int', ints), inputOf('text', words));
const keyedInputs = fc.oneof(inputOf({ key: 'text', value: 'int' }, fc.tuple(keys, ints)), inputOf({ key: 'int', value: 'int' }, fc.tuple(intKeys, ints)));

const number = fc.nat({ max: 59 });
const steps: fc.Arbitrary<StepGene> = fc.record({
  op: fc.nat({ max: 5_039 }), a: number, b: number, c: number, partitions: fc.nat({ max: 4 }), from: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat({ max: 5 }) }), other: fc.nat({ max: 5 }),
});

/** Programs of all operations. */
export const randomPrograms = programsOf(fc.oneof(unkeyedInputs, keyedInputs), movesOn);
/** Programs of keyed streams, of which every second operation or so is a window or keeps state. */
export const statefulPrograms = programsOf(keyedInputs, (shape) => [...movesOn(shape), ...movesOverTime(shape), ...movesOverTime(shape)]);

function programsOf(input: fc.Arbitrary<InputGene>, moves: Moves): fc.Arbitrary<RandomProgram> {
  const genes = fc.record({
    inputs: fc.array(input, { minLength: 1, maxLength: 3 }),
    steps: fc.array(steps, { minLength: 1, maxLength: 8 }),
    outputs: fc.array(fc.nat({ max: 5 }), { maxLength: 2 }),
    batchesToRun: fc.integer({ min: 1, max: 12 }),
  });
  return genes.map((gene) => assemble(gene, moves));
}

interface Named {
  readonly id: string;
  readonly shape: Shape;
}

interface ProgramGene {
  readonly inputs: readonly InputGene[];
  readonly steps: readonly StepGene[];
  /** How far back the streams of outputs lie, beside the last. */
  readonly outputs: readonly number[];
  readonly batchesToRun: number;
}

type Moves = (shape: Shape) => readonly MoveMaker[];

function assemble({ inputs: inputGenes, steps: stepGenes, outputs, batchesToRun }: ProgramGene, movesOf: Moves): RandomProgram {
  const streams: Named[] = inputGenes.map(({ records }, index) => ({ id: `in${index + 1}`, shape: { records, order: 'partitions', uniqueKeys: false, slideMs: batchMs } }));
  const graph: CaseOperation[] = [];
  for (const gene of stepGenes) addStep(streams, graph, gene, movesOf);
  const wanted = new Set([0, ...outputs].map((back) => back % streams.length));
  const chosen = [...wanted].map((back): ProgramOutput => {
    const { id, shape } = streams[streams.length - 1 - back] as Named;
    return { id, order: shape.order };
  });
  return pruned({ batchMs, inputs: inputGenes.map(({ batches, numPartitions }, index) => ({ id: `in${index + 1}`, batches, numPartitions })), graph, outputs: chosen, batchesToRun });
}

function addStep(streams: Named[], graph: CaseOperation[], gene: StepGene, movesOf: Moves): void {
  const parent = streams[streams.length - 1 - (gene.from % streams.length)] as Named;
  const others = streams.filter(({ shape }) => shape.slideMs === parent.shape.slideMs);
  const other = others[others.length - 1 - (gene.other % others.length)] as Named;
  const moves = movesOf(parent.shape);
  // Where one makes no sense with the gene's other stream, the next one is taken; the last always does.
  for (let index = gene.op % moves.length; ; index += 1) {
    const move = pick(moves, index)(gene, other.shape);
    if (move === null) continue;
    const id = `s${graph.length + 1}`;
    graph.push({ id, ...move.step, of: move.withOther === true ? [parent.id, other.id] : [parent.id] });
    streams.push({ id, shape: move.shape });
    if (move.snapshots !== undefined && gene.b % 2 === 1) {
      graph.push({ id: `${id}snapshots`, op: 'stateSnapshots', of: [id] });
      streams.push({ id: `${id}snapshots`, shape: move.snapshots });
    }
    return;
  }
}

/** Without what no output needs. */
function pruned(program: RandomProgram): RandomProgram {
  const needed = new Set(program.outputs.map(({ id }) => id));
  for (const { id, of } of [...program.graph].reverse()) if (needed.has(id)) for (const parent of of) needed.add(parent);
  return { ...program, inputs: program.inputs.filter(({ id }) => needed.has(id)), graph: program.graph.filter(({ id }) => needed.has(id)) };
}

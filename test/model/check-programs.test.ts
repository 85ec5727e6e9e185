/** The check of random programs finds what is wrong, and tells it as a short program; what the programs' text holds. */
import t from 'tap';
import fc from 'fast-check';
import { checkPrograms } from './check-programs.ts';
import { textOfProgram } from './program-text.ts';
import { randomPrograms, statefulPrograms } from './random-program.ts';
import type { RandomProgram } from './random-program.ts';
import type { ProgramResult } from './run-program.ts';

/** A runtime that is right, but loses the last record of each batch that an incremental window puts out. */
async function wrongWindows(program: RandomProgram, expected: ProgramResult): Promise<ProgramResult> {
  const spoilt = new Set(program.graph.filter(({ op, invFn }) => op === 'reduceByKeyAndWindow' && invFn !== undefined).map(({ id }) => id));
  const calls = [...expected.calls].map(([id, times]) => [id, new Map([...times].map(([time, partitions]) => [time, spoilt.has(id) ? [partitions.flat(1).slice(1)] : partitions]))] as const);
  return { ...expected, calls: new Map(calls) };
}

t.test('a wrong result is told as a short program with its batches, and how to run it again', async (t) => {
  const told: string[] = [];
  await checkPrograms({ fail: (message) => told.push(message), comment: () => {} }, { programs: statefulPrograms, runs: 300, seed: 7, run: wrongWindows });
  t.equal(told.length, 1);
  const [message = ''] = told;
  t.match(message, /s\d+ at \d+ ms: expected .*, got /);
  t.match(message, /PROGRAM_SEED=7 PROGRAM_PATH=[\d:]+ replays this/);
  t.match(message, /reduceByKeyAndWindow\(add, sub, \d+, \d+/);
  t.match(message, /^const in\d = ssc\.batchesStream\(\[.*\], \d\);$/m);
  t.ok(message.split('\n').filter((line) => line.startsWith('const s')).length <= 2, 'little is left beside the wrong operation');
});

t.test('no difference is found where there is none', async (t) => {
  const seen = await checkPrograms({ fail: (message) => t.fail(message), comment: () => {} }, { programs: randomPrograms, runs: 100, seed: 8, run: async (_program, expected) => expected });
  t.equal(seen.programs, 100);
  t.ok(seen.operations.size > 20, `${seen.operations.size} operations were seen`);
});

t.test('the text of a program reads like code and holds all of its parameters', (t) => {
  const text = textOfProgram({
    batchMs: 1_000,
    inputs: [{ id: 'in1', batches: [[['a', 1]], null], numPartitions: 2 }],
    graph: [
      { id: 's1', op: 'window', of: ['in1'], windowMs: 3_000, slideMs: 1_000 },
      { id: 's2', op: 'join', of: ['s1', 'in1'], numPartitions: 3 },
      { id: 's3', op: 'mapWithState', of: ['in1'], fn: 'mwsSum', timeoutMs: 2_000 },
    ],
    outputs: [{ id: 's2', order: 'bag' }],
    batchesToRun: 4,
  });
  t.equal(text, [
    'const in1 = ssc.batchesStream([[["a",1]],null], 2);',
    'const s1 = in1.window(3000, 1000);',
    'const s2 = s1.join(in1, in 3 partitions);',
    'const s3 = in1.mapWithState(mwsSum, { timeoutMs: 2000 });',
    'output(s2); // compared by bag',
    '// 4 batches of 1000 ms',
  ].join('\n'));
  t.end();
});

t.test('every program is made of streams that are there, and has no operation that no output needs', async () => {
  fc.assert(fc.property(fc.oneof(randomPrograms, statefulPrograms), ({ inputs, graph, outputs }) => {
    const known = new Set(inputs.map(({ id }) => id));
    const needed = new Set([...outputs.map(({ id }) => id), ...graph.flatMap(({ of }) => of)]);
    for (const { id, of } of graph) {
      if (!of.every((parent) => known.has(parent))) throw new Error(`${id} is of a stream that isn't there`);
      known.add(id);
    }
    if (outputs.length === 0 || ![...known].every((id) => needed.has(id))) throw new Error('something is there for nothing');
  }), { seed: 9, numRuns: 300 });
});

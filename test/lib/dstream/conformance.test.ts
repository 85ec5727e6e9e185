/**
 * The graph alone against conformance cases: our own file always, Spark's where a folder of them is named in
 * CONFORMANCE_DIR. Inline, and with functions found on a second copy of the program, as workers do.
 */
import t from 'tap';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { differenceOf } from '../../conformance/compare.ts';
import type { ObservedCall } from '../../conformance/compare.ts';
import { parseConformanceFile } from '../../conformance/case.ts';
import type { ConformanceCase } from '../../conformance/case.ts';
import { ownCases } from '../../conformance/own-cases.ts';
import conformanceProgram from '../../conformance/program.ts';
import { differenceOfError } from '../../conformance/spark-errors.ts';
import type { Value } from '../../conformance/values.ts';
import { ProgramRun } from '../../helpers/program-run.ts';

/** What is wrong. Null: as expected. */
async function runCase(testCase: ConformanceCase, threads: boolean): Promise<string | null> {
  const calls: ObservedCall[] = [];
  let run: ProgramRun;
  try {
    run = new ProgramRun((ssc) => void conformanceProgram(ssc as never, { case: testCase, outputDirectory: 'out', checkpointDirectory: testCase.checkpoint === true ? 'checkpoints' : null }), { threads, batchIntervalMs: testCase.batchMs });
  } catch (thrown) {
    return testCase.expectedError?.when === 'build' ? differenceOfError(testCase.expectedError, thrown) : String(thrown);
  }
  const queues = testCase.inputs.filter((input) => input.kind === 'queue');
  for (let batch = 0; batch < testCase.batchesToRun; batch += 1) {
    queues.forEach((input, index) => {
      for (const { beforeBatch, rdds } of input.pushes) if (beforeBatch === batch) for (const records of rdds) run.push(index, records, input.numPartitions);
    });
    const time = (batch + 1) * testCase.batchMs;
    try {
      for (const { partitions } of await run.batch(time)) calls.push({ timeMs: time, partitions: partitions as Value[][] });
    } catch (thrown) {
      const expected = testCase.expectedError;
      if (expected === undefined || expected.when !== 'batch' || expected.atMs !== time) return String(thrown);
      return differenceOfError(expected, thrown) ?? differenceOf(testCase, { calls });
    }
  }
  if (testCase.expectError === true) return `expected ${JSON.stringify(testCase.expectedError)}, got no error`;
  if (testCase.collect === 'print' || testCase.collect === 'textFiles') return null;
  if (testCase.slice === undefined) return differenceOf(testCase, { calls });
  const { of, fromMs, toMs } = testCase.slice;
  return differenceOf(testCase, { calls, slice: (await run.slice(of, fromMs, toMs)) as Value[][] });
}

function casesOf(folder: string | undefined): ConformanceCase[] {
  const cases = [...ownCases()];
  if (folder === undefined || !existsSync(folder)) return cases;
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.json'))) {
    const file = parseConformanceFile(readFileSync(`${folder}/${name}`, 'utf8'));
    if (file.kind === 'cases') cases.push(...file.cases);
  }
  return cases;
}

/** Keyed state lives on the runtime's workers (test/conformance/run.test.ts), and has no place in a local run. */
function keepsState({ graph }: ConformanceCase): boolean {
  return graph.some(({ op, invFn }) => invFn !== undefined || ['updateStateByKey', 'mapWithState', 'countByWindow', 'countByValueAndWindow'].includes(op));
}

for (const threads of [false, true]) {
  t.test(`the graph gives Spark's results ${threads ? 'with functions found on a second copy of the program' : 'inline'}`, async (t) => {
    const failures: string[] = [];
    const cases = casesOf(process.env['CONFORMANCE_DIR']).filter((testCase) => testCase.recovery === undefined && !keepsState(testCase));
    for (const testCase of cases) {
      const difference = await runCase(testCase, threads);
      if (difference !== null) failures.push(`${testCase.name}: ${difference}`);
    }
    t.same(failures, []);
    t.ok(cases.length > 10, `${cases.length} cases were run`);
  });
}

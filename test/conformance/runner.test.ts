import t from 'tap';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConformanceCase } from './case.ts';
import type { CaseKit } from './run-case.ts';
import { runFiles } from './runner.ts';
import type { Cluster, RunnerPorts } from './runner.ts';
import { ownCases } from './own-cases.ts';
import { runSequentially } from '../model/sequential.ts';

type Behaviour = (testCase: ConformanceCase) => 'right' | 'hangs' | 'lies';

const noContext = (): Promise<never> => Promise.reject(new Error('none'));

/** A cluster that gets its results from the sequential model, or misbehaves. */
function modelCluster(behaviour: Behaviour): Cluster {
  const cases: CaseKit = {
    recover: () => Promise.reject(new Error('The model recovers nothing.')),
    restarts: null,
    canCrash: false,
    create: async (args, app) => {
      const run = await runSequentially(args.case);
      let batch = 0;
      let failure: unknown = null;
      const queue = { push: async () => {} };
      return {
        exports: {
          queues: Object.fromEntries(args.case.inputs.map(({ id }) => [id, queue])),
          streams: Object.fromEntries([args.case.slice?.of ?? ''].map((id) => [id, { slice: async () => (run.slice ?? []).map((rdd) => ({ collect: async () => rdd.records, collectPartitions: async () => [] })) }])),
        },
        start: async () => {},
        advance: async () => {
          const how = behaviour(args.case);
          if (how === 'hangs') await new Promise(() => {});
          batch += 1;
          const timeMs = batch * args.case.batchMs;
          const rdd = run.batches[batch - 1];
          if (run.error?.atMs === timeMs) failure = Object.assign(new Error('no RDD'), { code: args.case.name.includes('throws') ? 'UserFunctionFailed' : 'NoRddFromParent' });
          else if (rdd !== null && rdd !== undefined) app.record({ timeMs, partitions: how === 'lies' ? [['a lie']] : rdd.partitions.map((partition) => [...partition]) });
        },
        failure: () => (failure === null ? null : { error: failure, atMs: null }),
        printed: () => '',
        crash: async () => {},
        stop: async () => {},
      };
    },
  };
  return { cases, errors: { open: noContext, folder: noContext, getOrCreate: noContext, active: () => null, getActiveOrCreate: (make) => make() }, reset: async () => {}, close: async () => {} };
}

interface Outcome {
  readonly code: number;
  readonly lines: readonly string[];
  readonly opened: readonly string[];
}

async function run(t: { testdir(): string }, cases: unknown, behaviour: Behaviour, options: { masters?: string[]; only?: string; caseTimeoutMs?: number } = {}): Promise<Outcome> {
  const file = join(t.testdir(), 'cases of ours.json');
  writeFileSync(file, typeof cases === 'string' ? cases : JSON.stringify(cases));
  const lines: string[] = [];
  const opened: string[] = [];
  const ports: RunnerPorts = {
    openCluster: async (master) => {
      opened.push(master);
      return modelCluster(behaviour);
    },
    print: (line) => void lines.push(line),
    progress: () => {},
  };
  const code = await runFiles({ files: [file], masters: options.masters ?? ['inline'], only: options.only ?? null, caseTimeoutMs: options.caseTimeoutMs ?? 30_000 }, ports);
  return { code, lines, opened };
}

const modelled = ownCases().filter((one) => one.collect !== 'print' && one.collect !== 'textFiles' && one.expectedError?.when !== 'build');

t.test('cases that are right pass on one cluster, and the last line counts them', async (t) => {
  const { code, lines, opened } = await run(t, modelled, () => 'right');
  t.strictSame(lines, [`${modelled.length} passed, 0 failed`]);
  t.strictSame(opened, ['inline'], 'one cluster serves all cases');
  t.equal(code, 0);
});

t.test('a wrong result is a FAIL line with file, name and reason, and exit 1', async (t) => {
  const name = 'own-000-word-count';
  const { code, lines } = await run(t, modelled, (one) => (one.name === name ? 'lies' : 'right'), { masters: ['local[2]', 'inline'] });
  t.equal(lines.length, 2);
  t.match(lines[0], /^FAIL cases of ours\.json own-000-word-count: \[local\[2\]\] batch 500 ms: expected \[\["be",2\],.*\], got \["a lie"\]$/);
  t.equal(lines[1], `${modelled.length - 1} passed, 1 failed`);
  t.equal(code, 1);
});

t.test('a case that hangs is a FAIL, and the next one gets a new cluster', async (t) => {
  const { lines, opened } = await run(t, modelled.slice(0, 3), (one) => (one.name === modelled[1]?.name ? 'hangs' : 'right'), { caseTimeoutMs: 1_000 });
  t.strictSame(lines, [`FAIL cases of ours.json ${modelled[1]?.name}: did not end within 1 s`, '2 passed, 1 failed']);
  t.strictSame(opened, ['inline', 'inline']);
});

t.test('a failure that is expected and does not come, or comes unexpected, fails the case', async (t) => {
  const [failing] = modelled.filter((one) => one.name === 'own-003-count-needs-an-rdd');
  const { expectError: _expect, expectedError: _error, ...calm } = failing as ConformanceCase;
  const unexpected = await run(t, [calm], () => 'right');
  t.match(unexpected.lines[0], /batch at 3000 ms: NoRddFromParent/);
  const other = { ...(failing as ConformanceCase), expectedError: { when: 'batch', atMs: 2000, errorClass: 'SparkException', message: "Couldn't generate RDD from parent at time 2000 ms" } };
  const early = await run(t, [other], () => 'right');
  t.match(early.lines[0], /expected a failure in batch at 2000 ms, got one in batch at 3000 ms/);
  const wrongCode = { ...(failing as ConformanceCase), expectedError: { when: 'batch', atMs: 3000, errorClass: 'IllegalArgumentException', message: 'requirement failed: Some of the DStreams have different slide durations' } };
  t.match((await run(t, [wrongCode], () => 'right')).lines[0], /expected SlideMismatch, got NoRddFromParent/);
});

t.test('only the named cases are run; none at all is no success', async (t) => {
  const named = modelled.filter(({ name }) => name.includes('slice')).length;
  t.strictSame((await run(t, modelled, () => 'right', { only: 'slice' })).lines, [`${named} passed, 0 failed`]);
  t.ok(named > 0 && named < modelled.length);
  const nothing = await run(t, modelled, () => 'right', { only: 'no such name' });
  t.strictSame(nothing.lines, ['0 passed, 0 failed']);
  t.equal(nothing.code, 1);
});

t.test('a file that is no file of cases is a FAIL of its own', async (t) => {
  const { code, lines } = await run(t, '{"not": "an array"}', () => 'right');
  t.strictSame(lines, ['FAIL cases of ours.json (file): Error: Expected an array of cases.', '0 passed, 1 failed']);
  t.equal(code, 1);
});

t.test('an entry of named actions without an action is a FAIL; so is one whose action gives something else', async (t) => {
  const entries = [{ name: 'never-heard-of', action: 'x', errorClass: null, message: null }, { name: 'checkpoint-file-names', action: 'x', errorClass: null, message: null }];
  t.strictSame((await run(t, entries, () => 'right')).lines, [
    "FAIL cases of ours.json never-heard-of: no action is named 'never-heard-of'", 'FAIL cases of ours.json checkpoint-file-names: expected undefined, got Error: none', '0 passed, 2 failed',
  ]);
});

t.test('a case with a quirk is counted apart', async (t) => {
  const quirky = { ...(modelled[0] as ConformanceCase), quirk: 'odd' };
  t.strictSame((await run(t, [quirky], () => 'right')).lines, ['quirk: 1 as Spark, 0 as documented', '0 passed, 0 failed']);
  t.match((await run(t, [{ ...quirky, expected: [[1]] }], () => 'right')).lines, ['quirk: 0 as Spark, 1 as documented', '0 passed, 0 failed']);
});

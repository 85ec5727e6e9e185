/**
 * One case on the real runtime, from its graph to its verdict.
 *
 * Invariant: batches run one after another, each to its end, under a manual clock whose zero is 0; a failure ends the run,
 * and it is as expected only in the step and at the time that the case names. Nothing of a case is left when it has ended.
 *
 *   create (build) --> start --> { push, advance 1 } x batches --> slice --> stop --> compare
 */
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Prng } from '../../lib/base/prng.ts';
import type { ConformanceCase, ErrorMoment } from './case.ts';
import { differenceOf, differenceOfCalls } from './compare.ts';
import type { ObservedCall } from './compare.ts';
import { documentedCase } from './documented-case.ts';
import type { CaseApp, CaseArgs, CaseExports } from './program.ts';
import { describeError, differenceOfError } from './spark-errors.ts';
import type { Value } from './values.ts';

/** A context of one case, as the runner uses it. */
export interface CaseContext {
  readonly exports: CaseExports;
  start(): Promise<void>;
  /** Runs one batch to its end. */
  advance(): Promise<void>;
  /** The first failure of a batch so far; null while nothing has failed. */
  failure(): CaseFailure | null;
  /** All that `print` wrote. */
  printed(): string;
  /** Not gracefully; the threads stay for the next case. */
  stop(): Promise<void>;
  /** The driver's thread dies. What was complete a moment ago may run again after that. */
  crash(): Promise<void>;
}

/** What awaitTermination throws, and the batch that it came from, where that is known. */
export interface CaseFailure {
  readonly error: unknown;
  readonly atMs: number | null;
}

/** Makes contexts: on threads or inline. */
export interface CaseKit {
  create(args: CaseArgs, app: CaseApp): Promise<CaseContext>;
  /** The same from a checkpoint, the clock at `nowMs`. */
  recover(args: CaseArgs, app: CaseApp, nowMs: number): Promise<CaseContext>;
  /** Not null: every case is stopped after a batch that it chooses, and goes on from its checkpoint. */
  readonly restarts: Prng | null;
  /** There is a thread to kill in place of a stop. */
  readonly canCrash: boolean;
}

export type Verdict = { readonly kind: 'passed' | 'asSpark' | 'asDocumented' } | { readonly kind: 'failed'; readonly reason: string };

export async function runCase(kit: CaseKit, testCase: ConformanceCase): Promise<Verdict> {
  const run = await observe(kit, testCase);
  const reason = testCase.recovery === undefined ? differenceOfRun(testCase, run) : differenceOfRecovery(testCase, run);
  if (reason === null) return { kind: testCase.quirk === undefined ? 'passed' : 'asSpark' };
  if (testCase.quirk !== undefined && run.failure === null) {
    // What the documentation promises is what the plain form of the operation gives.
    const documented = await observe(kit, documentedCase(testCase));
    const byDocumentation = documented.calls.map((call): [number, readonly Value[]] => [call.timeMs, call.partitions.flat(1) as Value[]]);
    if (documented.failure === null && differenceOfCalls(testCase.collect, byDocumentation, run.calls) === null) return { kind: 'asDocumented' };
  }
  return { kind: 'failed', reason };
}

interface Run {
  readonly calls: readonly ObservedCall[];
  /** Calls before the context was stopped and recovered. */
  readonly callsBefore: readonly ObservedCall[];
  readonly failure: { readonly when: ErrorMoment; readonly atMs: number | null; readonly error: unknown } | null;
  readonly text?: string;
  readonly files?: Readonly<Record<string, readonly string[]>>;
  readonly slice?: readonly (readonly Value[])[];
}

async function observe(kit: CaseKit, testCase: ConformanceCase): Promise<Run> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-conformance-'));
  try {
    return await observeIn(kit, testCase, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function observeIn(kit: CaseKit, testCase: ConformanceCase, folder: string): Promise<Run> {
  const outputDirectory = join(folder, 'output');
  const restartAfter = testCase.recovery === undefined && testCase.batchesToRun > 0 && kit.restarts !== null ? kit.restarts.int(testCase.batchesToRun) : null;
  const isDurable = testCase.checkpoint === true || restartAfter !== null;
  const args: CaseArgs = { case: testCase, outputDirectory, checkpointDirectory: isDurable ? join(folder, 'checkpoint') : null };
  let calls: ObservedCall[] = [];
  let callsBefore: ObservedCall[] = [];
  // At least once: what a batch gives when it runs again takes the place of what it gave before.
  const app: CaseApp = { record: (call) => void (calls = [...calls.filter(({ timeMs }) => timeMs !== call.timeMs), call]) };
  let when: ErrorMoment = 'build';
  let atMs: number | null = null;
  let context: CaseContext | null = null;
  try {
    context = await kit.create(args, app);
    when = 'start';
    await context.start();
    when = 'batch';
    const stopAfter = testCase.recovery?.stopAfter ?? testCase.batchesToRun;
    let text = '';
    for (let batch = 0; batch < stopAfter; batch += 1) {
      atMs = (batch + 1) * testCase.batchMs;
      await runBatch(context, testCase, batch);
      if (batch !== restartAfter) continue;
      text += context.printed();
      await (kit.canCrash && kit.restarts?.int(4) === 0 ? context.crash() : context.stop());
      context = await kit.recover(args, app, atMs);
      await context.start();
    }
    if (testCase.recovery !== undefined) {
      await context.stop();
      [callsBefore, calls] = [calls, []];
      const down = testCase.recovery.downBatches;
      context = await kit.recover(args, app, (stopAfter + down) * testCase.batchMs);
      await context.start();
      for (let batch = stopAfter + down; batch < testCase.batchesToRun; batch += 1) {
        atMs = (batch + 1) * testCase.batchMs;
        await runBatch(context, testCase, batch);
      }
    }
    when = 'slice';
    atMs = null;
    const slice = testCase.slice === undefined ? null : await sliceOf(context, testCase.slice);
    text += context.printed();
    await context.stop();
    context = null;
    const files = testCase.collect === 'textFiles' ? await readTextFiles(outputDirectory) : null;
    return { calls, callsBefore, failure: null, text, ...(slice === null ? {} : { slice }), ...(files === null ? {} : { files }) };
  } catch (error) {
    // What was said by awaitTermination tells more than what the call that waited for the batch said.
    const reported = when === 'batch' ? (context?.failure() ?? null) : null;
    return { calls, callsBefore, failure: { when, atMs: when === 'batch' ? (reported?.atMs ?? atMs) : null, error: reported?.error ?? error } };
  } finally {
    await context?.stop();
  }
}

async function runBatch(context: CaseContext, testCase: ConformanceCase, batch: number): Promise<void> {
  for (const input of testCase.inputs) {
    if (input.kind !== 'queue') continue;
    for (const { beforeBatch, rdds } of input.pushes) {
      if (beforeBatch !== batch) continue;
      for (const records of rdds) await context.exports.queues[input.id]?.push(records, input.numPartitions);
    }
  }
  await context.advance();
  const failure = context.failure();
  if (failure !== null) throw failure.error;
}

async function sliceOf(context: CaseContext, { of, fromMs, toMs }: NonNullable<ConformanceCase['slice']>): Promise<Value[][]> {
  const stream = context.exports.streams[of];
  if (stream === undefined) throw new Error(`Expected a stream named '${of}' to slice, got none.`);
  const slices: Value[][] = [];
  for (const rdd of await stream.slice(fromMs, toMs)) slices.push(await rdd.collect());
  return slices;
}

/** Directory -> the text of its parts, in their order. Other files in it show as parts too many. */
async function readTextFiles(directory: string): Promise<Record<string, string[]>> {
  const files: Record<string, string[]> = {};
  for (const name of (await readdir(directory)).sort()) {
    const parts = (await readdir(join(directory, name))).filter((part) => part.startsWith('part-')).sort();
    files[name] = await Promise.all(parts.map((part) => readFile(join(directory, name, part), 'utf8')));
  }
  return files;
}

function differenceOfRun(testCase: ConformanceCase, run: Run): string | null {
  const expected = testCase.expectError === true ? testCase.expectedError : undefined;
  const { failure } = run;
  if (failure !== null) {
    const where = `${failure.when}${failure.atMs === null ? '' : ` at ${failure.atMs} ms`}`;
    if (expected === undefined) return `${where}: ${describeError(failure.error)}`;
    if (expected.when !== failure.when || expected.atMs !== failure.atMs) {
      return `expected a failure in ${expected.when}${expected.atMs === null ? '' : ` at ${expected.atMs} ms`}, got one in ${where}: ${describeError(failure.error)}`;
    }
    const difference = differenceOfError(expected, failure.error);
    if (difference !== null) return difference;
  } else if (expected !== undefined) return `expected a failure in ${expected.when}${expected.atMs === null ? '' : ` at ${expected.atMs} ms`}, got none`;
  return differenceOf(testCase, run);
}

function differenceOfRecovery(testCase: ConformanceCase, run: Run): string | null {
  if (run.failure !== null) return `${run.failure.when}: ${describeError(run.failure.error)}`;
  const before = differenceOfCalls(testCase.collect, testCase.expectedBefore ?? [], run.callsBefore);
  if (before !== null) return `before the stop, ${before}`;
  // Spark runs the last complete batch a second time; a batch that is known to be complete need not run again.
  const stoppedAtMs = (testCase.recovery?.stopAfter ?? 0) * testCase.batchMs;
  const ranAgain = run.calls.some(({ timeMs }) => timeMs <= stoppedAtMs);
  const expected = (testCase.expectedAfter ?? []).filter(([timeMs]) => ranAgain || timeMs > stoppedAtMs);
  const after = differenceOfCalls(testCase.collect, expected, run.calls);
  return after === null ? null : `after the recovery, ${after}`;
}

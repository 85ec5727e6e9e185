/**
 * What a case expects against what came: pure, so that the runner and the model are judged by the same rules.
 *
 * Invariant: `null` means equal; a reason is one short line that names the first difference.
 */
import type { CollectMode, ConformanceCase } from './case.ts';
import { equalValues, previewValue, sortedValues } from './values.ts';
import type { Value } from './values.ts';

/** Everything that a run of a case gave. Only what the case's collect mode asks for is looked at. */
export interface Observed {
  /** Calls of the output function, in order. */
  readonly calls: readonly ObservedCall[];
  readonly text?: string;
  readonly files?: Readonly<Record<string, readonly string[]>>;
  readonly slice?: readonly (readonly Value[])[];
}

/** One call of the output function: the RDD's partitions at `timeMs` after the zero time. */
export interface ObservedCall {
  readonly timeMs: number;
  readonly partitions: readonly (readonly Value[])[];
}

/** Compares a run that ended as it should have (with or without an expected failure) with what the case expects. */
export function differenceOf(testCase: ConformanceCase, observed: Observed): string | null {
  return (
    differenceOfBatches(testCase, observed.calls) ??
    differenceOfText(testCase.expectedText, observed.text) ??
    differenceOfFiles(testCase.expectedFiles, observed.files) ??
    differenceOfSlice(testCase.expectedSlice, observed.slice)
  );
}

/** What a collect mode makes of an RDD. `multiset` comes sorted. */
export function collected(mode: CollectMode, partitions: readonly (readonly Value[])[]): readonly Value[] {
  if (mode === 'partitionCount') return [partitions.length];
  if (mode === 'perPartition') return partitions;
  const records = partitions.flat(1) as Value[];
  return mode === 'ordered' ? records : sortedValues(records);
}

/** Compares calls of the output function with `[time, records]` entries: for the two halves of a recovery case. */
export function differenceOfCalls(mode: CollectMode, expected: readonly (readonly [number, readonly Value[]])[], calls: readonly ObservedCall[]): string | null {
  const got = calls.map((call): Value => [call.timeMs, collected(mode, call.partitions)]);
  const index = expected.findIndex((entry, position) => !equalValues(sortEntry(mode, entry), got[position]));
  if (index >= 0) return `call ${index + 1}: expected ${previewValue(expected[index])}, got ${previewValue(got[index])}`;
  return got.length > expected.length ? `call ${expected.length + 1}: expected none, got ${previewValue(got[expected.length])}` : null;
}

function differenceOfBatches(testCase: ConformanceCase, calls: readonly ObservedCall[]): string | null {
  if (testCase.expected === undefined) return null;
  const { batchMs, collect } = testCase;
  const byTime = new Map(calls.map((call) => [call.timeMs, collected(collect, call.partitions)]));
  for (const [batch, expected] of testCase.expected.entries()) {
    const time = (batch + 1) * batchMs;
    const wanted = expected !== null && collect === 'multiset' ? sortedValues(expected) : expected;
    const got = byTime.get(time) ?? null;
    if (!equalValues(wanted, got)) return `batch ${time} ms: expected ${textOf(wanted)}, got ${textOf(got)}`;
  }
  const times = calls.map((call) => call.timeMs);
  if (testCase.expectedTimes !== undefined && !equalValues(testCase.expectedTimes, times)) {
    return `output times: expected ${previewValue(testCase.expectedTimes)}, got ${previewValue(times)}`;
  }
  return null;
}

function differenceOfText(expected: string | undefined, got: string | undefined): string | null {
  if (expected === undefined || expected === got) return null;
  if (got === undefined) return 'expected printed text, got none';
  let index = 0;
  while (index < expected.length && expected[index] === got[index]) index += 1;
  const from = Math.max(0, index - 20);
  return `printed text differs at character ${index}: expected ${previewValue(expected.slice(from, index + 40))}, got ${previewValue(got.slice(from, index + 40))}`;
}

function differenceOfFiles(expected: ConformanceCase['expectedFiles'], got: Observed['files']): string | null {
  if (expected === undefined) return null;
  const directories = [...new Set([...Object.keys(expected), ...Object.keys(got ?? {})])].sort();
  const different = directories.find((directory) => !equalValues(expected[directory], got?.[directory]));
  if (different === undefined) return null;
  return `directory ${different}: expected ${textOf(expected[different] ?? null)}, got ${textOf(got?.[different] ?? null)}`;
}

function differenceOfSlice(expected: ConformanceCase['expectedSlice'], got: Observed['slice']): string | null {
  if (expected === undefined) return null;
  if (got === undefined) return 'expected a slice, got none';
  const wanted = expected.map((records) => sortedValues(records));
  const bags = got.map((records) => sortedValues(records));
  return equalValues(wanted, bags) ? null : `slice: expected ${previewValue(wanted)}, got ${previewValue(bags)}`;
}

function sortEntry(mode: CollectMode, [time, records]: readonly [number, readonly Value[]]): Value {
  return [time, mode === 'multiset' ? sortedValues(records) : records];
}

function textOf(value: Value | null): string {
  return value === null ? 'nothing' : previewValue(value);
}

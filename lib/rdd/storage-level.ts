/**
 * Spark's storage levels by their names.
 *
 * Invariant: two levels are the same where their flags are; the names are only shorthands.
 */
import type { StorageLevel as Level } from '../../protocol/rdd.ts';
import { previewOf } from '../../protocol/errors.ts';
import { callError } from '../base/caller-place.ts';

/** Where the records of a persisted RDD are kept, and in which form. */
export type StorageLevel = Level;

const level = (useDisk: boolean, useMemory: boolean, useOffHeap: boolean, deserialized: boolean, replication = 1): Level =>
  Object.freeze({ useMemory, useDisk, useOffHeap, deserialized, replication });

/** Spark's storage levels, by their names. */
export const StorageLevel = Object.freeze({
  NONE: level(false, false, false, false),
  DISK_ONLY: level(true, false, false, false),
  DISK_ONLY_2: level(true, false, false, false, 2),
  MEMORY_ONLY: level(false, true, false, true),
  MEMORY_ONLY_2: level(false, true, false, true, 2),
  MEMORY_ONLY_SER: level(false, true, false, false),
  MEMORY_ONLY_SER_2: level(false, true, false, false, 2),
  MEMORY_AND_DISK: level(true, true, false, true),
  MEMORY_AND_DISK_2: level(true, true, false, true, 2),
  MEMORY_AND_DISK_SER: level(true, true, false, false),
  MEMORY_AND_DISK_SER_2: level(true, true, false, false, 2),
  OFF_HEAP: level(true, true, true, false),
});

/** One of the named levels, or flags of the user's own. Throws InvalidArgument. */
export function checkLevel(method: string, level: unknown): void {
  if (isLevel(level)) return;
  throw callError('InvalidArgument', method, `${method} expects a storage level, such as StorageLevel.MEMORY_AND_DISK, and got ${previewOf(level)}.`);
}

function isLevel(value: unknown): value is Level {
  if (typeof value !== 'object' || value === null) return false;
  const { useMemory, useDisk, useOffHeap, deserialized, replication } = value as Partial<Level>;
  return [useMemory, useDisk, useOffHeap, deserialized].every((flag) => typeof flag === 'boolean') && typeof replication === 'number';
}

export function sameLevel(a: Level | null, b: Level | null): boolean {
  if (a === null || b === null) return a === b;
  return a.useMemory === b.useMemory && a.useDisk === b.useDisk && a.useOffHeap === b.useOffHeap
    && a.deserialized === b.deserialized && a.replication === b.replication;
}

/** `MEMORY_ONLY`, or the flags where it is none of the named ones. */
export function levelName(wanted: Level | null): string {
  if (wanted === null) return 'NONE';
  const found = Object.entries(StorageLevel).find(([, named]) => sameLevel(named, wanted));
  return found === undefined ? JSON.stringify(wanted) : found[0];
}

/**
 * The world as one task sees it on its worker: shared memory, functions of its program, files, and the words by which the
 * scheduler watches and cancels it.
 *
 * Invariant: memory that a task has written belongs to it until its report is on its way; a task that fails gives all of
 * it back here, since nobody else has ever heard of it.
 */
import { join } from 'node:path';
import { freezeDeep } from '../lib/rdd/freeze.ts';
import type { LoopCache } from '../lib/rdd/fuse.ts';
import type { StateStore } from '../lib/rdd/state/state-store.ts';
import type { TaskEnvironment, TaskFiles } from '../lib/rdd/task-environment.ts';
import { resolveBuiltin } from '../lib/rdd/derived-functions.ts';
import { deflate, inflate } from '../lib/storage/compression.ts';
import { hasRoomToKeep } from '../lib/storage/eviction.ts';
import { forEachTextChunk } from '../lib/storage/text-lines.ts';
import type { BucketRef, FilePlace, FunctionRef, SharedHandle, StorageLevel } from '../protocol/rdd.ts';
import type { TaskId } from '../protocol/ids.ts';
import type { StageSpec, TaskSpec } from '../protocol/task.ts';
import { MillraceError } from '../protocol/errors.ts';
import { assert } from '../lib/base/assert.ts';
import type { HostServices } from './services.ts';

export interface WorkerEnvironment extends TaskEnvironment {
  /** The task has failed: its memory goes back. */
  discard(): void;
}

/** All of it, or an error: what is missing at the end of a file would else pass for fewer records. */
function readPlace(files: TaskFiles, { file, offset, bytes }: FilePlace): Uint8Array {
  const read = files.readRange(file, offset, offset + bytes);
  if (read.length === bytes) return read;
  throw new MillraceError('BlockMissing', `Expected ${bytes} bytes at byte ${offset} of ${file}, and it ends after ${read.length} of them. It was cut, or another took its place.`, { details: { file, offset, bytes } });
}

/** `cancelledBy`: the task whose id the scheduler names to cancel this one: the first of those that were given together. */
export function workerEnvironment(services: HostServices, loops: LoopCache, states: StateStore, stage: StageSpec, task: TaskSpec, cancelledBy: TaskId = task.task): WorkerEnvironment {
  const { pool, control, files, options } = services;
  const program = stage.program === null ? undefined : services.programs.get(stage.program);
  const written: SharedHandle[] = [];
  const spills: string[] = [];
  /** A persisted partition whose level is the disk, or that found no memory and may go there. */
  const spilled = (bytes: number): { readonly view: Uint8Array; done(): NonNullable<BucketRef> } => {
    const view = new Uint8Array(bytes);
    const file = join(options.scratchDirectory, `task-${task.task}-${spills.length}`);
    return {
      view,
      done() {
        spills.push(file);
        files.writeScratch(file, view);
        return { file, offset: 0, bytes };
      },
    };
  };
  const resolve = (ref: FunctionRef): ((...args: never[]) => unknown) => {
    if (ref.kind === 'builtin') return resolveBuiltin(ref, resolve) as (...args: never[]) => unknown;
    assert(program !== undefined, 'a program is built on a worker before its tasks come', stage.program);
    return program.resolve(ref);
  };
  /** Kept partitions leave the tasks' share of the pool free: a partition can be computed again, a bucket must be written somewhere. */
  const mayKeep = ({ useMemory, useOffHeap }: StorageLevel, bytes: number): boolean => (useMemory || useOffHeap) && hasRoomToKeep({ slabs: pool.slabs, free: pool.freeSlabs }, bytes, options.slabBytes);
  return {
    loops,
    states,
    recordBytesMax: options.recordBytesMax,
    recognizeClosures: options.recognizeClosures,
    ...(options.storageCompression === 'deflate' ? { compress: deflate } : {}),
    decompress: inflate,
    files,
    resolve,
    read: (place) => ('slab' in place ? pool.view(place) : readPlace(files, place)),
    write(bytes, storage) {
      const allocated = storage === undefined || storage === null ? pool.allocate(bytes) : mayKeep(storage, bytes) ? pool.allocate(bytes, 'kept') : null;
      if (allocated === null && storage?.useDisk === true) return spilled(bytes);
      if (allocated === null) {
        const { blockMemoryBytesMax } = options;
        throw new MillraceError('BlockMemoryExhausted', `Expected ${bytes} free bytes of shared memory; the pool of blockMemoryBytesMax (${blockMemoryBytesMax}) is full. Raise it, or process less at a time.`, {
          details: { bytes, blockMemoryBytesMax },
        });
      }
      written.push(allocated.handle);
      return { view: allocated.view, done: () => allocated.handle };
    },
    ...(options.freezeRecords ? { freeze: freezeDeep } : {}),
    textChunks: forEachTextChunk,
    alive(records) {
      control.progressed(records);
      if (control.isCancelled(cancelledBy)) {
        throw new MillraceError('TaskCancelled', `Task ${task.task} was cancelled: its job has ended.`);
      }
    },
    now: () => services.clock.now(),
    running: program?.running ?? null,
    ...(program === undefined ? {} : { appName: program.appName }),
    deadLettersPerTaskMax: options.deadLettersPerTaskMax,
    discard() {
      for (const handle of written.splice(0)) pool.release(handle);
      files.remove(spills.splice(0));
    },
  };
}

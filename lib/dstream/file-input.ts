/**
 * textFileStream: the lines of files that appear in a directory.
 *
 * Invariant: a file is taken into one batch, once, by its name; later changes to it are ignored. Which files belong to a batch
 * is decided when the batch is generated, and remembered as long as the stream could still meet the files as new.
 *
 * A file is new to the batch at time t if it was modified in the window
 *
 *     ....|<-------------- rememberFilesMs -------------->|<- settleMs ->| t
 *     too old                     new                        perhaps still being written: a later batch's
 *
 * and, with `newFilesOnly`, not before the start was asked for (which is later than the grid's zero). Files that begin with a dot or end in .tmp or ._COPYING_ are passed over:
 * write elsewhere, or under such a name, then rename.
 */
import type { RDD } from '../rdd/rdd.ts';
import { emptyRdd, textFileRdd } from '../rdd/make.ts';
import type { BatchTime } from '../../protocol/time.ts';
import type { BatchEnvironment, FileEntry } from './environment.ts';
import type { InputTaken } from '../../protocol/recovery.ts';
import { andThen } from './generated.ts';
import type { Eventually } from './generated.ts';
import type { DStreamGraph } from './graph.ts';
import { InputDStream } from './input.ts';
import type { TakenAt } from './stream-node.ts';
import type { Generated } from './operator-spec.ts';

export interface FileStreamOptions {
  /** Passes over files that were there before the start. Default true. */
  readonly newFilesOnly?: boolean;
  /** A file is left alone until it was not modified for so long. Default 0: taken as soon as it is seen, as in Spark. */
  readonly settleMs?: number;
  /** Files modified longer ago are passed over. Default 60 s, or a batch interval where that is longer. */
  readonly rememberFilesMs?: number;
}

const rememberFilesMsDefault = 60_000;
/** The kernel stamps files by a clock that ticks: a file written just after the start can seem that much older, and is rather taken than missed. */
const fileClockLagMs = 10;
const passedOver = /^\.|\.tmp$|\._COPYING_$/;

export class FileInputDStream extends InputDStream<string> {
  readonly directory: string;
  readonly #newFilesOnly: boolean;
  readonly #settleMs: number;
  readonly #rememberFilesMs: number;
  /** Paths by the batch that took them; and the same paths, to look up. */
  readonly #taken = new Map<BatchTime, readonly string[]>();
  readonly #seen = new Set<string>();
  #news: TakenAt[] = [];

  constructor(graph: DStreamGraph, directory: string, options: FileStreamOptions = {}) {
    const { newFilesOnly = true, settleMs = 0, rememberFilesMs = rememberFilesMsDefault } = options;
    super(graph, 'textFileStream', { directory, newFilesOnly });
    this.directory = directory;
    this.#newFilesOnly = newFilesOnly;
    this.#settleMs = settleMs;
    this.#rememberFilesMs = Math.ceil(rememberFilesMs / this.slideMs) * this.slideMs;
  }

  /** The files that a batch took. */
  filesOf(time: BatchTime): readonly string[] {
    return this.#taken.get(time) ?? [];
  }

  /** Names of files are little to keep. */
  protected override get keepsForSlices(): boolean {
    return true;
  }

  override initialize(): void {
    super.initialize();
    this.remember(this.#rememberFilesMs);
  }

  override forget(time: BatchTime): RDD<string>[] {
    for (const [batch, paths] of this.#taken) {
      if (batch > time - this.rememberMs) continue;
      this.#taken.delete(batch);
      for (const path of paths) this.#seen.delete(path);
    }
    return super.forget(time);
  }

  override takenSince(): readonly TakenAt[] {
    return this.#news.splice(0);
  }

  override restoreTaken(time: BatchTime, taken: InputTaken): void {
    if (taken.kind === 'files') this.#take(time, taken.files);
  }

  protected override compute(time: BatchTime, env: BatchEnvironment): Generated<string> {
    const recorded = env.recorded(this.operatorUid, time);
    if (recorded?.kind === 'files') return this.#rddOf(recorded.files);
    return andThen(env.listFiles(this.directory), (listed) => {
      const files = listed.filter((file) => this.#isNew(file, time)).sort(byTimeThenName).map(({ path, bytes }) => ({ path, bytes }));
      this.#take(time, files);
      this.#news.push({ time, taken: { kind: 'files', files } });
      return this.#rddOf(files);
    });
  }

  #take(time: BatchTime, files: readonly { readonly path: string }[]): void {
    this.#taken.set(time, files.map(({ path }) => path));
    for (const { path } of files) this.#seen.add(path);
  }

  #rddOf(files: readonly { readonly path: string; readonly bytes: number }[]): Eventually<RDD<string>> {
    return this.making(() => (files.length === 0 ? emptyRdd<string>(this.host.rdds) : textFileRdd(this.host.rdds, files.map(({ path, bytes }) => ({ file: path, bytes })), 1)));
  }

  #isNew(file: FileEntry, time: BatchTime): boolean {
    const { zeroTime, startTime } = this.graph;
    const before = this.#newFilesOnly ? Math.max(zeroTime ?? 0, (startTime ?? 0) - fileClockLagMs) : 0;
    // Of what came while batches were missed, nothing is too old.
    const oldest = Math.max(before, this.graph.timeBefore(time, this.slideMs) + this.slideMs - this.#rememberFilesMs);
    return !passedOver.test(file.name) && file.modifiedMs > oldest && file.modifiedMs <= time - this.#settleMs && !this.#seen.has(file.path);
  }
}

function byTimeThenName(a: FileEntry, b: FileEntry): number {
  return a.modifiedMs - b.modifiedMs || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

/**
 * Runs a piece by its word plan: from bytes or strings to words, and on into a loop or the byte table.
 *
 *   bytes of lines ----------- chunks --.
 *                                        >-- tokenizer --> portions of words --> loop | byte table
 *   strings --joined, as bytes ---------'
 *      others (no string, none that utf8 could hold) ------> the plain loop
 *
 * Invariant: records come out in their order, whichever way each takes. The plain loop is used, too, for what comes while a built-in of strings or
 * arrays is not the engine's own, and where the dictionary is full and most words are not in it.
 */
import { aliveEveryRecords } from '../loop-state.ts';
import type { LoopState } from '../loop-state.ts';
import type { Feed, Loop } from '../fuse.ts';
import type { Piece, TextBytes } from '../piece.ts';
import { textBufferOf } from '../../../protocol/text-buffer.ts';
import { stringEnd } from './cut.ts';
import { nativesAreUntouched } from './natives.ts';
import { Tokenizer } from './tokenizer.ts';
import { WordCounter } from './word-counter.ts';
import type { WordDictionary } from './word-dictionary.ts';
import type { WordPlan } from './word-plan.ts';

/** Bytes that are cut at once: what is written while they are read stays in the cache. */
export const wordChunkBytes = 64 * 1024;
/** Strings that are made bytes at once. */
const joinedRecordsMax = 512;
/** A longer string is cut as it is. */
const joinedUnitsMax = 1024 * 1024;
/** After so many changes from one way to the other a piece goes the plain way to its end: each costs a look at the whole table. */
const changesMax = 32;
const newline = 0x0a;

export interface WordLoops {
  /** Finds the loop over the piece's own form. */
  readonly plain: () => Loop;
  /** The loop over words; null: they go into the byte table. */
  readonly words: Loop | null;
}

export function runWords(piece: Piece, plan: WordPlan, loops: WordLoops, state: LoopState, dictionary: WordDictionary): void {
  const run = new WordRun(plan, loops, state, dictionary);
  dictionary.enter();
  try {
    if (piece.text !== null) run.text(piece.text);
    else piece.feed((feed) => run.strings(feed as readonly unknown[]));
    run.end();
  } finally {
    dictionary.leave();
  }
}

class WordRun {
  readonly #loops: WordLoops;
  readonly #state: LoopState;
  readonly #dictionary: WordDictionary;
  readonly #tokenizer: Tokenizer;
  readonly #counter: WordCounter | null;
  /** Most words are not in a dictionary that takes no more. */
  #isUseless = false;
  #joined: Uint8Array | null = null;
  #changes = 0;

  constructor(plan: WordPlan, loops: WordLoops, state: LoopState, dictionary: WordDictionary) {
    this.#loops = loops;
    this.#state = state;
    this.#dictionary = dictionary;
    this.#tokenizer = new Tokenizer(dictionary, plan.cut, plan.counted !== null);
    this.#counter = plan.counted === null ? null : counterOf(plan.counted, state);
  }

  end(): void {
    this.#counter?.end();
  }

  text({ each, decoded }: TextBytes): void {
    each((bytes) => {
      for (let start = 0; start < bytes.length; ) {
        const end = chunkEnd(bytes, start);
        if (this.#isPlain() ? decoded(bytes.subarray(start, end), (feed) => this.#plain(feed)) : this.#chunk(bytes, start, end)) return true;
        start = end;
      }
      return false;
    });
  }

  #chunk(bytes: Uint8Array, start: number, end: number): boolean {
    if (bytes[end - 1] === newline) return this.#cut(bytes, start, end);
    // The last line of a text may have no end: it gets one.
    const last = bytes.lastIndexOf(newline, end - 1) + 1;
    const lastStart = last < start ? start : last;
    if (lastStart > start && this.#cut(bytes, start, lastStart)) return true;
    const ended = new Uint8Array(end - lastStart + 1);
    ended.set(bytes.subarray(lastStart, end));
    ended[end - lastStart] = newline;
    return this.#cut(ended, 0, ended.length);
  }

  strings(records: readonly unknown[]): boolean {
    // Records that go the plain way are given to it more and more at a time, since each attempt at bytes costs.
    let plainRecords = 1;
    for (let at = 0; at < records.length; ) {
      const isPlain = this.#isPlain();
      const end = isPlain ? at : joinableEnd(records, at);
      const bytes = end === at ? 0 : this.#join(records, at, end);
      if (bytes > 0) {
        if (this.#cut(this.#joined!, 0, bytes)) return true;
        plainRecords = 1;
        at = end;
        continue;
      }
      const plainEnd = isPlain ? records.length : Math.min(at + plainRecords, records.length);
      if (this.#plain(records.slice(at, plainEnd))) return true;
      plainRecords = Math.min(plainRecords * 2, joinedRecordsMax);
      at = plainEnd;
    }
    return false;
  }

  /** Strings as bytes in `#joined`, each with its end; says how many bytes, 0 where these can't stand for them: utf8 has no form for half of a surrogate pair. */
  #join(records: readonly unknown[], start: number, end: number): number {
    const joined = `${records.slice(start, end).join(stringEnd)}${stringEnd}`;
    if (!(joined as unknown as { isWellFormed(): boolean }).isWellFormed()) return 0;
    // A unit has three bytes at most.
    if (this.#joined === null || this.#joined.length < joined.length * 3) this.#joined = new Uint8Array(joined.length * 3);
    return textBufferOf(this.#joined).utf8Write(joined, 0);
  }

  #cut(bytes: Uint8Array, start: number, end: number): boolean {
    const tokenizer = this.#tokenizer;
    const state = this.#state;
    tokenizer.begin(bytes, start, end);
    while (tokenizer.next()) {
      if (this.#dictionary.full) this.#isUseless = tokenizer.others.length > tokenizer.found / 2;
      if (this.#counter !== null) this.#counter.add(tokenizer);
      else if (this.#loops.words!(tokenizer, state)) return true;
      state.left -= tokenizer.lines;
      while (state.left <= 0) {
        state.left += aliveEveryRecords;
        state.alive(aliveEveryRecords);
      }
    }
    return false;
  }

  #isPlain(): boolean {
    return this.#isUseless || !nativesAreUntouched();
  }

  #plain(feed: Feed): boolean {
    // The table must have what was counted so far, and what the loop makes of it is looked at anew.
    this.#counter?.end();
    this.#changes += 1;
    if (this.#changes > changesMax) this.#isUseless = true;
    return this.#loops.plain()(feed, this.#state);
  }
}

function counterOf({ between, value }: NonNullable<WordPlan['counted']>, state: LoopState): WordCounter {
  const step = state.ops.length;
  const [, merge] = state.sinkFns;
  return new WordCounter(state.table!, between, value, (key, known) => {
    try {
      return merge!(known, value);
    } catch (thrown) {
      throw state.failure(thrown, step, [key, value]);
    }
  });
}

/** Up to where records can be made bytes at once: strings without `stringEnd` in them. */
function joinableEnd(records: readonly unknown[], start: number): number {
  const last = Math.min(start + joinedRecordsMax, records.length);
  let units = 0;
  let end = start;
  for (; end < last && units < wordChunkBytes; end += 1) {
    const record = records[end];
    if (typeof record !== 'string' || record.length > joinedUnitsMax || record.includes(stringEnd)) break;
    units += record.length;
  }
  return end;
}

function chunkEnd(bytes: Uint8Array, start: number): number {
  const end = start + wordChunkBytes;
  if (end >= bytes.length) return bytes.length;
  const inside = bytes.lastIndexOf(newline, end - 1);
  if (inside >= start) return inside + 1;
  const beyond = bytes.indexOf(newline, end);
  return beyond < 0 ? bytes.length : beyond + 1;
}

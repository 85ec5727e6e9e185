/**
 * Records to bytes and back: for shuffles, blocks, results, state and checkpoints. The only file that knows msgpackr.
 *
 * The bytes are segments, one after another, each complete in itself; no records, no segments. Little endian, everything
 * aligned to 8 bytes, padding 0:
 *
 *   segment  | magic u16 | version u8 | 0 u8 | count u32 | bytes of the segment u32 | 0 u32 | one column of `count` values |
 *   column   | kind u8 | width u8 | fields u16 | bytes of the body u32 | body, padded to 8 |
 *
 *   kind                     body
 *    1-4  null undefined     none: all values are this one
 *         true false
 *    5    number             f64: all values are this one
 *    6    int32              i32 for each value
 *    7    float64            f64 for each value (-0 and NaN are kept)
 *    8    booleans           u8 for each value
 *    9    latin1             a length for each value (u8 or u32: width 1 or 4), padded; all texts joined, a byte a unit
 *   10    utf16              the same, two bytes a unit: lone surrogates are kept
 *   11    tuple              `fields` columns: all values are arrays of that length. A segment of pairs is this, with 2 fields
 *   12    object             u32 bytes of the packed keys, 0 u32, the keys, padded; a column for each key
 *   13    packed             msgpackr's array of the values, all plain
 *   14    packed, escaped    the same, with escapes as in protocol/plain-form.ts
 *
 * Invariants: every record value comes back as it was (docs/VALUES.md lists them), whatever memory the bytes were in;
 * anything else is refused with `RecordNotSerializable` before a byte is written. Kind and version numbers are never reused.
 */
import { createRequire } from 'node:module';
import type { Packr } from 'msgpackr';
import { defaultCodecs, type ClassCodec, type ClassOf, type CodecRegistry } from './codec-registry.ts';
import { readColumn, readColumnHeader, readFields, readValues, unreadable, type ReadRules } from './column-reader.ts';
import { columnBytes, columnKind, planColumn, planFields, writeColumn, type Column, type PlanRules } from './column-writer.ts';
import { MillraceError, previewOf } from './errors.ts';
import { NotPlain } from './plain-form.ts';
import { textBufferOf, type TextBuffer } from './text-buffer.ts';
import { findUnserializable } from './unserializable.ts';

/** Gives memory of just that many bytes (over a SharedArrayBuffer or not); asked once. */
export type Allocate = (bytes: number) => Uint8Array;

/** Records of one segment. A bound on what is worked on at a time, not on how many can be encoded. */
export const segmentRecordsMax = 16_384;
/** A segment ends before the record that would bring a column beyond this; a single larger record has its own segment. */
export const segmentColumnBytesMax = 256 * 1024;

const magic = 0x524d;
const version = 1;
const segmentHeaderBytes = 16;

/** Throws `RecordNotSerializable` with the value's path: `[3].user.callback`. */
export function encodeRecords(
  records: readonly unknown[],
  allocate: Allocate = allocateHeap,
  registry: CodecRegistry = defaultCodecs,
): Uint8Array {
  return encode(records.length, (start, end, rules) => planColumn(records, start, end, rules), allocate, registry, () => records);
}

/** As encodeRecords of [keys[i], values[i]], without making those. */
export function encodePairs(
  keys: readonly unknown[],
  values: readonly unknown[],
  allocate: Allocate = allocateHeap,
  registry: CodecRegistry = defaultCodecs,
): Uint8Array {
  if (keys.length !== values.length) throw new Error(`Expected as many values as keys, got ${values.length} for ${keys.length}.`);
  const fields = [keys, values];
  const recordsForError = (): unknown[] => keys.map((key, index) => [key, values[index]]);
  return encode(keys.length, (start, end, rules) => planFields(fields, start, end, rules, 0), allocate, registry, recordsForError);
}

/** Throws `RecordsUnreadable`. */
export function decodeRecords(bytes: Uint8Array, registry: CodecRegistry = defaultCodecs): unknown[] {
  let all: unknown[] = [];
  forEachSegment(bytes, registry, (source, { at, limit, count, before, total }, rules) => {
    if (before === 0) all = new Array<unknown>(total);
    readColumn(source, readColumnHeader(source, at, limit), { list: all, from: before, count }, rules);
  });
  return all;
}

/** Throws `NotAPair` where a record is no array of two, `RecordsUnreadable`. */
export function decodePairs(bytes: Uint8Array, registry: CodecRegistry = defaultCodecs): { keys: unknown[]; values: unknown[] } {
  let [keys, values]: [unknown[], unknown[]] = [[], []];
  forEachSegment(bytes, registry, (source, { at, limit, count, before, total }, rules) => {
    if (before === 0) [keys, values] = [new Array<unknown>(total), new Array<unknown>(total)];
    const header = readColumnHeader(source, at, limit);
    const fields = [keys, values].map((list) => ({ list, from: before, count }));
    if (header.kind === columnKind.tuple && header.fields === 2) readFields(source, header, header.body, fields, rules);
    else splitPairs(readValues(source, header, count, rules), keys, values, before);
  });
  return { keys, values };
}

/** One value. */
export function encodeRecord(value: unknown, registry: CodecRegistry = defaultCodecs): Uint8Array {
  return encodeRecords([value], allocateHeap, registry);
}

export function decodeRecord(bytes: Uint8Array, registry: CodecRegistry = defaultCodecs): unknown {
  const values = decodeRecords(bytes, registry);
  if (values.length !== 1) throw unreadable(`${values.length} records where one was meant`);
  return values[0];
}

/** Makes instances of `cls` records, on this thread: call it in the program's module, which every thread loads. */
export function registerCodec<T>(name: string, cls: ClassOf<T>, codec: ClassCodec<T>): void {
  defaultCodecs.register(name, cls, codec);
}

/**
 * msgpackr, without its own ways for what plain-form.ts escapes: no records (its shapes are per message, and beyond 64 of
 * them objects come back as Maps), no toJSON, maps of any size. Loaded with the first column that needs it: with its native part
 * it takes as long as all else that a thread loads, and most threads never see such a column.
 */
let packr: Packr | null = null;

function packrOf(): Packr {
  if (packr === null) {
    const loaded = createRequire(import.meta.url)('msgpackr') as typeof import('msgpackr');
    packr = new loaded.Packr({ useRecords: false, mapsAsObjects: true, variableMapSize: true, useToJSON: false });
  }
  return packr;
}

function pack(values: readonly unknown[]): Uint8Array {
  return packrOf().pack(values);
}

function unpack(bytes: Uint8Array): unknown {
  const unpackr = packrOf();
  try {
    return unpackr.unpack(bytes);
  } catch (cause) {
    const text = `Expected ${bytes.length} bytes of MessagePack, got something else. The bytes are damaged.`;
    throw new MillraceError('RecordsUnreadable', text, { cause });
  }
}

type Plan = (start: number, end: number, rules: PlanRules) => Column | number;

interface Segment {
  readonly count: number;
  readonly column: Column;
}

function encode(
  count: number,
  plan: Plan,
  allocate: Allocate,
  registry: CodecRegistry,
  recordsForError: () => readonly unknown[],
): Uint8Array {
  let segments: Segment[];
  try {
    segments = planSegments(count, plan, { registry, pack, columnBytesMax: segmentColumnBytesMax });
  } catch (error) {
    throw notSerializable(error, recordsForError(), registry);
  }
  let bytes = 0;
  for (const segment of segments) bytes += segmentHeaderBytes + columnBytes(segment.column);
  const target = allocate(bytes);
  if (target.length < bytes) throw new Error(`Expected memory of ${bytes} bytes, got ${target.length}.`);
  if (target.byteOffset % 8 === 0) {
    writeSegments(segments, textBufferOf(target));
  } else {
    const aligned = new Uint8Array(bytes);
    writeSegments(segments, textBufferOf(aligned));
    target.set(aligned);
  }
  return target.length === bytes ? target : target.subarray(0, bytes);
}

function planSegments(count: number, plan: Plan, rules: PlanRules): Segment[] {
  const segments: Segment[] = [];
  let start = 0;
  // What the last segment could hold is what the next one is tried with, so that cutting is rare.
  let guess = segmentRecordsMax;
  while (start < count) {
    let end = Math.min(count, start + guess);
    let column = plan(start, end, rules);
    while (typeof column === 'number') {
      end = column;
      guess = end - start;
      column = plan(start, end, rules);
    }
    segments.push({ count: end - start, column });
    start = end;
    guess = Math.min(segmentRecordsMax, guess + (guess >> 2) + 1);
  }
  return segments;
}

function writeSegments(segments: readonly Segment[], target: TextBuffer): void {
  let at = 0;
  for (const { count, column } of segments) {
    const words = new Uint32Array(target.buffer, target.byteOffset + at, 4);
    words[0] = magic | (version << 16);
    words[1] = count;
    words[2] = segmentHeaderBytes + columnBytes(column);
    words[3] = 0;
    at = writeColumn(column, target, at + segmentHeaderBytes);
  }
}

/** Where a segment's column lies, how many values it has, and how many the segments before it and all of them have. */
interface SegmentPlace {
  readonly at: number;
  readonly limit: number;
  readonly count: number;
  readonly before: number;
  readonly total: number;
}

/** All headers are read first: whoever makes lists makes them as long as they will be. */
function forEachSegment(bytes: Uint8Array, registry: CodecRegistry, each: (source: TextBuffer, place: SegmentPlace, rules: ReadRules) => void): void {
  // Views of 4 and 8 byte numbers need an aligned start: slabs give one, a piece of a file need not.
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : Uint8Array.prototype.slice.call(bytes);
  const source = textBufferOf(aligned);
  const rules: ReadRules = { registry, unpack };
  const places: Omit<SegmentPlace, 'total'>[] = [];
  let at = 0;
  let total = 0;
  while (at < source.length) {
    if (at + segmentHeaderBytes > source.length) throw unreadable(`${source.length - at} bytes where a segment should begin`);
    const words = new Uint32Array(source.buffer, source.byteOffset + at, 4);
    const found = words[0]! & 0xffff;
    if (found !== magic) throw unreadable(`no segment at byte ${at} (0x${found.toString(16)} instead of 0x${magic.toString(16)})`);
    if (words[0]! >>> 16 !== version) throw unreadable(`a segment of version ${words[0]! >>> 16}, where ${version} is known`);
    const limit = at + words[2]!;
    if (limit > source.length || words[2]! < segmentHeaderBytes) {
      throw unreadable(`a segment of ${words[2]!} bytes at byte ${at} of ${source.length}`);
    }
    places.push({ at: at + segmentHeaderBytes, limit, count: words[1]!, before: total });
    total += words[1]!;
    at = limit;
  }
  for (const place of places) each(source, { ...place, total }, rules);
}

function splitPairs(records: readonly unknown[], keys: unknown[], values: unknown[], from: number): void {
  for (let index = 0; index < records.length; index++) {
    const record = records[index];
    if (!Array.isArray(record) || record.length !== 2) {
      throw new MillraceError('NotAPair', `Expected [key, value], got ${previewOf(record)}. Map the stream to pairs first.`);
    }
    keys[from + index] = record[0];
    values[from + index] = record[1];
  }
}

function allocateHeap(bytes: number): Uint8Array {
  return new Uint8Array(bytes);
}

/** What is to be thrown for `error`, which came while these records were looked at: a getter or a proxy among them may throw anything. */
function notSerializable(error: unknown, records: readonly unknown[], registry: CodecRegistry): unknown {
  const isOurs = error instanceof NotPlain;
  const found = findUnserializable(records, registry) ?? (isOurs ? { index: 0, path: '', reason: error.reason, cause: error.cause } : null);
  if (found === null) return error;
  return new MillraceError(
    'RecordNotSerializable',
    `Expected records of plain data, but ${found.path === '' ? 'a value' : found.path} ${found.reason}. `
      + 'Use null, undefined, booleans, numbers, bigints, strings, dates, typed arrays, arrays, Maps, Sets and plain objects, '
      + 'or register a codec for the class.',
    { details: { path: found.path, reason: found.reason, record: previewOf(records[found.index]) }, ...(found.cause === undefined ? {} : { cause: found.cause }) },
  );
}

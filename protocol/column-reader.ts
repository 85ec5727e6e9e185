/**
 * A column to values: the decoding side of protocol/codec.ts. The drawing of the bytes is there.
 *
 * Invariant: what is read holds on to none of the bytes. Strings of 13 units and more are cut from the bytes one by one and
 * not from the column's text, because V8 makes a slice of such a string, and a single one that a program keeps would keep the
 * whole text; shorter ones it copies.
 */
import type { CodecRegistry } from './codec-registry.ts';
import { columnHeaderBytes, columnKind, padded } from './column-writer.ts';
import { MillraceError } from './errors.ts';
import { fromPlain } from './plain-form.ts';
import type { TextBuffer } from './text-buffer.ts';

/** msgpackr, from codec.ts. The bytes are a copy that nothing else uses. */
export type Unpack = (bytes: Uint8Array) => unknown;

export interface ReadRules {
  readonly registry: CodecRegistry;
  readonly unpack: Unpack;
}

export interface ColumnHeader {
  readonly kind: number;
  readonly width: number;
  readonly fields: number;
  readonly bytes: number;
  /** First byte of the body. */
  readonly body: number;
  /** First byte after the column. */
  readonly end: number;
}

/** `limit`: first byte that isn't the segment's. */
export function readColumnHeader(source: TextBuffer, at: number, limit: number): ColumnHeader {
  if (at + columnHeaderBytes > limit) throw unreadable(`a column at byte ${at} of a segment that ends at ${limit}`);
  const words = new Uint32Array(source.buffer, source.byteOffset + at, 2);
  const bytes = words[1]!;
  const body = at + columnHeaderBytes;
  const end = body + padded(bytes);
  if (end > limit) throw unreadable(`a column that ends at byte ${end} of a segment that ends at ${limit}`);
  return { kind: words[0]! & 0xff, width: (words[0]! >>> 8) & 0xff, fields: words[0]! >>> 16, bytes, body, end };
}

/** Where a column's values go: `count` of them into `list`, from `from` on. So those of many segments come into one list, without a copy. */
export interface ValuesPlace {
  readonly list: unknown[];
  readonly from: number;
  readonly count: number;
}

/** As a list of its own. */
export function readValues(source: TextBuffer, header: ColumnHeader, count: number, rules: ReadRules): unknown[] {
  const list = new Array<unknown>(count);
  readColumn(source, header, { list, from: 0, count }, rules);
  return list;
}

export function readColumn(source: TextBuffer, header: ColumnHeader, place: ValuesPlace, rules: ReadRules): void {
  const { kind, body } = header;
  const { count } = place;
  switch (kind) {
    case columnKind.null: return fill(place, null);
    case columnKind.undefined: return fill(place, undefined);
    case columnKind.true: return fill(place, true);
    case columnKind.false: return fill(place, false);
    case columnKind.number: return fill(place, new Float64Array(source.buffer, source.byteOffset + body, 1)[0]);
    case columnKind.int32: return putNumbers(place, new Int32Array(source.buffer, source.byteOffset + body, count));
    case columnKind.float64: return putNumbers(place, new Float64Array(source.buffer, source.byteOffset + body, count));
    case columnKind.booleans: return putBooleans(place, source.subarray(body, body + count));
    case columnKind.latin1:
    case columnKind.utf16: return readText(source, header, place);
    case columnKind.tuple: return putRows(place, readFields(source, header, body, listsOf(header.fields, count), rules));
    case columnKind.object: return readObjects(source, header, place, rules);
    case columnKind.packed:
    case columnKind.packedEscaped: return readPacked(source, header, place, rules);
    default: throw unreadable(`a column of kind ${kind}`);
  }
}

/** The fields of a tuple column, each into its place. Gives their lists. */
export function readFields(source: TextBuffer, header: ColumnHeader, at: number, fields: readonly ValuesPlace[], rules: ReadRules): unknown[][] {
  let next = at;
  return fields.map((place) => {
    const child = readColumnHeader(source, next, header.end);
    readColumn(source, child, place, rules);
    next = child.end;
    return place.list;
  });
}

/** New lists, one for each field. */
function listsOf(fields: number, count: number): ValuesPlace[] {
  return Array.from({ length: fields }, () => ({ list: new Array<unknown>(count), from: 0, count }));
}

function fill({ list, from, count }: ValuesPlace, value: unknown): void {
  list.fill(value, from, from + count);
}

/** A loop: Array.from goes through the iterator, at ten times the cost. */
function putNumbers({ list, from, count }: ValuesPlace, column: Int32Array | Float64Array): void {
  for (let index = 0; index < count; index++) list[from + index] = column[index];
}

function putBooleans({ list, from, count }: ValuesPlace, column: Uint8Array): void {
  for (let index = 0; index < count; index++) list[from + index] = column[index] === 1;
}

function putRows({ list, from, count }: ValuesPlace, fields: readonly unknown[][]): void {
  const [first, second] = fields as [unknown[], unknown[] | undefined];
  if (fields.length === 2 && second !== undefined) {
    for (let index = 0; index < count; index++) list[from + index] = [first[index], second[index]];
    return;
  }
  for (let index = 0; index < count; index++) {
    const row: unknown[] = [];
    for (const field of fields) row.push(field[index]);
    list[from + index] = row;
  }
}

function readText(source: TextBuffer, header: ColumnHeader, place: ValuesPlace): void {
  const { count } = place;
  const { width, body, kind, bytes } = header;
  const lengths = width === 1
    ? new Uint8Array(source.buffer, source.byteOffset + body, count)
    : new Uint32Array(source.buffer, source.byteOffset + body, count);
  const textAt = body + padded(width * count);
  const unitBytes = kind === columnKind.latin1 ? 1 : 2;
  const units = (body + bytes - textAt) / unitBytes;
  if (unitBytes === 1) cutLatin1(source, textAt, units, lengths, place);
  else cutUtf16(source, textAt, units, lengths, place);
}

/** Shorter ones V8 copies out of a text; from this on it makes a slice that keeps the text. */
const sliceUnitsMin = 13;

function cutLatin1(source: TextBuffer, textAt: number, units: number, lengths: Uint8Array | Uint32Array, { list, from, count }: ValuesPlace): void {
  const text = source.latin1Slice(textAt, textAt + units);
  let at = 0;
  for (let index = 0; index < count; index++) {
    const next = at + lengths[index]!;
    list[from + index] = next - at < sliceUnitsMin ? text.substring(at, next) : source.latin1Slice(textAt + at, textAt + next);
    at = next;
  }
}

function cutUtf16(source: TextBuffer, textAt: number, units: number, lengths: Uint8Array | Uint32Array, { list, from, count }: ValuesPlace): void {
  const text = source.ucs2Slice(textAt, textAt + 2 * units);
  let at = 0;
  for (let index = 0; index < count; index++) {
    const next = at + lengths[index]!;
    list[from + index] = next - at < sliceUnitsMin ? text.substring(at, next) : source.ucs2Slice(textAt + 2 * at, textAt + 2 * next);
    at = next;
  }
}

function readObjects(source: TextBuffer, header: ColumnHeader, { list, from, count }: ValuesPlace, rules: ReadRules): void {
  const keysBytes = new Uint32Array(source.buffer, source.byteOffset + header.body, 1)[0]!;
  const keysAt = header.body + 8;
  if (keysAt + keysBytes > header.end) throw unreadable(`an object column with ${keysBytes} bytes of keys`);
  const keys = rules.unpack(copyOf(source, keysAt, keysBytes)) as string[];
  const fields = readFields(source, header, keysAt + padded(keysBytes), listsOf(header.fields, count), rules);
  const shape: Record<string, unknown> = {};
  for (const key of keys) shape[key] = undefined;
  for (let index = 0; index < count; index++) {
    // A copy of one shape first: its fields are there already, so setting them makes no new shapes.
    const object = { ...shape };
    for (let field = 0; field < keys.length; field++) object[keys[field]!] = fields[field]![index];
    list[from + index] = object;
  }
}

function readPacked(source: TextBuffer, header: ColumnHeader, { list, from, count }: ValuesPlace, rules: ReadRules): void {
  const values = rules.unpack(copyOf(source, header.body, header.bytes));
  if (!Array.isArray(values) || values.length !== count) throw unreadable(`a packed column that holds no list of ${count} values`);
  const isPlain = header.kind === columnKind.packed;
  for (let index = 0; index < count; index++) list[from + index] = isPlain ? (values[index] as unknown) : fromPlain(values[index], rules.registry);
}

/** Of its own memory and exact length: msgpackr may read beyond a view, and hands out views of bytes. */
function copyOf(source: TextBuffer, at: number, bytes: number): Uint8Array {
  const copy = Buffer.allocUnsafeSlow(bytes);
  copy.set(source.subarray(at, at + bytes));
  return copy;
}

export function unreadable(got: string): MillraceError {
  return new MillraceError(
    'RecordsUnreadable',
    `Expected records as this version writes them, got ${got}. Read them with the release that wrote them; if it was this one, the bytes are damaged.`,
  );
}

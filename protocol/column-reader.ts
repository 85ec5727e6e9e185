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

export function readColumn(source: TextBuffer, header: ColumnHeader, count: number, rules: ReadRules): unknown[] {
  const { kind, body } = header;
  switch (kind) {
    case columnKind.null: return new Array<unknown>(count).fill(null);
    case columnKind.undefined: return new Array<unknown>(count).fill(undefined);
    case columnKind.true: return new Array<unknown>(count).fill(true);
    case columnKind.false: return new Array<unknown>(count).fill(false);
    case columnKind.number: return new Array<unknown>(count).fill(new Float64Array(source.buffer, source.byteOffset + body, 1)[0]);
    case columnKind.int32: return numbersOf(new Int32Array(source.buffer, source.byteOffset + body, count));
    case columnKind.float64: return numbersOf(new Float64Array(source.buffer, source.byteOffset + body, count));
    case columnKind.booleans: return Array.from(source.subarray(body, body + count), (item) => item === 1);
    case columnKind.latin1:
    case columnKind.utf16: return readText(source, header, count);
    case columnKind.tuple: return rowsOf(readFields(source, header, body, count, rules), count);
    case columnKind.object: return readObjects(source, header, count, rules);
    case columnKind.packed:
    case columnKind.packedEscaped: return readPacked(source, header, count, rules);
    default: throw unreadable(`a column of kind ${kind}`);
  }
}

/** The fields of a tuple column, each as a list. */
export function readFields(source: TextBuffer, header: ColumnHeader, at: number, count: number, rules: ReadRules): unknown[][] {
  const fields: unknown[][] = [];
  let next = at;
  for (let field = 0; field < header.fields; field++) {
    const child = readColumnHeader(source, next, header.end);
    fields.push(readColumn(source, child, count, rules));
    next = child.end;
  }
  return fields;
}

/** A loop: Array.from goes through the iterator, at ten times the cost. */
function numbersOf(column: Int32Array | Float64Array): unknown[] {
  const numbers = new Array<unknown>(column.length);
  for (let index = 0; index < numbers.length; index++) numbers[index] = column[index];
  return numbers;
}

function rowsOf(fields: readonly unknown[][], count: number): unknown[] {
  const rows = new Array<unknown>(count);
  const [first, second] = fields as [unknown[], unknown[] | undefined];
  if (fields.length === 2 && second !== undefined) {
    for (let index = 0; index < count; index++) rows[index] = [first[index], second[index]];
    return rows;
  }
  for (let index = 0; index < count; index++) {
    const row: unknown[] = [];
    for (const field of fields) row.push(field[index]);
    rows[index] = row;
  }
  return rows;
}

function readText(source: TextBuffer, header: ColumnHeader, count: number): unknown[] {
  const { width, body, kind, bytes } = header;
  const lengths = width === 1
    ? new Uint8Array(source.buffer, source.byteOffset + body, count)
    : new Uint32Array(source.buffer, source.byteOffset + body, count);
  const textAt = body + padded(width * count);
  const unitBytes = kind === columnKind.latin1 ? 1 : 2;
  const units = (body + bytes - textAt) / unitBytes;
  return unitBytes === 1 ? cutLatin1(source, textAt, units, lengths) : cutUtf16(source, textAt, units, lengths);
}

/** Shorter ones V8 copies out of a text; from this on it makes a slice that keeps the text. */
const sliceUnitsMin = 13;

function cutLatin1(source: TextBuffer, textAt: number, units: number, lengths: Uint8Array | Uint32Array): string[] {
  const strings = new Array<string>(lengths.length);
  const text = source.latin1Slice(textAt, textAt + units);
  let at = 0;
  for (let index = 0; index < strings.length; index++) {
    const next = at + lengths[index]!;
    strings[index] = next - at < sliceUnitsMin ? text.substring(at, next) : source.latin1Slice(textAt + at, textAt + next);
    at = next;
  }
  return strings;
}

function cutUtf16(source: TextBuffer, textAt: number, units: number, lengths: Uint8Array | Uint32Array): string[] {
  const strings = new Array<string>(lengths.length);
  const text = source.ucs2Slice(textAt, textAt + 2 * units);
  let at = 0;
  for (let index = 0; index < strings.length; index++) {
    const next = at + lengths[index]!;
    strings[index] = next - at < sliceUnitsMin ? text.substring(at, next) : source.ucs2Slice(textAt + 2 * at, textAt + 2 * next);
    at = next;
  }
  return strings;
}

function readObjects(source: TextBuffer, header: ColumnHeader, count: number, rules: ReadRules): unknown[] {
  const keysBytes = new Uint32Array(source.buffer, source.byteOffset + header.body, 1)[0]!;
  const keysAt = header.body + 8;
  if (keysAt + keysBytes > header.end) throw unreadable(`an object column with ${keysBytes} bytes of keys`);
  const keys = rules.unpack(copyOf(source, keysAt, keysBytes)) as string[];
  const fields = readFields(source, header, keysAt + padded(keysBytes), count, rules);
  const shape: Record<string, unknown> = {};
  for (const key of keys) shape[key] = undefined;
  const objects = new Array<unknown>(count);
  for (let index = 0; index < count; index++) {
    // A copy of one shape first: its fields are there already, so setting them makes no new shapes.
    const object = { ...shape };
    for (let field = 0; field < keys.length; field++) object[keys[field]!] = fields[field]![index];
    objects[index] = object;
  }
  return objects;
}

function readPacked(source: TextBuffer, header: ColumnHeader, count: number, rules: ReadRules): unknown[] {
  const values = rules.unpack(copyOf(source, header.body, header.bytes));
  if (!Array.isArray(values) || values.length !== count) throw unreadable(`a packed column that holds no list of ${count} values`);
  if (header.kind === columnKind.packed) return values;
  for (let index = 0; index < count; index++) values[index] = fromPlain(values[index], rules.registry);
  return values;
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

/**
 * Values to a column: the encoding side of protocol/codec.ts. The drawing of the bytes is there.
 *
 * Two steps, since the memory is asked for once and exactly: `planColumn` looks at the values and says which kind of column
 * they make and how many bytes it has; `writeColumn` puts it into the memory.
 *
 * Invariant: what a column reads back as is what was planned, value by value. A kind is chosen for the whole range; values
 * that fit none of the quick kinds go into a packed column.
 */
import type { CodecRegistry } from './codec-registry.ts';
import { isWellFormed, toPlain, type PlainPass } from './plain-form.ts';
import type { TextBuffer } from './text-buffer.ts';

/** Durable numbers: never used for something else. */
export const columnKind = {
  null: 1, undefined: 2, true: 3, false: 4, number: 5, int32: 6, float64: 7, booleans: 8, latin1: 9, utf16: 10, tuple: 11, object: 12,
  packed: 13, packedEscaped: 14,
} as const;

export const columnHeaderBytes = 8;
/** Tuples and objects are taken apart into columns up to this depth; deeper ones are packed. */
const columnDepthMax = 4;
const tupleFieldsMax = 8;
const objectFieldsMax = 64;

/** msgpackr, from codec.ts: the only file that knows it. */
export type Pack = (values: readonly unknown[]) => Uint8Array;

export interface PlanRules {
  readonly registry: CodecRegistry;
  readonly pack: Pack;
  /** A column that would pass this is cut before the value that passes it, unless that is its first. */
  readonly columnBytesMax: number;
}

/** Values lie in values[start..end) and are written from there. */
interface Range {
  readonly values: readonly unknown[];
  readonly start: number;
  readonly end: number;
}

export type Column =
  | { readonly kind: 1 | 2 | 3 | 4; readonly bytes: 0 }
  | { readonly kind: 5; readonly bytes: 8; readonly value: number }
  | (Range & { readonly kind: 6 | 7 | 8; readonly bytes: number })
  | (Range & { readonly kind: 9 | 10; readonly bytes: number; readonly width: 1 | 4; readonly text: string })
  | { readonly kind: 11; readonly bytes: number; readonly children: readonly Column[] }
  | { readonly kind: 12; readonly bytes: number; readonly keys: Uint8Array; readonly children: readonly Column[] }
  | { readonly kind: 13 | 14; readonly bytes: number; readonly packed: Uint8Array };

/** Plans values[start..end), not empty. A number is the end at which the range must be cut, so that a column keeps its bound. */
export function planColumn(values: readonly unknown[], start: number, end: number, rules: PlanRules, depth = 0): Column | number {
  const first = values[start];
  switch (typeof first) {
    case 'string': return planText(values, start, end, rules);
    case 'number': return planNumbers(values, start, end, rules);
    case 'boolean':
    case 'undefined': return planSimple(values, start, end, rules);
    case 'object':
      if (first === null) return planSimple(values, start, end, rules);
      if (depth >= columnDepthMax) return planPacked(values, start, end, rules);
      return Array.isArray(first) ? planTuple(values, start, end, rules, depth) : planObject(values, start, end, rules, depth);
    default: return planPacked(values, start, end, rules);
  }
}

/** A tuple column of fields that lie apart already: fields[f][start..end). */
export function planFields(fields: readonly (readonly unknown[])[], start: number, end: number, rules: PlanRules, depth: number): Column | number {
  const children: Column[] = [];
  let bytes = 0;
  for (const field of fields) {
    const child = planColumn(field, start, end, rules, depth + 1);
    if (typeof child === 'number') return child;
    children.push(child);
    bytes += columnBytes(child);
  }
  return { kind: columnKind.tuple, bytes, children };
}

/** With its header, and padded to 8. */
export function columnBytes(column: Column): number {
  return columnHeaderBytes + padded(column.bytes);
}

export function padded(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

/** Writes at the byte `at` of `target`, both aligned to 8. Gives the byte after it. */
export function writeColumn(column: Column, target: TextBuffer, at: number): number {
  const body = at + columnHeaderBytes;
  writeHeader(column, target, at);
  switch (column.kind) {
    case columnKind.null:
    case columnKind.undefined:
    case columnKind.true:
    case columnKind.false: break;
    case columnKind.number: new Float64Array(target.buffer, target.byteOffset + body, 1)[0] = column.value; break;
    case columnKind.int32: writeNumbers(column, new Int32Array(target.buffer, target.byteOffset + body, column.end - column.start)); break;
    case columnKind.float64: writeNumbers(column, new Float64Array(target.buffer, target.byteOffset + body, column.end - column.start)); break;
    case columnKind.booleans:
      for (let index = column.start; index < column.end; index++) target[body + index - column.start] = column.values[index] === true ? 1 : 0;
      break;
    case columnKind.latin1:
    case columnKind.utf16: writeText(column, target, body); break;
    case columnKind.tuple: writeChildren(column.children, target, body); break;
    case columnKind.object:
      writeKeys(column.keys, target, body);
      writeChildren(column.children, target, body + 8 + padded(column.keys.length));
      break;
    case columnKind.packed:
    case columnKind.packedEscaped: target.set(column.packed, body); break;
  }
  // Padding is written too: memory that was used before must not make equal records into different bytes.
  const end = at + columnBytes(column);
  target.fill(0, body + column.bytes, end);
  return end;
}

function planSimple(values: readonly unknown[], start: number, end: number, rules: PlanRules): Column | number {
  const first = values[start];
  let index = start + 1;
  while (index < end && values[index] === first) index++;
  if (index === end) {
    const kind = first === null ? columnKind.null : first === undefined ? columnKind.undefined : first === true ? columnKind.true : columnKind.false;
    return { kind, bytes: 0 };
  }
  while (index < end && typeof values[index] === 'boolean') index++;
  if (index < end || typeof first !== 'boolean') return planPacked(values, start, end, rules);
  return { kind: columnKind.booleans, bytes: end - start, values, start, end };
}

function planNumbers(values: readonly unknown[], start: number, end: number, rules: PlanRules): Column | number {
  const first = values[start] as number;
  let index = start;
  while (index < end && values[index] === first && first !== 0) index++;
  if (index === end) return { kind: columnKind.number, bytes: 8, value: first };
  for (index = start; index < end; index++) {
    const value = values[index];
    if (typeof value !== 'number' || (value | 0) !== value || (value === 0 && 1 / value < 0)) break;
  }
  if (index === end) return { kind: columnKind.int32, bytes: 4 * (end - start), values, start, end };
  for (; index < end; index++) {
    if (typeof values[index] !== 'number') return planPacked(values, start, end, rules);
  }
  return { kind: columnKind.float64, bytes: 8 * (end - start), values, start, end };
}

// Irregexp knows that a one-byte string can't match, so this costs nothing for most texts.
const beyondLatin1 = /[^\u0000-\u00ff]/;

function planText(values: readonly unknown[], start: number, end: number, rules: PlanRules): Column | number {
  let text = '';
  let longest = 0;
  for (let index = start; index < end; index++) {
    const value = values[index];
    if (typeof value !== 'string') return planPacked(values, start, end, rules);
    if (text.length + value.length > rules.columnBytesMax && index > start) return index;
    // V8 makes a rope of this and flattens it once, which is quicker than join.
    text += value;
    if (value.length > longest) longest = value.length;
  }
  const utf16 = beyondLatin1.test(text);
  const width = longest < 256 ? 1 : 4;
  const bytes = padded(width * (end - start)) + (utf16 ? 2 : 1) * text.length;
  return { kind: utf16 ? columnKind.utf16 : columnKind.latin1, bytes, width, text, values, start, end };
}

function planTuple(values: readonly unknown[], start: number, end: number, rules: PlanRules, depth: number): Column | number {
  const width = (values[start] as readonly unknown[]).length;
  if (width === 0 || width > tupleFieldsMax) return planPacked(values, start, end, rules);
  for (let index = start; index < end; index++) {
    const value = values[index];
    if (!Array.isArray(value) || value.length !== width || Object.getPrototypeOf(value) !== Array.prototype) {
      return planPacked(values, start, end, rules);
    }
  }
  const fields: unknown[][] = [];
  for (let field = 0; field < width; field++) {
    const items = new Array<unknown>(end - start);
    for (let index = start; index < end; index++) items[index - start] = (values[index] as readonly unknown[])[field];
    fields.push(items);
  }
  const column = planFields(fields, 0, end - start, rules, depth);
  return typeof column === 'number' ? start + column : column;
}

/** Objects with the same keys in the same order: a column for each key. */
function planObject(values: readonly unknown[], start: number, end: number, rules: PlanRules, depth: number): Column | number {
  const first = values[start] as object;
  if (Object.getPrototypeOf(first) !== Object.prototype) return planPacked(values, start, end, rules);
  const keys = Object.keys(first);
  if (keys.length === 0 || keys.length > objectFieldsMax || keys.includes('__proto__') || !keys.every(isWellFormed)) {
    return planPacked(values, start, end, rules);
  }
  const fields = keys.map(() => new Array<unknown>(end - start));
  for (let index = start; index < end; index++) {
    const value = values[index];
    if (typeof value !== 'object' || value === null || !takeFields(value, keys, fields, index - start)) return planPacked(values, start, end, rules);
  }
  const column = planFields(fields, 0, end - start, rules, depth);
  if (typeof column === 'number') return start + column;
  if (column.kind !== columnKind.tuple) throw new Error(`Expected a tuple column, got kind ${column.kind}.`);
  const packedKeys = rules.pack(keys);
  return { kind: columnKind.object, bytes: 8 + padded(packedKeys.length) + column.bytes, keys: packedKeys, children: column.children };
}

/** False where the value is no plain object with just these keys. */
function takeFields(value: object, keys: readonly string[], fields: readonly unknown[][], at: number): boolean {
  if (Object.getPrototypeOf(value) !== Object.prototype || Object.getOwnPropertySymbols(value).length > 0) return false;
  let field = 0;
  for (const key in value) {
    if (key !== keys[field]) return false;
    fields[field]![at] = (value as Readonly<Record<string, unknown>>)[key];
    field += 1;
  }
  return field === keys.length;
}

function planPacked(values: readonly unknown[], start: number, end: number, rules: PlanRules): Column | number {
  const pass: PlainPass = { registry: rules.registry, escaped: false, weight: 0 };
  const plain = new Array<unknown>(end - start);
  for (let index = start; index < end; index++) {
    plain[index - start] = toPlain(values[index], pass);
    if (pass.weight > rules.columnBytesMax && index > start) return index;
  }
  const packed = rules.pack(plain);
  return { kind: pass.escaped ? columnKind.packedEscaped : columnKind.packed, bytes: packed.length, packed };
}

function writeHeader(column: Column, target: TextBuffer, at: number): void {
  const words = new Uint32Array(target.buffer, target.byteOffset + at, 2);
  const width = 'width' in column ? column.width : 0;
  const fields = 'children' in column ? column.children.length : 0;
  words[0] = column.kind | (width << 8) | (fields << 16);
  words[1] = column.bytes;
}

function writeNumbers({ values, start, end }: Range, target: Int32Array | Float64Array): void {
  for (let index = start; index < end; index++) target[index - start] = values[index] as number;
}

function writeText(column: Column & { readonly kind: 9 | 10 }, target: TextBuffer, body: number): void {
  const { values, start, end, text, width } = column;
  if (width === 1) {
    for (let index = start; index < end; index++) target[body + index - start] = (values[index] as string).length;
  } else {
    const lengths = new Uint32Array(target.buffer, target.byteOffset + body, end - start);
    for (let index = start; index < end; index++) lengths[index - start] = (values[index] as string).length;
  }
  const used = width * (end - start);
  const textAt = body + padded(used);
  target.fill(0, body + used, textAt);
  if (column.kind === columnKind.latin1) target.latin1Write(text, textAt);
  else target.ucs2Write(text, textAt);
}

function writeKeys(keys: Uint8Array, target: TextBuffer, at: number): void {
  target.fill(0, at, at + 8 + padded(keys.length));
  new Uint32Array(target.buffer, target.byteOffset + at, 1)[0] = keys.length;
  target.set(keys, at + 8);
}

function writeChildren(children: readonly Column[], target: TextBuffer, at: number): void {
  let next = at;
  for (const child of children) next = writeColumn(child, target, next);
}

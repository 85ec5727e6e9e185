/**
 * Records to plain form and back. The plain form is what msgpackr carries without loss: null, undefined, booleans, numbers
 * but -0, bigints of 64 bits, well-formed strings, bytes, arrays, and objects without a key __proto__.
 *
 * Everything else is written as an array that begins with a mark, the escape's number and its fields:
 *
 *   -0          [mark, 1]                     Set           [mark, 6, item, ...]
 *   lone surr.  [mark, 2, utf16 bytes]        typed array   [mark, 7, type's number, bytes]
 *   big bigint  [mark, 3, '-ff...']           odd object    [mark, 8, key, value, ...]
 *   Date        [mark, 4, ms]                 instance      [mark, 9, codec's name, its plain data]
 *   Map         [mark, 5, key, value, ...]    an array that itself begins with the mark:  [mark, 0, item, ...]
 *
 * Invariants: the form is injective (the mark at the head of an array always means an escape), and the numbers are durable:
 * they are never used for something else. What is plain already is handed on as it is, not copied, and a column in which
 * nothing was escaped needs no look at all when it is read.
 */
import { types } from 'node:util';
import type { CodecEntry, CodecRegistry } from './codec-registry.ts';
import { MillraceError } from './errors.ts';

/** Values may be nested this deep in a record. */
export const recordDepthMax = 200;

const mark = '\u0000\u0001esc';
const escape = {
  array: 0, negativeZero: 1, utf16: 2, bigint: 3, date: 4, map: 5, set: 6, typedArray: 7, object: 8, instance: 9,
} as const;

/** One pass over the values of a column. */
export interface PlainPass {
  readonly registry: CodecRegistry;
  /** Set where something was escaped: then reading needs `fromPlain`. */
  escaped: boolean;
  /** Rough size of what was seen, in bytes. */
  weight: number;
}

/** Thrown by `toPlain` where a value can't be a record: the caller looks for the path with `findUnserializable`. */
export class NotPlain {
  readonly reason: string;
  readonly cause: unknown;

  constructor(reason: string, cause?: unknown) {
    this.reason = reason;
    this.cause = cause;
  }
}

/** The value itself where it is plain. Throws `NotPlain`. */
export function toPlain(value: unknown, pass: PlainPass, depth = 0): unknown {
  switch (typeof value) {
    case 'string':
      pass.weight += 4 + value.length;
      return isWellFormed(value) ? value : escapeUtf16(value, pass);
    case 'number':
      pass.weight += 8;
      return value === 0 && Object.is(value, -0) ? escaped(pass, [mark, escape.negativeZero]) : value;
    case 'boolean':
    case 'undefined':
      pass.weight += 1;
      return value;
    case 'bigint':
      return plainBigint(value, pass);
    case 'object':
      if (value === null) return value;
      if (depth >= recordDepthMax) throw new NotPlain(`is nested more than ${recordDepthMax} deep, or refers back to itself`);
      pass.weight += 8;
      return plainObject(value, pass, depth + 1);
    default:
      throw new NotPlain(typeof value === 'function' && value.name !== '' ? `is a function (${value.name})` : `is a ${typeof value}`);
  }
}

/** The value that `toPlain` was given. Changes the arrays and objects of the plain form, which must be the caller's alone. */
export function fromPlain(plain: unknown, registry: CodecRegistry): unknown {
  if (typeof plain !== 'object' || plain === null) return plain;
  if (Array.isArray(plain)) {
    const items = plain as unknown[];
    if (items[0] === mark) return fromEscape(items, registry);
    for (let index = 0; index < items.length; index++) {
      const item = items[index];
      if (typeof item === 'object' && item !== null) items[index] = fromPlain(item, registry);
    }
    return items;
  }
  // Bytes come only inside of an escape, so what is left is an object.
  const object = plain as Record<string, unknown>;
  for (const key of Object.keys(object)) {
    const item = object[key];
    if (typeof item === 'object' && item !== null) object[key] = fromPlain(item, registry);
  }
  return object;
}

function plainObject(value: object, pass: PlainPass, depth: number): unknown {
  if (Array.isArray(value)) return plainArray(value, pass, depth);
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === Object.prototype || prototype === null) return plainFields(value as Record<string, unknown>, pass, depth);
  const codec = pass.registry.ofPrototype(prototype);
  if (codec !== undefined) return escapeInstance(value, codec, pass, depth);
  if (isOwnKind(prototype, 'Date') && types.isDate(value)) return escaped(pass, [mark, escape.date, value.getTime()]);
  if (isOwnKind(prototype, 'Map') && types.isMap(value)) {
    const items: unknown[] = [mark, escape.map];
    for (const [key, item] of value) items.push(toPlain(key, pass, depth), toPlain(item, pass, depth));
    return escaped(pass, items);
  }
  if (isOwnKind(prototype, 'Set') && types.isSet(value)) {
    const items: unknown[] = [mark, escape.set];
    for (const item of value) items.push(toPlain(item, pass, depth));
    return escaped(pass, items);
  }
  if (types.isTypedArray(value)) {
    const type = typedArrayTypes.findIndex(({ name }) => isOwnKind(prototype, name));
    if (type >= 0) {
      pass.weight += value.byteLength;
      return escaped(pass, [mark, escape.typedArray, type, Buffer.from(value.buffer, value.byteOffset, value.byteLength)]);
    }
  }
  // A plain object of another realm (a vm context): its prototype is that realm's Object.prototype.
  if (Object.getPrototypeOf(prototype) === null && isOwnKind(prototype, 'Object')) {
    return plainFields(Object.assign({}, value) as Record<string, unknown>, pass, depth);
  }
  throw new NotPlain(`is an instance of ${nameOf(prototype)}, which has no codec`);
}

function plainArray(array: readonly unknown[], pass: PlainPass, depth: number): unknown {
  const prototype = Object.getPrototypeOf(array) as object | null;
  if (prototype !== Array.prototype) {
    const codec = prototype === null ? undefined : pass.registry.ofPrototype(prototype);
    if (codec !== undefined) return escapeInstance(array, codec, pass, depth);
    if (prototype === null || !isOwnKind(prototype, 'Array')) throw new NotPlain(`is an instance of ${nameOf(prototype)}, which has no codec`);
    return plainArray(Array.from(array), pass, depth);
  }
  let copy: unknown[] | null = null;
  for (let index = 0; index < array.length; index++) {
    const item = array[index];
    const plain = toPlain(item, pass, depth);
    // NaN is the one value that differs from itself, and it is plain.
    if (plain !== item && plain === plain) {
      copy ??= array.slice();
      copy[index] = plain;
    }
  }
  const plain = copy ?? array;
  return array[0] === mark ? escaped(pass, [mark, escape.array, ...plain]) : plain;
}

function plainFields(object: Readonly<Record<string, unknown>>, pass: PlainPass, depth: number): unknown {
  const keys = Object.keys(object);
  if (Object.getOwnPropertySymbols(object).length > 0) throw new NotPlain('has a symbol as a key');
  let copy: Record<string, unknown> | null = null;
  for (const key of keys) {
    pass.weight += 2 + key.length;
    if (key === '__proto__' || !isWellFormed(key)) return oddObject(object, keys, pass, depth);
    const item = object[key];
    const plain = toPlain(item, pass, depth);
    if (plain !== item && plain === plain) {
      copy ??= { ...object };
      copy[key] = plain;
    }
  }
  return copy ?? object;
}

function oddObject(object: Readonly<Record<string, unknown>>, keys: readonly string[], pass: PlainPass, depth: number): unknown {
  const items: unknown[] = [mark, escape.object];
  for (const key of keys) items.push(toPlain(key, pass, depth), toPlain(object[key], pass, depth));
  return escaped(pass, items);
}

function plainBigint(value: bigint, pass: PlainPass): unknown {
  pass.weight += 8;
  if (BigInt.asIntN(64, value) === value) return value;
  const text = value.toString(16);
  pass.weight += text.length;
  return escaped(pass, [mark, escape.bigint, text]);
}

function escapeUtf16(text: string, pass: PlainPass): unknown {
  return escaped(pass, [mark, escape.utf16, Buffer.from(text, 'utf16le')]);
}

function escaped(pass: PlainPass, items: unknown[]): unknown[] {
  pass.escaped = true;
  return items;
}

function escapeInstance(instance: object, codec: CodecEntry, pass: PlainPass, depth: number): unknown {
  let data: unknown;
  try {
    data = codec.encode(instance);
  } catch (cause) {
    throw new NotPlain(`could not be encoded by the codec ${codec.name}`, cause);
  }
  return escaped(pass, [mark, escape.instance, codec.name, toPlain(data, pass, depth)]);
}

function fromEscape(items: readonly unknown[], registry: CodecRegistry): unknown {
  switch (items[1]) {
    case escape.array:
      return items.slice(2).map((item) => fromPlain(item, registry));
    case escape.negativeZero:
      return -0;
    case escape.utf16: {
      const bytes = items[2] as Uint8Array;
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf16le');
    }
    case escape.bigint: {
      const text = items[2] as string;
      return text.startsWith('-') ? -BigInt(`0x${text.slice(1)}`) : BigInt(`0x${text}`);
    }
    case escape.date:
      return new Date(items[2] as number);
    case escape.map: {
      const map = new Map<unknown, unknown>();
      for (let index = 2; index < items.length; index += 2) map.set(fromPlain(items[index], registry), fromPlain(items[index + 1], registry));
      return map;
    }
    case escape.set: {
      const set = new Set<unknown>();
      for (let index = 2; index < items.length; index++) set.add(fromPlain(items[index], registry));
      return set;
    }
    case escape.typedArray: {
      const type = typedArrayTypes[items[2] as number];
      if (type === undefined) throw unreadable(`a typed array of type ${String(items[2])}`);
      // A copy of their own, which is aligned too.
      return type.make(Uint8Array.prototype.slice.call(items[3] as Uint8Array).buffer as ArrayBuffer);
    }
    case escape.object: {
      const object: Record<string, unknown> = {};
      for (let index = 2; index < items.length; index += 2) {
        const value = fromPlain(items[index + 1], registry);
        // Not an assignment, which would set the prototype under the key __proto__.
        Object.defineProperty(object, fromPlain(items[index], registry) as string, { value, enumerable: true, configurable: true, writable: true });
      }
      return object;
    }
    case escape.instance: {
      const name = items[2] as string;
      const codec = registry.ofName(name);
      if (codec === undefined) throw unreadable(`an instance written by the codec ${name}, which is not registered on this thread`);
      return codec.decode(fromPlain(items[3], registry));
    }
    default:
      throw unreadable(`the escape ${String(items[1])}`);
  }
}

/** Numbers of the types are durable: only add at the end. */
const typedArrayTypes: readonly { readonly name: string; readonly make: (buffer: ArrayBuffer) => object }[] = [
  { name: 'Int8Array', make: (buffer) => new Int8Array(buffer) },
  { name: 'Uint8Array', make: (buffer) => new Uint8Array(buffer) },
  { name: 'Uint8ClampedArray', make: (buffer) => new Uint8ClampedArray(buffer) },
  { name: 'Int16Array', make: (buffer) => new Int16Array(buffer) },
  { name: 'Uint16Array', make: (buffer) => new Uint16Array(buffer) },
  { name: 'Int32Array', make: (buffer) => new Int32Array(buffer) },
  { name: 'Uint32Array', make: (buffer) => new Uint32Array(buffer) },
  { name: 'Float32Array', make: (buffer) => new Float32Array(buffer) },
  { name: 'Float64Array', make: (buffer) => new Float64Array(buffer) },
  { name: 'BigInt64Array', make: (buffer) => new BigInt64Array(buffer) },
  { name: 'BigUint64Array', make: (buffer) => new BigUint64Array(buffer) },
  // A Buffer's prototype says nothing of its own name but through its constructor: see isOwnKind.
  { name: 'Buffer', make: (buffer) => Buffer.from(buffer) },
];

/** Whether this is the prototype of the built-in class of that name, in this realm or another: not that of a subclass. */
function isOwnKind(prototype: object, name: string): boolean {
  const own = (globalThis as unknown as Record<string, { prototype?: object } | undefined>)[name];
  if (own?.prototype === prototype) return true;
  const constructor = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value as unknown;
  return typeof constructor === 'function' && constructor.name === name && /\[native code\]/.test(Function.prototype.toString.call(constructor));
}

// Since V8 11; TypeScript knows it from es2024 on.
const isWellFormedMethod = (String.prototype as unknown as { isWellFormed(this: string): boolean }).isWellFormed;

export function isWellFormed(text: string): boolean {
  return isWellFormedMethod.call(text);
}

function nameOf(prototype: object | null): string {
  const constructor = prototype === null ? undefined : (prototype as { constructor?: { name?: unknown } }).constructor;
  return typeof constructor?.name === 'string' && constructor.name !== '' ? constructor.name : 'an unnamed class';
}

function unreadable(got: string): MillraceError {
  return new MillraceError(
    'RecordsUnreadable',
    `Expected records in a form that this version reads, got ${got}. Register the codec, or read them with the release that wrote them.`,
  );
}

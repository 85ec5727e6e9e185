/**
 * A record as text: what `print`, `saveAsTextFile` and `saveAsTextFiles` write.
 *
 * Invariant: total and bounded in depth; equal records have equal texts on every thread.
 *
 *   'a b'            a b               strings as they are, also inside others, as Spark
 *   ['a', 1]         (a,1)             an array of two is a pair, shown as Spark's tuple: (a,(1,2)) for ['a', [1, 2]]
 *   [1, 2, 3]        [1, 2, 3]         other arrays and typed arrays
 *   { a: 1 }         {a: 1}            plain objects;  Map(k -> v, ...) and Set(x, ...) as Scala's
 *   null             null              undefined, true, 3.5, NaN, -0 and 12n as 12: as JavaScript writes them, but -0 with its sign
 *   new Date(0)      1970-01-01T00:00:00.000Z
 */
const depthMax = 64;

export function textOf(record: unknown, depth = 0): string {
  if (typeof record === 'string') return record;
  if (typeof record === 'number') return Object.is(record, -0) ? '-0' : String(record);
  if (record === null || typeof record !== 'object') return String(record);
  if (depth >= depthMax) return '…';
  const inner = (value: unknown): string => textOf(value, depth + 1);
  if (Array.isArray(record)) return record.length === 2 ? `(${inner(record[0])},${inner(record[1])})` : `[${Array.from(record, inner).join(', ')}]`;
  if (record instanceof Date) return Number.isNaN(record.getTime()) ? 'Invalid Date' : record.toISOString();
  if (record instanceof Map) return `Map(${Array.from(record, ([key, value]) => `${inner(key)} -> ${inner(value)}`).join(', ')})`;
  if (record instanceof Set) return `Set(${Array.from(record, inner).join(', ')})`;
  if (ArrayBuffer.isView(record) && !(record instanceof DataView)) return `[${Array.from(record as unknown as ArrayLike<unknown>, inner).join(', ')}]`;
  const { toString } = record as { toString?: unknown };
  // A class that has a text of its own is shown by it.
  if (typeof toString === 'function' && toString !== Object.prototype.toString) return String(record);
  return `{${Object.entries(record).map(([key, value]) => `${key}: ${inner(value)}`).join(', ')}}`;
}

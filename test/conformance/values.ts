/**
 * Values of conformance cases: JSON records, their canonical order, equality by value, and short texts of them.
 *
 * Invariant: nothing here uses the runtime's own notion of keys or order (lib/base/key.ts), so that a mistake there
 * can't hide itself in the comparison. Integers are Spark's Longs, other numbers its Doubles; -0 never occurs.
 */

/** A record of a case: what JSON can say. */
export type Value = null | boolean | number | string | readonly Value[];

/** null < booleans < numbers < strings (UTF-16 units) < arrays (element by element, the shorter first). */
export function compareValues(a: Value, b: Value): number {
  const rank = rankOf(a) - rankOf(b);
  if (rank !== 0) return rank;
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let index = 0; index < a.length && index < b.length; index += 1) {
      const order = compareValues(a[index] as Value, b[index] as Value);
      if (order !== 0) return order;
    }
    return a.length - b.length;
  }
  const left = a as number | string | boolean;
  const right = b as number | string | boolean;
  return left === right || a === null ? 0 : left < right ? -1 : 1;
}

/** Deep equality. Arrays only equal arrays; undefined equals nothing but itself, so that a lost null is seen. */
export function equalValues(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((element, index) => equalValues(element, b[index]));
  }
  return a === b;
}

/** A sorted copy, in canonical order. */
export function sortedValues(values: Iterable<Value>): Value[] {
  return [...values].sort(compareValues);
}

/** One line for messages, cut after `charactersMax`. */
export function previewValue(value: unknown, charactersMax = 120): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > charactersMax ? `${text.slice(0, charactersMax)}...` : text;
}

function rankOf(value: Value): number {
  if (value === null || value === undefined) return 0;
  if (typeof value === 'boolean') return 1;
  if (typeof value === 'number') return 2;
  if (typeof value === 'string') return 3;
  if (Array.isArray(value)) return 4;
  throw new TypeError(`Expected a JSON record without objects, got ${Object.prototype.toString.call(value)}.`);
}

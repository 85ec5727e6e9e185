/** Typed arrays that grow: a copy with more room. Invariant: what was in it is at the same place, and what is new is 0. */
export function grown<A extends Int32Array | Uint32Array | Uint8Array>(array: A, length: number): A {
  const larger = new (array.constructor as new (length: number) => A)(length);
  larger.set(array);
  return larger;
}

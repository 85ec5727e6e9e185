/**
 * The compiler's side of a rule that tasks enforce: what a function on records gives is a record, never a promise or a function.
 *
 * Invariant: it refuses, and infers nothing. A bound of the type parameter can't say "all but these", and a conditional type in
 * the function's own place would refuse a result whose type is a parameter of the caller's (`<V>(pairs) => pairs.map(([, v]) => v)`).
 * So the rule stands beside it, in the type of `this`, the other way round: a conditional type that is not decided yet counts
 * there by its branch for what is allowed.
 *
 *   words.map(async (word) => word)      U = Promise<string>     (result: any) => void      `this` has (result: never) => void: refused
 *   words.map((word) => word)            U = string              (result: never) => void    the same: allowed
 */

/** What is no record, as far as the compiler can tell. */
type NotARecord = PromiseLike<unknown> | Function;

/** `any` where it is to be refused: the only type that is not assignable to `never`, and drops out of a branch that is not decided. */
type Refused<U> = 0 extends 1 & U ? never : U extends NotARecord ? any : U extends readonly [infer K, infer V] ? RefusedInPair<K> | RefusedInPair<V> : never;
type RefusedInPair<U> = 0 extends 1 & U ? never : U extends NotARecord ? any : never;

/** Beside the type of `this` of a method whose function gives a `U`: the method can't be called where `U` is no record. */
export interface RecordsOnly<U> {
  /** The text is what the compiler shows. @internal */
  readonly 'A function on records must return the record itself, neither a promise nor a function; for async work use foreachPartition': (result: Refused<U>) => void;
}

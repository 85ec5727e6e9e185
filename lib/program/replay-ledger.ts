/**
 * The recorded transform calls whose functions some RDD still names.
 *
 * Invariant: a record is kept exactly as long as a node with a function of that call lives.
 */
import type { FunctionRef, RddNode, ReplayRecord } from '../../protocol/rdd.ts';
import { functionRefsOf } from './function-refs.ts';
import type { TransformScope } from './transform-scope.ts';

export class ReplayLedger {
  readonly #records = new Map<string, ReplayRecord>();
  readonly #users = new Map<string, number>();

  keep(record: ReplayRecord): void {
    const key = keyOf(record);
    if ((this.#users.get(key) ?? 0) > 0) this.#records.set(key, record);
  }

  noteNode(node: RddNode): void {
    for (const key of keysOf(node)) this.#users.set(key, (this.#users.get(key) ?? 0) + 1);
  }

  dropNode(node: RddNode): void {
    for (const key of keysOf(node)) {
      const left = (this.#users.get(key) ?? 0) - 1;
      if (left > 0) {
        this.#users.set(key, left);
        continue;
      }
      this.#users.delete(key);
      this.#records.delete(key);
    }
  }

  /** `underWay`: the call that runs now, as far as it has come, for jobs of its own actions. */
  of(refs: readonly FunctionRef[], underWay: TransformScope | null): ReplayRecord[] {
    const keys = keysOfRefs(refs);
    return [...keys].flatMap((key) => (underWay !== null && keyOf(underWay) === key ? underWay.record() : this.#records.get(key) ?? []));
  }

  get size(): number {
    return this.#records.size;
  }
}

function keyOf(call: { readonly operator: number; readonly time: number }): string {
  return `${call.operator}@${call.time}`;
}

function keysOf(node: RddNode): Set<string> {
  return keysOfRefs(functionRefsOf(node));
}

function keysOfRefs(refs: readonly FunctionRef[]): Set<string> {
  return new Set(refs.flatMap((ref) => (ref.kind === 'batch' ? [keyOf(ref)] : [])));
}

/**
 * A plan's rules, counts and record, in memory that all threads share: what a thread did before it was killed is there all the same.
 *
 *   words   | rules | claimed | struck | per rule: seen, struck, end of its text | per strike: done, rule, nth, host, role, place |
 *   text    | rule 0 as JSON | rule 1 as JSON | ...
 *
 * Invariant: rules are added by the app's thread alone, and never change or go; a rule counts once its number is in `rules`. What is
 * beyond `strikesMax` is counted and not recorded.
 */
import type { FaultRule } from '../../protocol/fault.ts';
import { MillraceError } from '../../protocol/errors.ts';
import type { HostRole } from '../../protocol/host.ts';

const rulesMax = 256;
const strikesMax = 4_096;
const textBytesMax = 65_536;
const headWords = 3;
const ruleWords = 3;
const strikeWords = 6;
const firstStrike = headWords + rulesMax * ruleWords;
const words = firstStrike + strikesMax * strikeWords;

const roles: readonly (HostRole | 'app')[] = ['app', 'driver', 'io', 'worker'];

/** A fault that was injected. */
export interface Strike {
  /** The rule's place in the plan. */
  readonly rule: number;
  /** Which one of the events that the rule looks at it was, from 1. */
  readonly nth: number;
  readonly host: number;
  readonly role: HostRole | 'app';
  /** Place among the threads of its role. */
  readonly index: number;
}

export class FaultMemory {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #text: Uint8Array;
  readonly #rules: FaultRule[] = [];

  constructor(buffer = new SharedArrayBuffer(words * 4 + textBytesMax)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer, 0, words);
    this.#text = new Uint8Array(buffer, words * 4);
  }

  /** All rules so far; those added since the last call are read. */
  get rules(): readonly FaultRule[] {
    const count = Atomics.load(this.#words, 0);
    while (this.#rules.length < count) {
      const number = this.#rules.length;
      // The decoder takes no shared memory.
      const bytes = this.#text.slice(this.#endOf(number - 1), this.#endOf(number));
      this.#rules.push(JSON.parse(new TextDecoder().decode(bytes)) as FaultRule);
    }
    return this.#rules;
  }

  /** Throws InvalidArgument where the plan is full. */
  add(rule: FaultRule): void {
    const number = Atomics.load(this.#words, 0);
    const start = this.#endOf(number - 1);
    const text = new TextEncoder().encode(JSON.stringify(rule));
    if (number === rulesMax || start + text.length > textBytesMax) {
      throw new MillraceError('InvalidArgument', `Expected a plan of at most ${rulesMax} rules and ${textBytesMax} bytes of JSON; this is rule ${number}, at byte ${start + text.length}. Make a new plan.`);
    }
    this.#text.set(text, start);
    this.#words[headWords + number * ruleWords + 2] = start + text.length;
    Atomics.store(this.#words, 0, number + 1);
  }

  /** One more event that the rule looks at: its number. */
  countSeen(rule: number): number {
    return Atomics.add(this.#words, headWords + rule * ruleWords, 1) + 1;
  }

  /** True where the rule may strike once more; it has then. */
  claim(rule: number, times: number): boolean {
    const at = headWords + rule * ruleWords + 1;
    for (;;) {
      const struck = Atomics.load(this.#words, at);
      if (struck >= times) return false;
      if (Atomics.compareExchange(this.#words, at, struck, struck + 1) === struck) return true;
    }
  }

  record({ rule, nth, host, role, index }: Strike): void {
    const number = Atomics.add(this.#words, 1, 1);
    if (number < strikesMax) {
      const at = firstStrike + number * strikeWords;
      this.#words.set([rule, nth, host, roles.indexOf(role), index], at + 1);
      Atomics.store(this.#words, at, 1);
    }
    Atomics.add(this.#words, 2, 1);
    Atomics.notify(this.#words, 2);
  }

  /** In the order in which they came. */
  get strikes(): readonly Strike[] {
    const found: Strike[] = [];
    for (let number = 0; number < Math.min(this.struck, strikesMax); number += 1) {
      const at = firstStrike + number * strikeWords;
      // Of one that is being written just now, all behind it are left out, too: the record has no gap.
      if (Atomics.load(this.#words, at) === 0) break;
      const [rule = 0, nth = 0, host = 0, role = 0, index = 0] = this.#words.subarray(at + 1, at + strikeWords);
      found.push({ rule, nth, host, role: roles[role]!, index });
    }
    return found;
  }

  get struck(): number {
    return Atomics.load(this.#words, 2);
  }

  /** Resolves when there are `count` strikes or more. */
  async reached(count: number): Promise<void> {
    for (let struck = this.struck; struck < count; struck = this.struck) {
      await (Atomics as unknown as WaitsAsync).waitAsync(this.#words, 2, struck).value;
    }
  }

  #endOf(rule: number): number {
    return rule < 0 ? 0 : this.#words[headWords + rule * ruleWords + 2]!;
  }
}

/** Node 20 has it, the library of types for ES2023 does not. */
interface WaitsAsync {
  waitAsync(words: Int32Array, index: number, value: number): { readonly value: PromiseLike<string> | string };
}

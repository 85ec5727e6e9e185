/**
 * Decides, on one host, whether something that happens now is struck by a rule of the plan.
 *
 * Invariant: whether the n-th event of a rule is struck, and how, depends on the plan's seed, the rule's number and n alone: the same seed
 * strikes the same events again, on whatever threads they are. A rule's events are counted over all threads.
 */
import type { FaultPlanShare, FaultRule } from '../../protocol/fault.ts';
import type { HostRole } from '../../protocol/host.ts';
import { createPrng } from '../base/prng.ts';
import type { Prng } from '../base/prng.ts';
import { FaultMemory } from './fault-memory.ts';

export interface FaultPlace {
  readonly host: number;
  readonly role: HostRole | 'app';
  readonly index: number;
}

type RuleOf<Kind extends FaultRule['fault']> = Extract<FaultRule, { readonly fault: Kind }>;

export interface Hit<Rule> {
  readonly rule: Rule;
  /** For what is chosen at this strike: seeded by it. */
  readonly prng: Prng;
}

export class FaultInjector {
  readonly role: FaultPlace['role'];
  readonly #memory: FaultMemory;
  readonly #prng: Prng;
  readonly #place: FaultPlace;

  constructor({ seed, memory }: FaultPlanShare, { host, role, index }: FaultPlace) {
    this.role = role;
    this.#memory = new FaultMemory(memory);
    this.#prng = createPrng(`faults/${seed}`);
    this.#place = { host, role, index };
  }

  /** Something happens: the rules of that kind that look at it count it. Gives the first of those that strike; they alone have struck. */
  strike<Kind extends FaultRule['fault']>(kind: Kind, looksAt: (rule: RuleOf<Kind>) => boolean): Hit<RuleOf<Kind>> | null {
    let hit: Hit<RuleOf<Kind>> | null = null;
    for (const [index, rule] of this.#memory.rules.entries()) {
      if (rule.fault !== kind || !looksAt(rule as RuleOf<Kind>)) continue;
      const nth = this.#memory.countSeen(index);
      if (hit !== null) continue;
      const prng = this.#prng.fork(`${index}/${nth}`);
      if (nth < (rule.nth ?? 1) || prng.next() >= (rule.probability ?? 1)) continue;
      if (!this.#memory.claim(index, rule.times ?? (rule.probability === undefined ? 1 : Infinity))) continue;
      this.#memory.record({ rule: index, nth, ...this.#place });
      hit = { rule: rule as RuleOf<Kind>, prng };
    }
    return hit;
  }
}

/**
 * The simulator's faults: by plan (this actor, at this turn, here) or by probability (seeded).
 *
 *   message taken ── beforeTurn ── handler ── effect 0 ── effect 1 ── ... ── effect n-1 ── behind all
 *                        ^                 ^           ^                  ^            ^
 *                        crash points of one turn: `at: 'beforeTurn'`, 0, 1, ... n-1, n
 *
 * Invariant: a fault is drawn from generators of its own, so that adding a planned one does not change the others.
 */
import type { HostId } from '../../protocol/ids.ts';
import type { Prng } from '../base/prng.ts';
import type { Cell } from './cell.ts';
import type { Faults } from './system.ts';

/** `path`'s turn number `turn`, counted from 1 over all its lives, its `init` being one. */
export interface PlannedFault {
  readonly path: string;
  readonly turn: number;
  /** Before the handler, or before the effect of that index (the number of effects: behind the last). Default: beforeTurn. */
  readonly at?: 'beforeTurn' | number;
  /** `host` takes the whole host of the actor down, in that instant. Default: the actor alone. */
  readonly kill?: 'actor' | 'host';
}

export interface FaultOptions {
  readonly plan?: readonly PlannedFault[];
  /** The chance of an actor's crash in a turn, spread over its crash points. */
  readonly crashProbability?: number;
  /** The chance, in a turn, that its host dies. */
  readonly killHostProbability?: number;
  /** Which actors may be hit by chance. Default: all that have a parent. */
  readonly mayCrash?: (cell: Cell) => boolean;
  readonly mayKill?: (host: HostId) => boolean;
  /** Bounds on the faults by chance. Default: none. */
  readonly faultsMax?: number;
}

export class SimulatedFaults implements Faults {
  /** Nothing happens by chance while it is false: to let a system settle at the end of a run. Planned faults still do. */
  byChance = true;
  readonly #options: FaultOptions;
  readonly #prng: Prng;
  readonly #onFault: (cell: Cell, kill: 'actor' | 'host', where: string) => void;
  readonly #onPoint: () => boolean;
  readonly #turns = new Map<string, number>();
  /** Drawn at the beginning of a turn: at which point it is hit. */
  #drawn: { readonly at: number; readonly kill: 'actor' | 'host' } | null = null;
  #count = 0;

  /** `onPoint`: at each crash point; true where the whole process has gone there. */
  constructor(options: FaultOptions, prng: Prng, onFault: (cell: Cell, kill: 'actor' | 'host', where: string) => void, onPoint: () => boolean = () => false) {
    this.#options = options;
    this.#prng = prng;
    this.#onFault = onFault;
    this.#onPoint = onPoint;
  }

  beforeTurn(cell: Cell): boolean {
    const turn = (this.#turns.get(cell.ref.path) ?? 0) + 1;
    this.#turns.set(cell.ref.path, turn);
    if (this.#onPoint()) return true;
    this.#drawn = this.#draw(cell);
    if (this.#drawn !== null && this.#drawn.at < 0.25) return this.#hit(cell, this.#drawn.kill, 'before its turn');
    return this.#planned(cell, 'beforeTurn', 'before its turn');
  }

  beforeEffect(cell: Cell, index: number, count: number): boolean {
    if (this.#onPoint()) return true;
    const where = index === count ? 'behind its effects' : `before effect ${index} of ${count}`;
    // The rest of the unit is shared out among the crash points behind the handler.
    if (this.#drawn !== null && Math.floor(((this.#drawn.at - 0.25) / 0.75) * (count + 1)) === index) return this.#hit(cell, this.#drawn.kill, where);
    return this.#planned(cell, index, where);
  }

  #draw(cell: Cell): { readonly at: number; readonly kill: 'actor' | 'host' } | null {
    const { crashProbability = 0, killHostProbability = 0, mayCrash = hasParent, mayKill = () => true, faultsMax = Infinity } = this.#options;
    if (crashProbability + killHostProbability === 0) return null;
    // Drawn always, so that the stream of numbers does not depend on the answers of the two functions.
    const chance = this.#prng.next();
    const at = this.#prng.next();
    if (!this.byChance || this.#count >= faultsMax) return null;
    const kill = chance < killHostProbability ? 'host' : 'actor';
    if (chance >= killHostProbability + crashProbability) return null;
    if (kill === 'host' ? !mayKill(cell.ref.host) : !mayCrash(cell)) return null;
    this.#count += 1;
    return { at, kill };
  }

  #planned(cell: Cell, at: 'beforeTurn' | number, where: string): boolean {
    const turn = this.#turns.get(cell.ref.path) ?? 0;
    const planned = this.#options.plan?.find((fault) => fault.path === cell.ref.path && fault.turn === turn && (fault.at ?? 'beforeTurn') === at);
    return planned !== undefined && this.#hit(cell, planned.kill ?? 'actor', where);
  }

  #hit(cell: Cell, kill: 'actor' | 'host', where: string): true {
    this.#drawn = null;
    this.#onFault(cell, kill, where);
    return true;
  }
}

function hasParent(cell: Cell): boolean {
  return cell.parent !== null;
}

/**
 * Worker threads that die while a case runs: in which batches, where in them, and which ones.
 *
 * Invariant: all of that is drawn from the seed and the case's name, whatever ran before, so that one case alone is killed as it
 * was among all the others. How far the batch has come at a kill is the threads' own.
 */
import type { Prng } from '../../lib/base/prng.ts';

/** Of one case: its batches are few, and each death costs the start of a thread. */
export const killsPerCaseMax = 2;
/** One batch in so many has a death before it, or in it: half of the cases have one. */
const batchesPerKillBefore = 40;
const batchesPerKillWithin = 20;
/** The driver answers this many questions at most between a batch's start and a kill in it: about as long as a batch takes. */
const answersMax = 4;

/** What kills: the threads of one cluster. */
export interface Victims {
  /** The workers that live now. An answer of the driver's. */
  workers(): Promise<readonly number[]>;
  kill(host: number): Promise<void>;
}

export class Kills {
  readonly #prng: Prng;
  readonly #victims: Victims;
  #left = killsPerCaseMax;

  /** `prng`: of this case alone. */
  constructor(prng: Prng, victims: Victims) {
    this.#prng = prng;
    this.#victims = victims;
  }

  /** Runs one batch, with a death before it, in it, or none. */
  async around(batch: () => Promise<unknown>): Promise<void> {
    if (this.#draws(batchesPerKillBefore)) await this.#kill(await this.#victims.workers());
    const workers = this.#draws(batchesPerKillWithin) ? await this.#victims.workers() : null;
    const done = batch();
    // Whoever waits for the batch hears of its failure; nothing is lost while the kill is under way.
    done.catch(() => {});
    if (workers !== null) {
      for (let answers = this.#prng.int(answersMax + 1); answers > 0; answers -= 1) await this.#victims.workers();
      await this.#kill(workers);
    }
    await done;
  }

  #draws(oneIn: number): boolean {
    return this.#left > 0 && this.#prng.int(oneIn) === 0;
  }

  /** One of those that lived when the list was made. */
  async #kill(workers: readonly number[]): Promise<void> {
    this.#left -= 1;
    await this.#victims.kill(this.#prng.pick(workers));
  }
}

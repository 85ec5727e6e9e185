/**
 * The phases of the protocols in which a chaos run's faults strike: drawn by phase, a window of three steps is hit as often as one of three hundred.
 *
 *   trace   ... | turn job-generator generateJobs | perform generateJobs ... settled | turn write-ahead-log batchGenerated | ...
 *                                                 ^ begins (the nth time)  `--------'
 *                                                                           the fault, up to `points` crash points behind it
 *
 * Invariant: a phase is told by a line of the simulator's trace alone, by what is said or done there and not by what a bug would need.
 */
import type { Prng } from '../../lib/base/prng.ts';

export interface Phase {
  readonly name: string;
  /** The line of the trace that it begins with. */
  readonly begins: RegExp;
  /** How far behind it a fault may come: about as long as the phase is. */
  readonly points: number;
  /** Against the others. Default 1. */
  readonly weight?: number;
}

/** While the program runs. */
const running: readonly Phase[] = [
  { name: 'what the app gives', begins: /job-generator#\d+ \{"type":"(queuePushed|broadcastSet)"/, points: 25 },
  { name: 'a block is stored', begins: /\{"type":"putBlock"/, points: 25 },
  { name: 'a block is logged', begins: /perform appendBlock of/, points: 12 },
  { name: 'a block is reported', begins: /receiver-tracker#\d+ \{"type":"addBlocks"/, points: 25 },
  { name: 'allocation', begins: /receiver-tracker#\d+ \{"type":"allocate"/, points: 20 },
  { name: 'generation', begins: /perform generateJobs of/, points: 60, weight: 2 },
  { name: 'a batch is logged', begins: /write-ahead-log#\d+ \{"type":"logEvent","event":\{"type":"batchGenerated"/, points: 20 },
  { name: 'from allocation to completion', begins: /job-scheduler#\d+ \{"type":"submitJobSet"/, points: 120, weight: 3 },
  { name: 'an output is written', begins: /perform foreachRDD of/, points: 12 },
  { name: 'a batch is complete', begins: /job-generator#\d+ \{"type":"batchCompleted"/, points: 40 },
  { name: 'states are committed', begins: /perform appendState of/, points: 15 },
  { name: 'from states to completion', begins: /perform appendState settled of/, points: 15 },
  { name: 'completion is logged', begins: /write-ahead-log#\d+ \{"type":"logCompleted"/, points: 20 },
  { name: 'a batch is forgotten', begins: /job-generator#\d+ \{"type":"batchCommitted"/, points: 25 },
  { name: 'a checkpoint is written', begins: /perform writeCheckpoint of/, points: 20 },
  { name: 'a segment is made', begins: / disk create$/, points: 6 },
  { name: 'a name is changed', begins: / disk rename$/, points: 4 },
  { name: 'a file is removed', begins: / disk remove$/, points: 4 },
  { name: 'a thread is replaced', begins: /hears that host \d+ is dead/, points: 40 },
  { name: 'the end', begins: /write-ahead-log#\d+ \{"type":"closeLog"/, points: 15 },
];

/** While it goes on from what is on the disk. */
const recovering: readonly Phase[] = [
  { name: 'the log is read', begins: / disk read$/, points: 6 },
  { name: 'the log is settled', begins: / disk (truncate|lock|size)$/, points: 6 },
  { name: 'the program is loaded', begins: /perform loadProgram of/, points: 25 },
  { name: 'the log is opened', begins: /perform openLog of/, points: 12 },
  { name: 'state is restored', begins: /task-scheduler#\d+ \{"type":"restoreState"/, points: 25 },
  { name: 'blocks are restored', begins: /receiver-tracker#\d+ \{"type":"restoreBlocks"/, points: 25 },
];

/** In which threads are lost more than by chance. */
const ofThreads: readonly Phase[] = [
  ...running.filter(({ name }) => ['a block is stored', 'a block is reported', 'allocation', 'generation', 'from allocation to completion', 'a batch is complete', 'states are committed', 'a thread is replaced'].includes(name)),
  { name: 'a task', begins: /perform runTask of/, points: 4 },
  { name: 'a task is done', begins: /task-scheduler#\d+ \{"type":"taskSucceeded"/, points: 4 },
  { name: 'a block gets a replica', begins: /\{"type":"replicateBlocks"/, points: 8 },
];

/** In which the app gives something more than by chance: what is given while a batch is made, or ends, has to be with one batch or the other. */
const ofApp = running.filter(({ name }) => ['allocation', 'generation', 'a batch is logged', 'a batch is complete', 'a batch is forgotten'].includes(name));

export const phasesOf = { process: { running, recovering }, threads: ofThreads, app: ofApp } as const;

export function drawPhase(phases: readonly Phase[], prng: Prng): Phase {
  return prng.pick(phases.flatMap((phase) => Array.from({ length: phase.weight ?? 1 }, () => phase)));
}

/** A fault that waits for its phase. */
export class Aim {
  readonly phase: Phase;
  readonly #strike: (behind: number) => void;
  readonly #behind: number;
  #left: number;

  /** By the seed: which time of the phase, and how far behind its beginning. */
  constructor(phase: Phase, prng: Prng, strike: (behind: number) => void) {
    this.phase = phase;
    this.#left = 1 + prng.int(prng.pick([1, 1, 2, 5]));
    this.#behind = 1 + prng.int(phase.points);
    this.#strike = strike;
  }

  /** Each line of the trace. */
  see(line: string): void {
    if (this.#left === 0 || !this.phase.begins.test(line)) return;
    this.#left -= 1;
    if (this.#left === 0) this.#strike(this.#behind);
  }
}

/** What is done again and again: of ten times that one of the phases begins, `ofTen`. */
export class Habit {
  readonly #phases: readonly Phase[];
  readonly #prng: Prng;
  readonly #ofTen: number;
  readonly #strike: (behind: number) => void;

  constructor(phases: readonly Phase[], prng: Prng, ofTen: number, strike: (behind: number) => void) {
    this.#phases = phases;
    this.#prng = prng;
    this.#ofTen = ofTen;
    this.#strike = strike;
  }

  /** Each line of the trace. */
  see(line: string): void {
    if (this.#ofTen === 0) return;
    const phase = this.#phases.find(({ begins }) => begins.test(line));
    if (phase !== undefined && this.#prng.int(10) < this.#ofTen) this.#strike(1 + this.#prng.int(phase.points));
  }
}

/**
 * The RDDs of one program on the app's thread: those that the driver has told of, for bodies of foreachRDD and slices, and what the app makes of them.
 *
 * Invariant: an RDD belongs to the driver that told of it. When that one dies, its RDDs are known no more; no later driver takes one for its own.
 */
import { RuntimeRdds } from '../actors/runtime-rdds.ts';
import type { JobRunner } from '../actors/runtime-rdds.ts';
import type { HostServices } from '../actors/services.ts';
import type { SlicedRdds } from '../protocol/batch.ts';
import type { RddId } from '../protocol/ids.ts';
import type { RddNode } from '../protocol/rdd.ts';
import { GivenSlices } from './given-slices.ts';
import type { ProgramBuilder } from './program/program-builder.ts';
import { RDD } from './rdd/rdd.ts';

export class AppRdds {
  readonly #builder: ProgramBuilder;
  readonly #run: JobRunner;
  /** Null inline: the driver's context serves the app, too, and is attached when the program starts there. */
  #runtime: RuntimeRdds | null = null;
  #sliced = new GivenSlices();

  /** `run`: how a job of the app's gets to the driver. */
  constructor(builder: ProgramBuilder, run: JobRunner) {
    this.#builder = builder;
    this.#run = run;
  }

  /** Not inline: to the app's end of a cluster, of the first one or of another that follows it. */
  attach(services: HostServices): void {
    this.#runtime = new RuntimeRdds(services, this.#builder, this.#run);
    this.#builder.rdds.attach(this.#runtime, { stores: false });
  }

  /** The driver is gone: what it had told of is known no more. */
  lost(): void {
    this.#builder.rdds.release(this.#builder.rdds.made);
    this.#sliced = new GivenSlices();
  }

  define(node: RddNode): void {
    this.#runtime?.define(node);
  }

  /** An RDD that the driver has told of, and what was made of it here: its time is over. */
  forget(given: RddId, made: readonly RddId[]): void {
    // Inline the driver owns all RDDs, and sweeps them with the batch.
    if (this.#runtime !== null) this.#runtime.forget(given, this.#builder.rdds.release(made));
  }

  /** Of a stream that remembers its RDDs for so long. */
  takeSlice(sliced: SlicedRdds, rememberMs: number): RDD<unknown>[] {
    const { graph, rdds } = this.#builder;
    const nodes = new Map(sliced.nodes.map((node) => [node.id, node]));
    this.#sliced.take(sliced.rdds, rememberMs / graph.batchIntervalMs);
    return sliced.rdds.map((id) => {
      const node = nodes.get(id);
      if (node !== undefined) this.define(node);
      return new RDD<unknown>(rdds, id);
    });
  }

  batchCompleted(): void {
    for (const id of this.#sliced.batchCompleted()) this.forget(id, this.#builder.rdds.descendantsOf(id));
  }
}

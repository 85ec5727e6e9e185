/**
 * Streams that build on their own results, and how far back their lineage may reach.
 *
 *   state 1 <- state 2 <- state 3 <- state 4        each is made of the one before
 *              made       |--- not made ---|
 *              `- lineage ends here
 *
 * Invariant: at most `openMax` versions in a row are left that are not made. Versions are made as outputs ask for them; where none of a
 * batch's outputs runs a job, nobody asks, and the lineage would grow for as long as the stream runs. So one is made once in a while.
 */
import type { DStream } from '../dstream/dstream.ts';
import type { DStreamGraph } from '../dstream/graph.ts';
import type { RddId } from '../../protocol/ids.ts';
import type { BatchTime } from '../../protocol/time.ts';
import { isOver } from '../rdd/state-rdd.ts';
import type { ProgramRdds } from './program-rdds.ts';

export const openMax = 10;

export class LineageEnds {
  readonly #graph: DStreamGraph;
  readonly #rdds: ProgramRdds;
  /** The versions of each stream since the last one that was made, oldest first. */
  readonly #open = new Map<DStream<unknown>, RddId[]>();

  constructor(graph: DStreamGraph, rdds: ProgramRdds) {
    this.#graph = graph;
    this.#rdds = rdds;
  }

  /** Before the batch at `time` is generated: versions that are to be made now. */
  overdue(time: BatchTime): RddId[] {
    return this.#graph.operators.flatMap((stream) => {
      if (stream.spec.keepsNewest !== true || !stream.isTimeValid(time)) return [];
      const newest = stream.newestRdd?.id;
      if (newest === undefined || isOver(this.#rdds, newest)) return [];
      const open = [...(this.#open.get(stream) ?? []).filter((id) => id !== newest), newest];
      this.#open.set(stream, open);
      return open.length % openMax === 0 ? [newest] : [];
    });
  }

  /** It is made, or never will be: nothing before it matters. */
  settled(rdd: RddId, made: boolean): void {
    this.#rdds.settle(rdd, made);
    for (const [stream, open] of this.#open) if (open.includes(rdd)) this.#open.set(stream, open.slice(open.indexOf(rdd) + 1));
  }
}

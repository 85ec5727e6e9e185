/**
 * Streams that build on their own results, and how far back their lineage may reach.
 *
 *   result 1 <- result 2 <- result 3 <- result 4        each is made of the one before
 *               stored      |-- not stored --|
 *               `- lineage ends here
 *
 * Invariant: at most `openMax` results in a row are left that are not stored whole, as long as there is memory to store one.
 * Results are stored as outputs compute them; one whose output reads only some partitions (`print` takes from the first) would
 * never be stored whole, and its lineage would grow for as long as the stream runs. So it is computed once in a while.
 */
import type { DStream } from '../dstream/dstream.ts';
import type { DStreamGraph } from '../dstream/graph.ts';
import type { RddId } from '../../protocol/ids.ts';
import type { BatchTime } from '../../protocol/time.ts';
import type { ProgramRdds } from './program-rdds.ts';

export const openMax = 10;

export class LineageEnds {
  readonly #graph: DStreamGraph;
  readonly #rdds: ProgramRdds;
  /** How many results of each stream have come since one was seen that is stored. */
  readonly #open = new Map<DStream<unknown>, number>();

  constructor(graph: DStreamGraph, rdds: ProgramRdds) {
    this.#graph = graph;
    this.#rdds = rdds;
  }

  /** Before the batch at `time` is generated: results that are to be computed in full now. */
  overdue(time: BatchTime): RddId[] {
    return this.#graph.operators.flatMap((stream) => {
      if (stream.spec.mustCheckpoint !== true || !stream.isTimeValid(time)) return [];
      const results = stream.remembered().filter((id) => this.#rdds.node(id).endsLineage === true);
      const newest = results.at(-1);
      const open = newest === undefined || results.some((id) => this.#rdds.hasEnded(id)) ? 0 : (this.#open.get(stream) ?? 0) + 1;
      this.#open.set(stream, open);
      return newest === undefined || open < openMax ? [] : [newest];
    });
  }
}

/**
 * Streams that build on their own results, and how far back their lineage may reach.
 *
 *   result 1 <- result 2 <- result 3 <- result 4        each is made of the one before
 *               stored      |-- not stored --|
 *               `- lineage ends here
 *
 * Invariant: at most `openMax` results in a row are left that are not stored whole, as long as one can be computed and stored.
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
  /** The results of each stream since the last one that was stored, oldest first. */
  readonly #open = new Map<DStream<unknown>, RddId[]>();

  constructor(graph: DStreamGraph, rdds: ProgramRdds) {
    this.#graph = graph;
    this.#rdds = rdds;
  }

  /** Before the batch at `time` is generated: results that are to be computed in full now. */
  overdue(time: BatchTime): RddId[] {
    return this.#graph.operators.flatMap((stream) => {
      if (stream.spec.mustCheckpoint !== true || !stream.isTimeValid(time)) return [];
      const newest = stream.remembered().at(-1);
      if (newest === undefined || this.#rdds.node(newest).endsLineage !== true || this.#rdds.hasEnded(newest)) return [];
      const open = [...(this.#open.get(stream) ?? []).filter((id) => id !== newest), newest];
      this.#open.set(stream, open);
      return open.length % openMax === 0 ? [newest] : [];
    });
  }

  /** All partitions of it are stored, and so nothing before it matters. */
  stored(rdd: RddId): void {
    this.#rdds.endLineage(rdd);
    for (const [stream, open] of this.#open) this.#open.set(stream, open.slice(open.indexOf(rdd) + 1));
  }
}

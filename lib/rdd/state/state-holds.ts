/**
 * Versions of keyed state whose bytes somebody reads outside of tasks: the writer of checkpoints.
 *
 * Invariant: as long as an RDD is held, nothing of it is forgotten, and its blocks keep their pins; what was to be forgotten meanwhile is
 * told when the last hold ends.
 */
import type { ProgramId, RddId } from '../../../protocol/ids.ts';
import type { SharedHandle } from '../../../protocol/rdd.ts';

interface Hold {
  readonly program: ProgramId;
  readonly emits: RddId | null;
  count: number;
  /** Pinned, each as often as it is here. */
  readonly handles: SharedHandle[];
  readonly forgotten: RddId[];
}

export class StateHolds {
  readonly #holds = new Map<RddId, Hold>();
  /** What a held version has emitted is held with it. */
  readonly #byEmitted = new Map<RddId, Hold>();

  hold(program: ProgramId, rdd: RddId, emits: RddId | null, handles: readonly SharedHandle[]): void {
    let hold = this.#holds.get(rdd);
    if (hold === undefined) this.#holds.set(rdd, (hold = { program, emits, count: 0, handles: [], forgotten: [] }));
    if (emits !== null) this.#byEmitted.set(emits, hold);
    hold.count += 1;
    hold.handles.push(...handles);
  }

  /** RDDs that may be forgotten now; the others are, once they are read. */
  forgettable(rdds: readonly RddId[]): readonly RddId[] {
    if (this.#holds.size === 0) return rdds;
    return rdds.filter((rdd) => {
      const hold = this.#holds.get(rdd) ?? this.#byEmitted.get(rdd);
      hold?.forgotten.push(rdd);
      return hold === undefined;
    });
  }

  /** They were read. What is to be unpinned, and forgotten. */
  read(rdds: readonly RddId[]): { readonly handles: readonly SharedHandle[]; readonly forget: readonly RddId[] } {
    const handles: SharedHandle[] = [];
    const forget: RddId[] = [];
    for (const rdd of rdds) {
      const hold = this.#holds.get(rdd);
      if (hold === undefined || (hold.count -= 1) > 0) continue;
      this.#end(rdd, hold);
      handles.push(...hold.handles);
      forget.push(...hold.forgotten);
    }
    return { handles, forget };
  }

  /** The program has ended. What is to be unpinned. */
  forgetProgram(program: ProgramId): readonly SharedHandle[] {
    const handles: SharedHandle[] = [];
    for (const [rdd, hold] of this.#holds) {
      if (hold.program !== program) continue;
      handles.push(...hold.handles);
      this.#end(rdd, hold);
    }
    return handles;
  }

  #end(rdd: RddId, { emits }: Hold): void {
    this.#holds.delete(rdd);
    if (emits !== null) this.#byEmitted.delete(emits);
  }
}

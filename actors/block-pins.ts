/**
 * Pins: handles that other block managers than their own know, and that must outlive their thread for it.
 *
 * Invariant: a pinned handle is *left* once its thread has exited, or has given it up: from then on the last pin's end gives it
 * back (`remove`, `dropHolder` and `leave` tell which those are). Until then it is its thread's, and ends of pins change nothing.
 *
 *   thread 2 stores b --pin by 3--> | b: thread 2's, pinned by 3 | --thread 2 exits--> | b: left, pinned by 3 | --unpin--> given back
 */
import { handleKey } from '../protocol/block.ts';
import type { HostId } from '../protocol/ids.ts';
import type { SharedHandle } from '../protocol/rdd.ts';

interface Pinned {
  readonly handle: SharedHandle;
  readonly origin: HostId;
  readonly holders: Set<HostId>;
  isLeft: boolean;
}

export class BlockPins {
  readonly #pinned = new Map<number, Pinned>();

  add(holder: HostId, origin: HostId, handles: readonly SharedHandle[]): void {
    for (const handle of handles) {
      const key = handleKey(handle);
      const known = this.#find(handle);
      if (known === null) this.#pinned.set(key, { handle, origin, holders: new Set([holder]), isLeft: false });
      else known.holders.add(holder);
    }
  }

  /** Gives those that are nobody's now. */
  remove(holder: HostId, handles: readonly SharedHandle[]): readonly SharedHandle[] {
    return handles.filter((handle) => {
      const known = this.#find(handle);
      if (known === null || !known.holders.delete(holder) || known.holders.size > 0) return false;
      this.#pinned.delete(handleKey(handle));
      return known.isLeft;
    });
  }

  /** The thread of the pins has exited. Gives those that are nobody's now. */
  dropHolder(holder: HostId): readonly SharedHandle[] {
    return this.remove(holder, [...this.#pinned.values()].map(({ handle }) => handle));
  }

  /** The thread that has made these gives them up. Gives those that nobody has pinned. */
  leave(handles: readonly SharedHandle[]): readonly SharedHandle[] {
    return handles.filter((handle) => {
      const known = this.#find(handle);
      if (known !== null) known.isLeft = true;
      return known === null;
    });
  }

  /** The thread has exited. Gives the handles of it that are pinned. */
  leaveOrigin(origin: HostId): readonly SharedHandle[] {
    const its = [...this.#pinned.values()].filter((pinned) => pinned.origin === origin);
    for (const pinned of its) pinned.isLeft = true;
    return its.map(({ handle }) => handle);
  }

  get size(): number {
    return this.#pinned.size;
  }

  #find(handle: SharedHandle): Pinned | null {
    const known = this.#pinned.get(handleKey(handle));
    return known?.handle.generation === handle.generation ? known : null;
  }
}

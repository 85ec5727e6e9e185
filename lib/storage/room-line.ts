/**
 * Who waits for room in shared memory, and when each may try again. Pure: looks at how much is free, frees nothing.
 *
 * Invariant: nobody waits for ever. Each leaves the line when a round that began while it stood there has made room, or as soon as so
 * much is free as it lacks, or when nothing is left that could make room; the last of these alone is a refusal.
 *
 *   found none ---> [ wait | wait | wait ] --- a round has ended that was for it: try again
 *                                         |--- enough became free meanwhile: try again
 *                                         `--- nothing more can go, and no task runs whose end could change that: refused
 */

export interface RoomWanted<Who> {
  readonly who: Who;
  readonly bytes: number;
  /** Free slabs when it found none for itself: as many again are no news. */
  readonly freeThen: number;
  /** A round is under way that is for it, too. */
  inRound: boolean;
}

export class RoomLine<Who> {
  #waiting: RoomWanted<Who>[] = [];

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** What all of them lack together. */
  get bytes(): number {
    return this.#waiting.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Behind all others. */
  add(who: Who, bytes: number, freeThen: number): void {
    this.#waiting.push({ who, bytes, freeThen, inRound: false });
  }

  /** Those for whom enough has become free, in their order: what one may take now is not there for the next one. */
  served(free: number, slabBytes: number): RoomWanted<Who>[] {
    let left = free;
    return this.#leave(({ bytes, freeThen }) => {
      const slabs = Math.max(1, Math.ceil(bytes / slabBytes));
      if (free <= freeThen || left < slabs) return false;
      left -= slabs;
      return true;
    });
  }

  roundBegan(): void {
    for (const wanted of this.#waiting) wanted.inRound = true;
  }

  /** Those that stood here when it began. Whether it was enough they find out. */
  roundEnded(): RoomWanted<Who>[] {
    return this.#leave(({ inRound }) => inRound);
  }

  /** Nothing can be done for any of them. */
  givenUp(): RoomWanted<Who>[] {
    return this.#leave(() => true);
  }

  #leave(goes: (wanted: RoomWanted<Who>) => boolean): RoomWanted<Who>[] {
    const left: RoomWanted<Who>[] = [];
    this.#waiting = this.#waiting.filter((wanted) => {
      if (!goes(wanted)) return true;
      left.push(wanted);
      return false;
    });
    return left;
  }
}

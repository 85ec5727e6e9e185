/**
 * Whether what a book names is whole on the disk: received blocks, and steps of keyed state. A task that reads it later looks at no checksum.
 *
 *   log    │ block  block │ event  block  event │        what stands before the book's last number is not read back; a step of a state may lie
 *          `-- not read --'`----- read back ----'        behind the place from where on another segment counts, which has the same again
 *
 * Invariant: a place that is not told of here is whole: it was read back just now, or is read here, with the rest of its segment.
 */
import type { FilePlace } from '../../protocol/rdd.ts';
import type { Disk } from '../storage/disk.ts';
import { decodeFrameHeader, frameHeaderBytes, frameOverheadBytes } from '../storage/log/frame.ts';
import { openSegments } from '../storage/log/segment.ts';
import type { Segment } from '../storage/log/segment.ts';
import { readSegment } from '../storage/log/segment-reader.ts';
import type { FoundFrame, LogFrame, SegmentEnd } from '../storage/log/segment-reader.ts';
import type { RecoveryBook } from './book.ts';

/** Bodies of frames that are whole, by file, in the order in which they lie there. */
export class WholeBodies {
  readonly #bodies = new Map<string, { readonly starts: number[]; readonly ends: number[] }>();

  add({ file, offset, body }: Pick<LogFrame, 'file' | 'offset' | 'body'>): void {
    let bodies = this.#bodies.get(file);
    if (bodies === undefined) this.#bodies.set(file, (bodies = { starts: [], ends: [] }));
    if (offset <= (bodies.starts.at(-1) ?? -1)) return;
    bodies.starts.push(offset);
    bodies.ends.push(offset + body.length);
  }

  holds({ file, offset, bytes }: FilePlace): boolean {
    const { starts, ends } = this.#bodies.get(file) ?? { starts: [], ends: [] };
    let low = 0;
    for (let high = starts.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= offset) low = middle + 1;
      else high = middle;
    }
    // Data is what a body ends with.
    return low > 0 && offset + bytes === ends[low - 1]!;
  }
}

/** All that the book names, in files relative to its directory. */
export function placesOf(book: RecoveryBook): FilePlace[] {
  const ofBlocks = [...book.blocks.values()].map(({ place }) => place);
  const links = [...book.states.values()].flatMap(({ versions }) => versions.flatMap((version) => version.links));
  const ofStates = links.flatMap((link) => [link?.pairs?.place, link?.extra?.place]).flatMap((place) => (place != null && 'file' in place ? [place] : []));
  return [...ofBlocks, ...ofStates].filter(({ bytes }) => bytes > 0);
}

/** Those of `places` that are not whole. `read`: what is known to be. */
export async function brokenPlaces(disk: Disk, directory: string, places: readonly FilePlace[], read: WholeBodies): Promise<readonly FilePlace[]> {
  const absolute = (place: FilePlace): FilePlace => ({ ...place, file: `${directory}/${place.file}` });
  const open = places.filter((place) => !read.holds(absolute(place)));
  const broken: FilePlace[] = [];
  for (const folder of new Set(open.map(({ file }) => file.slice(0, file.lastIndexOf('/'))))) {
    const segments = await openSegments(disk, `${directory}/${folder}`);
    const inFolder = open.filter(({ file }) => file.startsWith(`${folder}/`));
    for (const file of new Set(inFolder.map((place) => place.file))) {
      const segment = segments.find((one) => one.file === `${directory}/${file}`);
      const bodies = segment === undefined ? new WholeBodies() : await bodiesOf(disk, segment);
      broken.push(...inFolder.filter((place) => place.file === file && !bodies.holds(absolute(place))));
    }
  }
  return broken;
}

/** Up to where something is missing: from there on bodies lie where others were. Over a frame that is only damaged, it goes on. */
async function bodiesOf(disk: Disk, segment: Segment): Promise<WholeBodies> {
  const bodies = new WholeBodies();
  let from: FoundFrame | undefined;
  while (segment.header !== null) {
    const end = await readSegment({ disk, segment, limit: Infinity, onFrame: (frame) => bodies.add(frame), ...(from === undefined ? {} : { from }) });
    if (end.found === null || !(await isBehindDamaged(disk, segment.file, segment.header.seed, end, end.found))) break;
    from = end.found;
  }
  return bodies;
}

async function isBehindDamaged(disk: Disk, file: string, seed: number, { offset, nextSequence }: SegmentEnd, found: FoundFrame): Promise<boolean> {
  const header = decodeFrameHeader(seed, await disk.read(file, offset, offset + frameHeaderBytes));
  return header !== null && header.sequence === nextSequence && found.sequence === nextSequence + 1 && found.offset === offset + header.bodyBytes + frameOverheadBytes;
}

/** Takes what is broken out of the book: a block, or a version of a state and those that are made of it; the one before stands in. */
export function leaveOut(book: RecoveryBook, broken: readonly FilePlace[]): void {
  const isBroken = (place: unknown): boolean => broken.includes(place as FilePlace);
  for (const [id, { place }] of book.blocks) if (isBroken(place)) book.blocks.delete(id);
  for (const [uid, state] of book.states) {
    const first = state.versions.findIndex(({ links }) => links.some((link) => isBroken(link?.pairs?.place) || isBroken(link?.extra?.place)));
    if (first >= 0) book.states.set(uid, { ...state, versions: state.versions.slice(0, first) });
  }
}

/**
 * What the log of a program is told, as bytes in its files: events, blocks with their data, and the steps of keyed state.
 *
 * Invariant: nothing is copied: bytes are read where they lie, and must stay there until the promise has settled.
 */
import type { BlockRef, FilePlace, StateLink } from '../../protocol/rdd.ts';
import type { RecoveryEvent, StateCommit } from '../../protocol/recovery.ts';
import { encodeBlock, encodeEvent, frameTypes } from './event-codec.ts';
import type { RecoveryFiles } from './recovery-files.ts';

/** The bytes of a block, in shared memory or in a scratch file. */
export type ReadBlock = (block: BlockRef) => Uint8Array;

export interface Appended {
  readonly sequence: number;
  /** Of the event's own data. */
  readonly place: FilePlace | null;
}

export async function appendEvent(files: RecoveryFiles, event: Exclude<RecoveryEvent, { type: 'blockAdded' }>, when: 'urgent' | 'lazy'): Promise<Appended> {
  const { sequence } = await files.append(frameTypes.event, encodeEvent(event), { [when]: true });
  return { sequence, place: null };
}

export async function appendBlock(files: RecoveryFiles, event: Extract<RecoveryEvent, { type: 'blockAdded' }>, data: Uint8Array, urgent: boolean): Promise<Appended> {
  const { parts, dataOffset } = encodeBlock(event, data);
  const { sequence, file, offset, bytes } = await files.append(frameTypes.block, parts, { urgent });
  return { sequence, place: { file, offset: offset + dataOffset, bytes: bytes - dataOffset } };
}

/** The same versions, with the places of their steps in the state's log. */
export function appendStates(files: RecoveryFiles, commits: readonly StateCommit[], read: ReadBlock): Promise<StateCommit[]> {
  return Promise.all(commits.map((commit) => appendState(files, commit, read)));
}

async function appendState(files: RecoveryFiles, commit: StateCommit, read: ReadBlock): Promise<StateCommit> {
  if (commit.version === null) return commit;
  const links = await Promise.all(commit.version.links.map((link) => (link === null ? null : appendLink(files, link, read))));
  return { ...commit, version: { ...commit.version, links } };
}

async function appendLink(files: RecoveryFiles, link: StateLink, read: ReadBlock): Promise<StateLink> {
  const [pairs, extra] = await Promise.all([appendPart(files, link.pairs, read), appendPart(files, link.extra, read)]);
  return { ...link, pairs, extra };
}

async function appendPart(files: RecoveryFiles, block: BlockRef | null, read: ReadBlock): Promise<BlockRef | null> {
  if (block === null || block.place === null) return block;
  const { file, offset, bytes } = await files.appendState(frameTypes.state, [read(block)]);
  return { ...block, place: { file, offset, bytes } };
}

/**
 * What the driver knows of keyed state: which versions are made, of which steps each partition consists, which worker has it.
 *
 * Invariant: a version is made when all its partitions are; until then nothing reads it. One that failed is passed over: the next one
 * follows the version before it, so a batch that failed leaves every partition where it was. Bytes of a step are kept as long as a
 * version that somebody remembers, or the newest, needs them.
 *
 *   table 3, partition 0:   t1 [snapshot] -> t2 [step] -> t3 (failed)
 *                                               `-------> t4 [step] -> t5 [snapshot]       t1 to t4 go when t5 is the oldest remembered
 *
 * A restored version is made and owned by nobody; its steps lie in the log. Where it was written by another layout, or as another version of the
 * values, tasks are told so (`origin`), and what follows it is snapshots.
 */
import type { BlockRef, FunctionRef, RddNode, SharedHandle, StateLink } from '../../../protocol/rdd.ts';
import type { RestoredState, StateVersionLinks } from '../../../protocol/state.ts';
import type { StateInput, StateOrigin } from '../../../protocol/task.ts';
import type { HostId, ProgramId, RddId } from '../../../protocol/ids.ts';
import type { BatchTime } from '../../../protocol/time.ts';
import { MillraceError, toWireError } from '../../../protocol/errors.ts';
import type { Place } from '../known-outputs.ts';
import { notMigrated } from './not-migrated.ts';
import { overlapping } from './resplit.ts';
import { restoredVersions } from './restored-versions.ts';

export type StateNode = Extract<RddNode, { kind: 'state' }>;

interface Version {
  /** Null: of a restored version that nothing names, and whose steps others build on. */
  readonly rdd: RddId | null;
  readonly program: ProgramId | null;
  readonly table: TableName;
  readonly number: number;
  readonly time: BatchTime;
  readonly partitions: number;
  readonly versionsKept: number;
  readonly emits: RddId | null;
  /** Of the values in the steps. */
  readonly stateVersion: number;
  readonly restored: boolean;
  /** Restored, and written by another layout, or as another version of the values: what builds on it begins with snapshots. */
  readonly reshaped: { readonly migrate: StateOrigin['migrate'] } | null;
  /** The version that it was made of. Null also where that one is gone. */
  base: Version | null;
  readonly baseTime: BatchTime | null;
  /** By partition; of a restored one, by the partitions that it was written with. */
  readonly links: (StateLink | undefined)[];
  /** Partitions that their worker did not have: tasks that read them bring the chain along. */
  readonly missing: Set<number>;
  made: boolean;
  failed: Error | null;
  forgotten: boolean;
}

type TableName = `${number}/${number}`;

export class StateBook {
  readonly #versions = new Map<RddId, Version>();
  readonly #tables = new Map<TableName, Version[]>();
  /** `table/partition` -> the worker that made its last version. */
  readonly #owners = new Map<string, HostId>();

  /** All partitions are made: the version can be read. */
  isMade(rdd: RddId): boolean {
    return this.#versions.get(rdd)?.made === true;
  }

  /** Throws StateFailed where the version will never be made. */
  refuseFailed(rdd: RddId): void {
    const version = this.#versions.get(rdd);
    if (version?.failed != null) {
      throw new MillraceError('StateFailed', `The state for the batch at ${version.time} ms could not be made, so nothing that reads it can be computed; the state stays as it was before the batch. ${version.failed.message}`, { cause: version.failed });
    }
  }

  isPartitionMade(rdd: RddId, partition: number): boolean {
    const version = this.#versions.get(rdd);
    return version !== undefined && (version.made || version.links[partition] !== undefined);
  }

  /** The version that the node's follows: the newest before it that did not fail. */
  baseOf(node: StateNode): RddId | null {
    let previous = node.previous;
    for (let version = previous === null ? undefined : this.#versions.get(previous); version?.failed != null; version = version.base ?? undefined) {
      // One without a name has been made, so it is the end of this way.
      previous = version.base?.rdd ?? null;
    }
    return previous;
  }

  /** False: another task was first, and these bytes are nobody's. */
  add(program: ProgramId | null, node: StateNode, partition: number, link: StateLink): boolean {
    const version = this.#versionOf(program, node);
    if (version.links[partition] !== undefined || version.failed !== null) return false;
    if (version.base?.reshaped != null && !link.snapshot) throw new Error(`The state of RDD ${node.id} builds on bytes of another layout: its partition ${partition} must be a snapshot.`);
    version.links[partition] = link;
    version.made = allThere(version.links, node.partitions);
    return true;
  }

  /** The version can't be made. A version that is made can't fail any more. */
  fail(program: ProgramId | null, node: StateNode, error: Error): void {
    const version = this.#versionOf(program, node);
    if (!version.made) version.failed ??= error;
  }

  /** What a task is told of a partition that it reads or starts from. */
  input(rdd: RddId, partition: number): StateInput {
    const version = this.#versions.get(rdd);
    if (version === undefined) throw new MillraceError('RddReleased', `The state of RDD ${rdd} is not held any more: its batch is over.`, { details: { rdd } });
    const chained = this.ownerOf(rdd, partition) === null || version.missing.has(partition);
    const origin = originOf(version, partition, chained);
    const chain = !chained ? null : origin?.resplit == null ? chainOf(version, partition) : [];
    return { rdd, partition, table: version.number, time: version.time, versionsKept: version.versionsKept, chain, ...(origin === null ? {} : { origin }) };
  }

  // Into checkpoints, and out of them.

  /** What the versions consist of; those of which nothing is known are left out. `blockOf`: what was emitted. */
  linksOf(rdds: Iterable<RddId>, blockOf: (rdd: RddId, partition: number) => BlockRef | null): StateVersionLinks[] {
    return [...rdds].flatMap((rdd) => {
      const version = this.#versions.get(rdd);
      if (version === undefined) return [];
      const { number: table, time, baseTime: base, partitions, stateVersion, made, failed, emits, restored } = version;
      const links = Array.from({ length: restored ? version.links.length : partitions }, (_, partition) => version.links[partition] ?? null);
      // What a restored version has emitted is an RDD of its own kind.
      const emitted = emits === null || restored ? null : { rdd: emits, blocks: links.map((_, partition) => blockOf(emits, partition)) };
      return [{ rdd, table, time, base, partitions: links.length, stateVersion, made, failed: failed === null ? null : toWireError(failed), links, emitted, restored }];
    });
  }

  /** A table as it was; nobody has it yet. Throws StateNotMigrated. */
  restore(program: ProgramId | null, state: RestoredState): void {
    const table: TableName = `${program ?? -1}/${state.table}`;
    if (this.#tables.has(table)) throw new Error(`Table ${table} can't be restored: there are versions of it.`);
    const versions: Version[] = [];
    const byTime = new Map<BatchTime, Version>();
    for (const { node, time, base, stateVersion, links } of restoredVersions(state)) {
      const partitions = node?.partitions ?? links.length;
      const migrate = node === null ? null : migrationOf(node, stateVersion);
      const version: Version = {
        rdd: node?.id ?? null, program, table, number: state.table, time, partitions, versionsKept: node?.versionsKept ?? 0, emits: node?.emits ?? null, stateVersion, restored: true,
        reshaped: migrate !== null || partitions !== links.length ? { migrate } : null,
        base: base === null ? null : byTime.get(base) ?? null, baseTime: base,
        links: links.map((link) => link ?? undefined), missing: new Set(), made: true, failed: null, forgotten: node === null,
      };
      versions.push(version);
      byTime.set(time, version);
    }
    for (const version of versions) if (version.rdd !== null) this.#versions.set(version.rdd, version);
    this.#tables.set(table, versions);
  }

  /** The worker that has the partition's table; null: none that lives. */
  ownerOf(rdd: RddId, partition: number): HostId | null {
    const version = this.#versions.get(rdd);
    return version === undefined ? null : this.#owners.get(`${version.table}/${partition}`) ?? null;
  }

  own(rdd: RddId, partition: number, host: HostId): void {
    const version = this.#versions.get(rdd);
    if (version !== undefined) this.#owners.set(`${version.table}/${partition}`, host);
  }

  /** The worker is gone, and its tables with it. */
  disown(host: HostId): void {
    for (const [name, owner] of this.#owners) if (owner === host) this.#owners.delete(name);
  }

  /**
   * A worker did not have it: older than its table, or the table is gone. From now on all versions there are come with their chains, since
   * the worker goes on with the newest alone, and a task may read several: one at a time they would never all be there.
   */
  lose(rdd: RddId, partition: number): void {
    const version = this.#versions.get(rdd);
    for (const { missing } of version === undefined ? [] : this.#tables.get(version.table) ?? []) missing.add(partition);
  }

  /** Nobody reads these versions any more. Returns what no other needs. */
  forget(rdds: Iterable<RddId>): Place[] {
    const tables = new Set<TableName>();
    for (const rdd of rdds) {
      const version = this.#versions.get(rdd);
      if (version === undefined) continue;
      version.forgotten = true;
      tables.add(version.table);
    }
    return [...tables].flatMap((table) => this.#prune(table));
  }

  forgetProgram(program: ProgramId | null): Place[] {
    const places: Place[] = [];
    for (const [name, versions] of this.#tables) {
      if (!name.startsWith(`${program ?? -1}/`)) continue;
      for (const version of versions) {
        for (const link of version.links) places.push(...placesOfLink(link));
        if (version.rdd !== null) this.#versions.delete(version.rdd);
      }
      this.#tables.delete(name);
      for (const owned of this.#owners.keys()) if (owned.startsWith(`${name}/`)) this.#owners.delete(owned);
    }
    return places;
  }

  /** The steps there are, wherever they lie: each is read only where its partition's table has died with its worker. */
  *steps(): Iterable<{ readonly rdd: RddId; readonly partition: number; readonly program: ProgramId | null; readonly places: readonly Place[] }> {
    for (const { rdd, program, links } of this.#versions.values()) {
      if (rdd === null) continue;
      for (const [partition, link] of links.entries()) yield { rdd, partition, program, places: placesOfLink(link) };
    }
  }

  /** Bytes of a step lie elsewhere from now on. False: they were not known to lie at `from`. */
  moveStep(rdd: RddId, partition: number, from: readonly SharedHandle[], to: readonly Place[]): boolean {
    const version = this.#versions.get(rdd);
    const link = version?.links[partition];
    if (version === undefined || link === undefined) return false;
    const known = placesOfLink(link);
    if (!from.every((handle) => known.includes(handle))) return false;
    const moved = (block: BlockRef | null): BlockRef | null => {
      const index = block === null ? -1 : from.indexOf(block.place as SharedHandle);
      return block === null || index < 0 ? block : { ...block, place: to[index] as Place };
    };
    version.links[partition] = { ...link, pairs: moved(link.pairs), extra: moved(link.extra) };
    return true;
  }

  /** Where the steps of a partition lie now, oldest first, from a snapshot on; null: the version is not held any more. */
  chain(rdd: RddId, partition: number): readonly StateLink[] | null {
    const version = this.#versions.get(rdd);
    return version?.links[partition] === undefined ? null : chainOf(version, partition);
  }

  /** Steps of which something lies in a file. */
  get stepsOnDisk(): number {
    let count = 0;
    for (const { places } of this.steps()) if (places.some((place) => 'file' in place)) count += 1;
    return count;
  }

  places(): Place[] {
    return [...this.#versions.values()].flatMap(({ links }) => links.flatMap(placesOfLink));
  }

  /** How many versions are held: for tests of what is forgotten. */
  get size(): number {
    return this.#versions.size;
  }

  #versionOf(program: ProgramId | null, node: StateNode): Version {
    const known = this.#versions.get(node.id);
    if (known !== undefined) return known;
    const table: TableName = `${program ?? -1}/${node.table}`;
    const baseRdd = this.baseOf(node);
    const base = baseRdd === null ? null : this.#versions.get(baseRdd) ?? null;
    const version: Version = {
      rdd: node.id, program, table, number: node.table, time: node.time, partitions: node.partitions, versionsKept: node.versionsKept,
      emits: node.emits, stateVersion: node.stateVersion ?? 1, restored: false, reshaped: null,
      base, baseTime: base?.time ?? null,
      links: [], missing: new Set(), made: false, failed: null, forgotten: false,
    };
    this.#versions.set(node.id, version);
    const versions = this.#tables.get(table);
    if (versions === undefined) this.#tables.set(table, [version]);
    else versions.push(version);
    return version;
  }

  /** Lets go of the steps that lead to no version that is remembered, nor to the newest. */
  #prune(table: TableName): Place[] {
    const versions = this.#tables.get(table) ?? [];
    const newest = versions.findLast(({ made }) => made);
    const needed = new Set<StateLink>();
    for (const version of versions) {
      if (version.failed !== null || (version.forgotten && version !== newest)) continue;
      for (let partition = 0; partition < version.links.length; partition += 1) need(version, partition, needed);
    }
    const places: Place[] = [];
    const kept = versions.filter((version) => {
      version.links.forEach((link, partition) => {
        if (link === undefined || needed.has(link)) return;
        if (!version.forgotten) return; // Failed, and still remembered: it is told why until then.
        places.push(...placesOfLink(link));
        version.links[partition] = undefined;
      });
      const gone = version.forgotten && version !== newest && version.links.every((link) => link === undefined);
      if (!gone) return true;
      if (version.rdd !== null) this.#versions.delete(version.rdd);
      // Else each version that lives would hold all that there ever were, by way of this one.
      if (version.failed === null) version.base = null;
      return false;
    });
    this.#tables.set(table, kept);
    // Else each version would keep all before it. One that failed leads back to what is made instead, as long as it is there.
    const held = new Set(kept);
    for (const version of kept) if (version.base !== null && version.failed === null && !held.has(version.base)) version.base = null;
    return places;
  }
}

/** From the last snapshot on, oldest first. */
function chainOf(version: Version, partition: number): StateLink[] {
  const chain: StateLink[] = [];
  for (let at: Version | null = version; at !== null; at = at.base) {
    const link = at.links[partition];
    if (link === undefined) break;
    chain.push(link);
    if (link.snapshot) break;
  }
  return chain.reverse();
}

/** Adds the version's chain. One that leads on to what is needed already was followed from there: a link is looked at once, however many versions are remembered. */
function need(version: Version, partition: number, needed: Set<StateLink>): void {
  for (let at: Version | null = version; at !== null; at = at.base) {
    const link = at.links[partition];
    if (link === undefined || needed.has(link)) return;
    needed.add(link);
    if (link.snapshot) return;
  }
}

/** Null: the bytes are as this program writes them. */
function originOf(version: Version, partition: number, chained: boolean): StateOrigin | null {
  const { reshaped, partitions, links } = version;
  if (reshaped === null) return null;
  if (partitions === links.length) return { resplit: null, migrate: reshaped.migrate };
  // Whoever has the table must know all the same that no step can build on the bytes.
  const chains = chained ? overlapping(partition, partitions, links.length).map((old) => chainOf(version, old)) : [];
  return { resplit: { partitions, chains }, migrate: reshaped.migrate };
}

function migrationOf({ id, stateVersion: wanted = 1, migrate, operator }: StateNode, written: number): { readonly fn: FunctionRef; readonly fromVersion: number } | null {
  if (wanted === written) return null;
  if (migrate !== undefined) return { fn: migrate, fromVersion: written };
  throw notMigrated(operator, written, wanted, `RDD ${id}`);
}

function allThere(links: readonly unknown[], count: number): boolean {
  for (let index = 0; index < count; index += 1) if (links[index] === undefined) return false;
  return true;
}

/** Where the bytes of a step lie. */
export function placesOfLink(link: StateLink | undefined): Place[] {
  if (link === undefined) return [];
  return [link.pairs?.place ?? null, link.extra?.place ?? null].flatMap((place) => (place === null ? [] : [place]));
}

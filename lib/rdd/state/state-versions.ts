/**
 * Versions of a table as they are written down: which steps lead to which, and what can be left out.
 *
 *   t1 [snapshot] <- t2 [step] <- t4 [step] <- t5 [snapshot] <- t6 [step]         (t3 failed: no step of it is needed)
 *   remembered: t4, t6        needed: t1, t2, t4, t5, t6        a partition at a time
 *
 * Invariant: the chain of a version is its own step and those before it, back to a snapshot. Pure: who keeps a log of versions and who
 * restores from it agree by these functions.
 */
import type { StateLink } from '../../../protocol/rdd.ts';
import type { StateVersion } from '../../../protocol/state.ts';
import type { BatchTime } from '../../../protocol/time.ts';

/** The steps that lead to one partition of the version at `time`, oldest first, from a snapshot on. Null: they are not all among `versions`. */
export function chainAt(versions: ReadonlyMap<BatchTime, StateVersion>, time: BatchTime, partition: number): readonly StateLink[] | null {
  const chain: StateLink[] = [];
  for (let at: BatchTime | null = time; at !== null;) {
    const version: StateVersion | undefined = versions.get(at);
    const link = version?.links[partition] ?? null;
    if (version === undefined || link === null) return null;
    chain.push(link);
    if (link.snapshot) return chain.reverse();
    at = version.base;
  }
  return null;
}

/**
 * What has to be kept of one table's versions (oldest first), so that those at `remembered` can be restored: the versions of which a step
 * is needed, without their other steps. What is left out of `links` may be forgotten.
 */
export function versionsNeeded(versions: readonly StateVersion[], remembered: Iterable<BatchTime>): StateVersion[] {
  const byTime = new Map(versions.map((version) => [version.time, version]));
  const wanted = new Set(remembered);
  const needed = new Set<StateLink>();
  for (const time of wanted) {
    const partitions = byTime.get(time)?.links.length ?? 0;
    for (let partition = 0; partition < partitions; partition += 1) {
      for (const link of chainAt(byTime, time, partition) ?? []) needed.add(link);
    }
  }
  return versions.flatMap((version) => {
    const links = version.links.map((link) => (link !== null && needed.has(link) ? link : null));
    if (links.every((link) => link === null)) return [];
    return links.every((link, index) => link === version.links[index]) ? [version] : [{ ...version, links }];
  });
}

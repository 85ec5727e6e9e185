/**
 * Looks through what a table is to be restored from, before anything is believed of it.
 *
 * Invariant: what comes out of here can be read: each version that has a node has a chain from a snapshot on for each of the partitions
 * it was written with, and versions come in the order of their times, each after its base.
 */
import { MillraceError } from '../../../protocol/errors.ts';
import type { RddNode } from '../../../protocol/rdd.ts';
import type { RestoredState, StateVersion } from '../../../protocol/state.ts';
import type { BatchTime } from '../../../protocol/time.ts';
import { chainAt } from './state-versions.ts';

export interface RestoredVersion extends StateVersion {
  /** Null: it is there for the sake of others' chains. */
  readonly node: Extract<RddNode, { kind: 'state' }> | null;
}

/** Throws RecordsUnreadable where it does not fit together. */
export function restoredVersions({ table, nodes, versions }: RestoredState): RestoredVersion[] {
  const byTime = new Map<BatchTime, StateVersion>();
  let last = -Infinity;
  for (const version of versions) {
    if (version.time <= last || (version.base !== null && version.base >= version.time)) throw inconsistent(table, `its versions are not in order at ${version.time} ms`);
    last = version.time;
    byTime.set(version.time, version);
  }
  const named = new Map(nodes.map((node) => [node.time, node]));
  for (const node of nodes) {
    const version = byTime.get(node.time);
    if (version === undefined) throw inconsistent(table, `its version at ${node.time} ms is not there`);
    version.links.forEach((_, partition) => {
      if (chainAt(byTime, node.time, partition) === null) throw inconsistent(table, `partition ${partition} of its version at ${node.time} ms leads back to no snapshot`);
    });
  }
  return versions.map((version) => ({ ...version, node: named.get(version.time) ?? null }));
}

function inconsistent(table: number, what: string): MillraceError {
  return new MillraceError('RecordsUnreadable', `Expected all steps of the state of operator ${table}, and ${what}. The checkpoint is damaged: use an older one.`, { details: { table } });
}

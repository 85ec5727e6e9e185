/**
 * The state tables of one worker, for one program.
 *
 * Invariant: a table here is of the version it says, whoever asks. What is not at hand is put together from the bytes of its chain, or
 * refused with `MissingInput`: then the task is told again, with the chain.
 */
import type { StateLink } from '../../../protocol/rdd.ts';
import type { StateInput, StateOrigin } from '../../../protocol/task.ts';
import { MillraceError } from '../../../protocol/errors.ts';
import { MissingInput } from '../task-failure.ts';
import { migrateAll } from './migration.ts';
import type { Migration } from './migration.ts';
import { belongsTo } from './resplit.ts';
import type { StateColumns } from './state-table.ts';
import { StateTable } from './state-table.ts';

/** Reads the bytes of a link. */
export interface LinkReader {
  /** Lists that are the caller's to keep. */
  pairs(link: StateLink): { readonly keys: unknown[]; readonly values: unknown[] };
  extra(link: StateLink): readonly unknown[];
  /** The user's function that brings a value to the program's version, with what it throws as the task's failure. */
  migration(migrate: NonNullable<StateOrigin['migrate']>): Migration;
}

export class StateStore {
  readonly #tables = new Map<string, StateTable>();

  /** The table at `base`, to be changed. Null: there is nothing before. Throws MissingInput. */
  tableAt(base: StateInput | null, table: number, partition: number, read: LinkReader): StateTable {
    const name = `${table}/${partition}`;
    const known = this.#tables.get(name);
    if (base !== null && known !== undefined && known.rollBackTo(base.time)) return known;
    const made = base === null ? new StateTable() : rebuilt(base, read);
    this.#tables.set(name, made);
    return made;
  }

  /** The pairs of a version. Throws MissingInput. */
  columnsAt(input: StateInput, read: LinkReader): StateColumns {
    const name = `${input.table}/${input.partition}`;
    const known = this.#tables.get(name);
    const columns = known?.columnsAt(input.time) ?? null;
    if (columns !== null) return columns;
    const made = rebuilt(input, read);
    // A newer table is of more use than this one.
    if (known === undefined || (known.version ?? -Infinity) < input.time) this.#tables.set(name, made);
    return made.columnsAt(input.time) as StateColumns;
  }
}

function rebuilt(input: StateInput, read: LinkReader): StateTable {
  const { chain, rdd, partition, time, origin } = input;
  if (chain === null) {
    throw new MissingInput({ state: rdd, partition }, new MillraceError('BlockMissing', `The state of RDD ${rdd}, partition ${partition}, is not on this worker.`));
  }
  const { resplit = null, migrate = null } = origin ?? {};
  const table = new StateTable();
  table.begin(0);
  if (resplit === null) {
    for (const link of chain) putIn(table, link, read, null);
  } else {
    const isOurs = belongsTo(partition, resplit.partitions);
    for (const old of resplit.chains) for (const link of old) putIn(table, link, read, isOurs);
  }
  if (migrate !== null) migrateAll(table, read.migration(migrate));
  table.commit(time);
  for (const link of chain) countStep(table, link.snapshot, bytesOf(link));
  const last = resplit === null ? chain.at(-1)?.time : time;
  if (last !== time) throw new Error(`The chain of RDD ${rdd}, partition ${partition}, ends at ${last}; expected ${time}.`);
  return table;
}

/** `isOurs`: the link holds other partitions' keys, too. */
function putIn(table: StateTable, link: StateLink, read: LinkReader, isOurs: ((key: unknown) => boolean) | null): void {
  const { keys, values } = read.pairs(link);
  const extra = read.extra(link);
  // A key of another partition is in no table of ours.
  for (const key of link.snapshot ? [] : extra) {
    const slot = table.find(key);
    if (slot >= 0) table.removeAt(slot);
  }
  if (link.snapshot && isOurs === null && table.size === 0) return table.fill(keys, values, extra.length > 0 ? (extra as readonly number[]) : link.time);
  for (let index = 0; index < keys.length; index += 1) {
    const key = keys[index];
    if (isOurs === null || isOurs(key)) table.set(key, values[index], link.snapshot ? ((extra[index] as number | undefined) ?? link.time) : link.time);
  }
}

/** After each step: what the next snapshot depends on. */
export function countStep(table: StateTable, snapshot: boolean, bytes: number): void {
  if (snapshot) {
    table.steps = 0;
    table.stepBytes = 0;
    table.snapshotBytes = bytes;
  } else {
    table.steps += 1;
    table.stepBytes += bytes;
  }
}

export function bytesOf(link: StateLink): number {
  return (link.pairs?.place?.bytes ?? 0) + (link.extra?.place?.bytes ?? 0);
}

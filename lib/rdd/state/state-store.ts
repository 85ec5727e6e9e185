/**
 * The state tables of one worker, for one program.
 *
 * Invariant: a table here is of the version it says, whoever asks. What is not at hand is put together from the bytes of its chain, or
 * refused with `MissingInput`: then the task is told again, with the chain.
 */
import type { StateLink } from '../../../protocol/rdd.ts';
import type { StateInput } from '../../../protocol/task.ts';
import { MillraceError } from '../../../protocol/errors.ts';
import { MissingInput } from '../task-failure.ts';
import type { StateColumns } from './state-table.ts';
import { StateTable } from './state-table.ts';

/** Reads the bytes of a link. */
export interface LinkReader {
  pairs(link: StateLink): StateColumns;
  extra(link: StateLink): readonly unknown[];
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
  const { chain, rdd, partition, time } = input;
  if (chain === null) {
    throw new MissingInput({ state: rdd, partition }, new MillraceError('BlockMissing', `The state of RDD ${rdd}, partition ${partition}, is not on this worker.`));
  }
  const table = new StateTable();
  for (const link of chain) {
    table.begin(0);
    const { keys, values } = read.pairs(link);
    const extra = read.extra(link);
    if (!link.snapshot) for (const key of extra) table.removeAt(table.find(key));
    keys.forEach((key, index) => table.set(key, values[index], link.snapshot ? ((extra[index] as number | undefined) ?? link.time) : link.time));
    table.commit(link.time);
    countStep(table, link.snapshot, bytesOf(link));
  }
  if (table.version !== time) throw new Error(`The chain of RDD ${rdd}, partition ${partition}, ends at ${table.version}; expected ${time}.`);
  return table;
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

/**
 * The user's function that makes a state of this program out of one of another.
 *
 * Invariant: it is called once for each key whose table is put together from bytes of another `stateVersion`, in the order of the keys.
 * What it throws, and a promise that it returns, is the task's failure, under the operator's name.
 */
import type { OperatorPlace } from '../../../protocol/rdd.ts';
import type { UserFunction } from '../fuse.ts';
import type { TaskContext } from '../task-context.ts';
import { asyncFailure, isAsyncResult, taskFailure } from '../task-failure.ts';
import type { StateTable } from './state-table.ts';
import { removed } from './state-table.ts';

export type Migration = (key: unknown, value: unknown) => unknown;

const callsPerLook = 1_024;

/** `alive`: called every 1,024 calls. Throws TaskCancelled. */
export function migrationOf(migrate: UserFunction, fromVersion: number, operator: OperatorPlace | null, context: TaskContext, alive: () => void): Migration {
  let calls = 0;
  return (key, value) => {
    if ((calls & (callsPerLook - 1)) === 0) alive();
    calls += 1;
    let migrated: unknown;
    try {
      migrated = migrate(value, fromVersion);
    } catch (thrown) {
      throw taskFailure(thrown, operator, key, context);
    }
    if (isAsyncResult(migrated)) throw asyncFailure(migrated, operator, context);
    return migrated;
  };
}

/** What a value becomes null or undefined of has no state any more. When a key was touched last stays. */
export function migrateAll(table: StateTable, migrate: Migration): void {
  for (let slot = 0; slot < table.size; slot += 1) {
    const value = table.values[slot];
    if (value === removed) continue;
    const next = migrate(table.keys[slot], value);
    if (next === undefined || next === null) table.removeAt(slot);
    else table.setAt(slot, next, table.touchedAt(slot));
  }
}

/** The error for state that was written as another version, and that nothing makes one of the program's. */
import { MillraceError } from '../../../protocol/errors.ts';
import type { OperatorPlace } from '../../../protocol/rdd.ts';

/** `name`: what is said where no operator is known. */
export function notMigrated(operator: OperatorPlace | null, name: string, written: number, wanted: number): MillraceError {
  const where = operator === null ? name : `${operator.name} (${operator.uid}${operator.place === '' ? '' : `, at ${operator.place}`})`;
  return new MillraceError('StateNotMigrated', `The state of ${where} was written as stateVersion ${written}, and the program has stateVersion ${wanted}. Give it a migrate function, or stateVersion: ${written}.`, {
    details: { written, wanted, operator },
  });
}

/** The error for state that was written as another version, and that nothing makes one of the program's. */
import { MillraceError } from '../../../protocol/errors.ts';
import type { OperatorPlace } from '../../../protocol/rdd.ts';

/** `unnamed`: what is said where no operator is known. */
export function notMigrated(operator: OperatorPlace | null, written: number, wanted: number, unnamed = 'an RDD'): MillraceError {
  const where = operator === null ? unnamed : `${operator.name} (${operator.uid}${operator.place === '' ? '' : `, at ${operator.place}`})`;
  return new MillraceError('StateNotMigrated', `The state of ${where} was written as stateVersion ${written}, and the program has stateVersion ${wanted}. Give it a migrate function, or stateVersion: ${written}.`, {
    details: { written, wanted, operator },
  });
}

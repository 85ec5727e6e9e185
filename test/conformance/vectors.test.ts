/**
 * What Spark gave for the recorded cases, given by the whole runtime, inline.
 */
import t from 'tap';
import { vectorPaths } from './own-cases.ts';
import { differencesIn, differencesOf } from './vectors.ts';

t.test('every case recorded from Spark gives the same, but for those that differ on purpose', async (t) => {
  t.strictSame(await differencesOf(vectorPaths(), 'inline'), []);
});

t.test('a case that fails, or fails for another reason, or passes though it is listed, is told', async (t) => {
  const wrong = 'FAIL joins.json joins-001: batch 1000 ms: expected [], got [1]';
  t.strictSame(differencesIn([wrong, '24 passed, 1 failed'], ['joins.json']), [wrong]);
  const listed = 'FAIL errors.json not-serializable-function-with-checkpoint: expected NotSerializableException, got "ACTIVE"';
  t.strictSame(differencesIn([listed, '82 passed, 1 failed'], ['errors.json']), []);
  t.strictSame(differencesIn([`${listed} and more`, '82 passed, 1 failed'], ['errors.json']), [`${listed} and more`]);
  t.match(differencesIn(['83 passed, 0 failed'], ['errors.json']), [/^not-serializable-function-with-checkpoint passes/]);
  t.equal(differencesIn(['0 passed, 0 failed'], ['joins.json']).length, 1);
});

/**
 * What Spark gave for the recorded cases, given by the whole runtime, inline.
 */
import t from 'tap';
import { vectorPaths } from './own-cases.ts';
import { differencesIn, differencesOf } from './vectors.ts';

t.test('every case recorded from Spark gives the same, but for those that need what is not built', async (t) => {
  t.strictSame(await differencesOf(vectorPaths(), 'inline'), []);
});

t.test('a case that fails, or fails for another reason, or passes though it is listed, is told', async (t) => {
  const wrong = 'FAIL joins.json joins-001: batch 1000 ms: expected [], got [1]';
  t.strictSame(differencesIn([wrong, '24 passed, 1 failed'], ['joins.json']), [wrong]);
  t.equal(differencesIn(['11 passed, 0 failed'], ['recovery.json']).length, 11);
  t.equal(differencesIn(['0 passed, 0 failed'], ['joins.json']).length, 1);
});

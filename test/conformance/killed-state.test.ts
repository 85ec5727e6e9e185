/**
 * Recorded cases with state, on threads that die. `KILL_SEED=text` kills other ones.
 */
import t from 'tap';
import { threadsKilled } from './cluster.ts';
import { vectorPaths } from './own-cases.ts';
import { differencesOf } from './vectors.ts';

t.test('every recorded case with state gives the same while workers are killed, between batches and in the middle of them', async (t) => {
  const seed = process.env['KILL_SEED'] ?? 'vectors';
  t.comment(`KILL_SEED='${seed}' kills the same ones`);
  const files = vectorPaths().filter((path) => /-state[^/]*$/u.test(path));
  t.strictSame(await differencesOf(files, 'local[2]', seed), [], `KILL_SEED='${seed}' replays this`);
  t.ok(threadsKilled() >= 15, `${threadsKilled()} threads were killed`);
});

/**
 * Cases of ours, and recorded ones that keep nothing over batches, on threads that die. `KILL_SEED=text` kills other ones.
 */
import t from 'tap';
import { threadsKilled } from './cluster.ts';
import { ownCasesPath, vectorPaths } from './own-cases.ts';
import { differencesOf } from './vectors.ts';

t.test('every case of ours, and every recorded one without windows and state, gives the same while workers are killed, between batches and in the middle of them', async (t) => {
  const seed = process.env['KILL_SEED'] ?? 'vectors';
  t.comment(`KILL_SEED='${seed}' kills the same ones`);
  const files = [ownCasesPath(), ...vectorPaths().filter((path) => !/(?:window|state|random)[^/]*$/u.test(path) || path.endsWith('stateless.json'))];
  t.strictSame(await differencesOf(files, 'local[2]', seed), [], `KILL_SEED='${seed}' replays this`);
  t.ok(threadsKilled() >= 50, `${threadsKilled()} threads were killed`);
});

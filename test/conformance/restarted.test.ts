/**
 * Recorded cases that are stopped after a batch, and go on from their checkpoint. `RESTART_SEED=text` stops them after other ones.
 */
import t from 'tap';
import { vectorPaths } from './own-cases.ts';
import { differencesOf } from './vectors.ts';

const seed = process.env['RESTART_SEED'] ?? 'vectors';

t.test('every recorded case gives the same where it is stopped after a batch and goes on from its checkpoint', async (t) => {
  t.comment(`RESTART_SEED='${seed}' stops them after the same batches`);
  t.strictSame(await differencesOf(vectorPaths(), 'inline', null, seed), [], `RESTART_SEED='${seed}' replays this`);
});

t.test('on threads cases with windows, state and queues give the same, also where the thread of the driver is killed', async (t) => {
  t.comment(`RESTART_SEED='${seed}' stops and kills after the same batches`);
  const files = vectorPaths().filter((path) => /(?:window-compose|update-state|map-with-state|queue)\.json$/u.test(path));
  t.equal(files.length, 4);
  t.strictSame(await differencesOf(files, 'local[2]', null, seed), [], `RESTART_SEED='${seed}' replays this`);
});

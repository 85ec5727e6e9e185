/**
 * Recorded cases that are stopped after a batch, and go on from their checkpoint. `RESTART_SEED=text` stops them after other ones.
 */
import t from 'tap';
import { createPrng } from '../../lib/base/prng.ts';
import { vectorPaths } from './own-cases.ts';
import { differencesOf } from './vectors.ts';

const seed = process.env['RESTART_SEED'] ?? 'vectors';

/** All of them take minutes: `npm run --silent conformance -- test/conformance/vectors/*.json --restart SEED`. */
const random = `random-${createPrng(`restarts ${seed}`).int(3) + 1}.json`;

t.test('recorded cases give the same where they are stopped after a batch and go on from their checkpoint', async (t) => {
  t.comment(`RESTART_SEED='${seed}' stops them after the same batches`);
  const files = vectorPaths().filter((path) => /(?:window-compose|update-state|map-with-state|queue|joins|no-rdd)\.json$/u.test(path) || path.endsWith(random));
  t.equal(files.length, 7);
  t.strictSame(await differencesOf(files, 'inline', null, seed), [], `RESTART_SEED='${seed}' replays this`);
});

t.test('on threads cases with windows and queues give the same, also where the thread of the driver is killed', async (t) => {
  t.comment(`RESTART_SEED='${seed}' stops and kills after the same batches`);
  const files = vectorPaths().filter((path) => /(?:window-compose|queue)\.json$/u.test(path));
  t.equal(files.length, 2);
  t.strictSame(await differencesOf(files, 'local[2]', null, seed), [], `RESTART_SEED='${seed}' replays this`);
});

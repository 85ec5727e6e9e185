/**
 * Cases on threads that die. Each killed-*.test.ts has a part of them, since a file of tests has a bound on its time.
 *
 * Invariant: which threads die follows from the seed; `KILL_SEED=text` kills other ones.
 */
import t from 'tap';
import { threadsKilled } from './cluster.ts';
import { differencesOf } from './vectors.ts';

/** `which`: the subject of the test's name. `killedLeast`: fewer deaths would show little. */
export function testKilled(which: string, files: readonly string[], killedLeast = 15): void {
  t.test(`${which} gives the same while workers are killed, between batches and in the middle of them`, async (t) => {
    const seed = process.env['KILL_SEED'] ?? 'vectors';
    t.comment(`KILL_SEED='${seed}' kills the same ones`);
    t.strictSame(await differencesOf(files, 'local[2]', seed), [], `KILL_SEED='${seed}' replays this`);
    t.ok(threadsKilled() >= killedLeast, `${threadsKilled()} threads were killed`);
  });
}

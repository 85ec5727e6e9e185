/** A short form of `npm run chaos`: some seeds in the simulator. */
import t from 'tap';
import { chaosRun } from './chaos-run.ts';
import type { ChaosRun } from './chaos-run.ts';

const runs = Number(process.env['CHAOS_RUNS'] ?? 50);
const firstSeed = Number(process.env['CHAOS_SEED'] ?? 1);

function told({ seed, problems, lives, text }: ChaosRun): string {
  return `${problems.join('\n')}\nlives: ${lives.join(' | ')}\n${text}\nreplay: npm run --silent chaos -- --seed ${seed} --runs 1 --verbose`;
}

t.test('whatever dies and whenever, all that was acknowledged is processed, and every batch is what the model says', async (t) => {
  const total: Record<string, number> = {};
  for (let seed = firstSeed; seed < firstSeed + runs; seed += 1) {
    const run = await chaosRun(seed);
    if (run.problems.length > 0) t.fail(`seed ${seed}: ${told(run)}`);
    for (const [name, count] of Object.entries(run.counts)) total[name] = (total[name] ?? 0) + count;
  }
  t.comment(JSON.stringify(total));
  if (runs < 50) return;
  for (const name of ['batches', 'rewritten', 'killed', 'powerCuts', 'driversKilled', 'threadsKilled', 'diskFaults', 'cuts', 'stops']) t.ok((total[name] ?? 0) > 0, `${name}: ${total[name] ?? 0}`);
});

t.test('the same seed gives the same run, line by line', async (t) => {
  const stories = await Promise.all([0, 1].map(async () => {
    const lines: string[] = [];
    const { lives, counts } = await chaosRun(6, (line) => void lines.push(line));
    return { lives, counts, lines };
  }));
  t.strictSame(stories[0], stories[1]);
});

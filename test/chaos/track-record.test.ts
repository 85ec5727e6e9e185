/** The seeds that have found something while Millrace was built: what they found stays mended. */
import t from 'tap';
import { chaosRun } from './chaos-run.ts';
import { trackRecord } from './track-record.ts';

for (const { seed, found } of trackRecord) {
  t.test(`seed ${seed}: ${found}`, async (t) => {
    const { problems, lives, text } = await chaosRun(seed);
    t.equal(problems.length === 0 ? '' : `${problems.join('\n')}\nlives: ${lives.join(' | ')}\n${text}`, '', `npm run --silent chaos -- --seed ${seed} --runs 1 --verbose`);
  });
}

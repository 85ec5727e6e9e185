/** A child of seeds.ts: runs the seeds that it is sent, one after another, and sends back what came of each. */
import { chaosRun } from './chaos-run.ts';

process.on('message', (seed: number) => {
  void chaosRun(seed)
    .catch((thrown: unknown) => ({ seed, problems: [thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)], lives: [], counts: {}, text: '' }))
    .then((run) => process.send?.(run));
});
process.on('disconnect', () => process.exit(0));

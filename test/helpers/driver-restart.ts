/** Runs of test/fixtures/going-on.ts on threads whose driver dies, and what comes without a death. */
import type goingOn from '../fixtures/going-on.ts';
import { plain, Run } from './going-on.ts';
import type { Outputs, RunOptions } from './going-on.ts';
import { fixture } from './running.ts';
import { temporaryDirectory } from './temporary-directory.ts';

export type Program = typeof goingOn;
export const batches = 5;
export const batchMs = 1_000;

/** Batch n takes these. */
export const pushed = (batch: number): number[] => [batch, batch + 1, 10 * batch];

export async function begin(t: { after(fn: () => unknown): void }, outputs: Outputs, options: RunOptions = {}): Promise<Run<Program>> {
  return (await Run.begin<Program>(t, temporaryDirectory(), fixture('going-on') as never, outputs, { master: 'local[2]', ...options })) as unknown as Run<Program>;
}

/** What comes without a death. */
export async function undisturbed(t: { after(fn: () => unknown): void }): Promise<{ readonly outputs: unknown; readonly count: number }> {
  const outputs: Outputs = new Map();
  const run = await begin(t, outputs, { master: 'inline' });
  for (let batch = 1; batch <= batches; batch += 1) {
    await run.exports.queue.push(pushed(batch), 2);
    await run.advance();
  }
  const count = Number(run.exports.count.value);
  await run.stop();
  return { outputs: plain(outputs), count };
}

/** Faults that end the process, in a process of its own: the next one goes on from the directory. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { FaultRule } from '../../../lib/testing.ts';
import { temporaryDirectory } from '../../helpers/temporary-directory.ts';

t.setTimeout(120_000);

const app = fileURLToPath(new URL('../../fixtures/children/fault-killed.js', import.meta.url));

function life(directory: string, rules: readonly FaultRule[] | 'killProcess'): Promise<{ readonly signal: unknown; readonly code: unknown; readonly out: string; readonly error: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [app, directory, typeof rules === 'string' ? rules : JSON.stringify(rules)], { timeout: 40_000, killSignal: 'SIGTERM' }, (failure, out, error) => resolve({ signal: failure?.signal ?? null, code: failure?.code ?? 0, out, error }));
  });
}

const end = life(temporaryDirectory(), []).then(({ out }) => out.split('\n').find((line) => line.startsWith('done')));

for (const [what, rules] of [
  ['a plan that kills the process at a message of the driver', [{ fault: 'kill', actor: 'job-scheduler', type: 'submitJobSet', nth: 3, what: 'process' }]],
  ['a torn write of the log', [{ fault: 'disk', file: 'log', do: 'tornWrite', nth: 12, then: 'process' }]],
  ['the loss of what was not synced', [{ fault: 'disk', file: 'log', do: 'loseUnsynced', nth: 12, then: 'process' }]],
  ['killProcess', 'killProcess'],
] satisfies [string, readonly FaultRule[] | 'killProcess'][]) {
  t.test(`${what} ends the process by SIGKILL; the next one brings all to the same end`, async (t) => {
    const expected = await end;
    t.match(expected, /^done \[\["key 0",\d+\]/);
    const directory = temporaryDirectory();
    const first = await life(directory, rules);
    t.match(first, { signal: 'SIGKILL' }, first.error);
    t.notMatch(first.out, /done/);
    const second = await life(directory, []);
    t.equal(second.code, 0, second.error);
    t.equal(second.out.split('\n').find((line) => line.startsWith('done')), expected);
  });
}

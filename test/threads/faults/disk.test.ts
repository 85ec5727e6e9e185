/** Faults of the disk, in the real files of a program on real threads: what docs/FAULTS.md says of each. */
import t from 'tap';
import { faultPlan } from '../../../lib/testing.ts';
import type { DiskRule } from '../../../lib/testing.ts';
import { Run } from '../../helpers/going-on.ts';
import { codeOf, fixture } from '../../helpers/running.ts';
import { temporaryDirectory } from '../../helpers/temporary-directory.ts';
import { throughFaults } from '../../helpers/through-faults.ts';
import type { Went } from '../../helpers/through-faults.ts';

t.setTimeout(120_000);

const undisturbed: Promise<Went> = throughFaults({ after: (fn) => t.after(fn) }, temporaryDirectory(), null, { master: 'inline' });

const files = ['log', 'state', 'checkpoint'] as const;
/** Behind what the app puts into the log before the first batch. */
const amidBatches = { log: 12, state: 3, checkpoint: 3 };

for (const file of files) {
  t.test(`writes and syncs of the ${file} that fail, also in part, or find the disk full, are noticed by nobody`, async (t) => {
    const expected = await undisturbed;
    const nth = amidBatches[file];
    const rules: DiskRule[] = [
      { fault: 'disk', file, do: 'EIO', nth },
      { fault: 'disk', file, do: 'EIO', on: 'sync', nth },
      { fault: 'disk', file, do: 'ENOSPC', nth: nth + 2 },
      { fault: 'disk', file, do: 'tornWrite', then: 'fail', nth: nth + 4 },
    ];
    const plan = faultPlan({ seed: 1, rules });
    const went = await throughFaults(t, temporaryDirectory(), plan);
    t.same(new Set(plan.injected.map(({ rule }) => JSON.stringify(rule))), new Set(rules.map((rule) => JSON.stringify(rule))));
    t.ok(plan.injected.every(({ role }) => role === 'driver'));
    t.same(went, { ...expected, deaths: [] });
  });
}

t.test('a slow disk delays, and no more', async (t) => {
  const expected = await undisturbed;
  const plan = faultPlan({ seed: 1, rules: [{ fault: 'disk', do: 'slow', byMs: 30, nth: 10, times: 5 }, { fault: 'disk', do: 'slow', on: 'sync', byMs: 30, nth: 10, times: 5 }] });
  const went = await throughFaults(t, temporaryDirectory(), plan);
  t.equal(plan.injected.length, 10);
  t.same(went, { ...expected, deaths: [] });
});

for (const rule of [
  ...files.map((file): DiskRule => ({ fault: 'disk', file, do: 'tornWrite', nth: amidBatches[file] })),
  ...files.map((file): DiskRule => ({ fault: 'disk', file, do: 'loseUnsynced', nth: amidBatches[file] })),
]) {
  t.test(`${rule.do} of ${rule.file} with the death of the driver's thread: the program goes on from its directory, with nothing lost and nothing twice`, async (t) => {
    const expected = await undisturbed;
    const plan = faultPlan({ seed: 2, rules: [rule] });
    const went = await throughFaults(t, temporaryDirectory(), plan);
    t.match(plan.injected, [{ rule, nth: rule.nth, role: 'driver', index: 0 }]);
    t.same(went, { ...expected, deaths: ['ContextFailed < HostGone'] });
    const again = faultPlan({ seed: 2, rules: [rule] });
    const byItself = await throughFaults(t, temporaryDirectory(), again, { driverRestartsMax: 3 });
    t.equal(again.injected.length, 1);
    t.same(byItself, { ...expected, deaths: [] }, 'by itself, too');
  });
}

t.test('a disk that fails for good ends the program with LogFailed; once it is mended, the program goes on from what was acknowledged', async (t) => {
  const expected = await undisturbed;
  const directory = temporaryDirectory();
  // Five attempts for each append.
  const plan = faultPlan({ seed: 3, rules: [{ fault: 'disk', file: 'log', do: 'EIO', nth: 12, times: 5 }] });
  const went = await throughFaults(t, directory, plan);
  t.equal(plan.injected.length, 5);
  t.same(went, { ...expected, deaths: ['RestartIntensityReached < LogFailed < EIO'] });
});

t.test('a bit that flips in the log is refused when it is read back, and set aside where that is wanted', async (t) => {
  const directory = temporaryDirectory();
  // One checkpoint, before the damage: the log is needed.
  const plan = faultPlan({ seed: 4, rules: [{ fault: 'disk', file: 'log', do: 'bitFlip', nth: 12 }] });
  await throughFaults(t, directory, plan, { checkpointIntervalMs: 1_000_000 });
  t.equal(plan.injected.length, 1, 'and nobody has noticed');
  const again = await codeOf(() => throughFaults(t, directory, null));
  t.equal(again, 'WalCorrupted');
  const run = await Run.begin(t, directory, fixture('going-on'), new Map(), { master: 'local[2]', quarantine: true });
  t.ok((run.ssc.recoveredFrom?.generated ?? 0) >= 1_000, 'what stands before the damage is there');
  await run.ended();
});

t.test('a bit that flips in a checkpoint costs nothing: an older one and the log give the same', async (t) => {
  const expected = await undisturbed;
  const directory = temporaryDirectory();
  // The checkpoint is damaged first, then the driver dies.
  const plan = faultPlan({ seed: 5, rules: [{ fault: 'disk', file: 'checkpoint', do: 'bitFlip', nth: 4 }, { fault: 'disk', file: 'checkpoint', do: 'tornWrite', nth: 5 }] });
  const went = await throughFaults(t, directory, plan);
  t.match(plan.injected.map(({ rule }) => (rule as DiskRule).do), ['bitFlip', 'tornWrite']);
  t.same(went, { ...expected, deaths: ['ContextFailed < HostGone'] });
});

t.test('the same seed strikes the same writes again', async (t) => {
  const numbers = async (seed: number): Promise<readonly number[]> => {
    const plan = faultPlan({ seed, rules: [{ fault: 'disk', file: 'log', do: 'EIO', probability: 0.2, times: 4 }] });
    await throughFaults(t, temporaryDirectory(), plan, { master: 'inline' });
    return plan.injected.map(({ nth }) => nth);
  };
  const first = await numbers(11);
  t.ok(first.length > 1);
  t.same(await numbers(11), first);
  t.not(`${await numbers(12)}`, `${first}`);
});

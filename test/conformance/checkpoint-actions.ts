/**
 * The named actions of errors.json about checkpoint directories: what `getOrCreate` makes of one that is missing, left by a run, or damaged.
 *
 * Invariant: as in error-actions.ts. That Spark called the function f is here that a program began: on each thread the graph is built by
 * the program's function, whether anything is recovered or not.
 */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkpointsIn } from './error-programs.ts';
import type { ErrorAction, ErrorKit, Running } from './error-actions.ts';

const garbage = 'no checkpoint at all';
const pollMs = 5;

export const checkpointActions: Readonly<Record<string, ErrorAction>> = {
  'getOrCreate-no-checkpoint': async (kit) => {
    const running = await kit.getOrCreate('checkpointed', await kit.folder());
    return [begun(running), running.state()];
  },
  'getOrCreate-empty-directory': async (kit) => {
    const folder = await kit.folder();
    await mkdir(checkpointsIn(folder));
    return begun(await kit.getOrCreate('checkpointed', folder));
  },
  'getOrCreate-with-checkpoint': async (kit) => {
    const folder = await kit.folder();
    const lines = await linesOfRun(kit, folder);
    const running = await kit.getOrCreate('checkpointed', folder);
    const seen = [begun(running), running.state(), running.batchIntervalMs];
    await running.start();
    await running.advance(1);
    return [...seen, [...lines, 'stopped', ...running.lines]];
  },
  'getOrCreate-recovered-add-operation': async (kit) => {
    const folder = await kit.folder();
    await linesOfRun(kit, folder);
    const running = await kit.getOrCreate('checkpointed', folder);
    running.built.ssc.batchesStream([[1]], 1).map((x) => x);
    await running.start();
  },
  'getOrCreate-corrupt-checkpoint': async (kit) => {
    await kit.getOrCreate('checkpointed', await folderOfGarbage(kit));
  },
  'getOrCreate-corrupt-checkpoint-createOnError': async (kit) => begun(await kit.getOrCreate('checkpointed', await folderOfGarbage(kit), { createOnError: true })),
  'getOrCreate-corrupt-newest-falls-back': async (kit) => {
    const folder = await kit.folder();
    await linesOfRun(kit, folder);
    await writeFile(`${checkpointsIn(folder)}/checkpoint-3000`, garbage);
    const running = await kit.getOrCreate('checkpointed', folder);
    return [begun(running), running.completedMs];
  },
  'queueStream-recovery': async (kit) => {
    const folder = await kit.folder();
    await linesOfRun(kit, folder, { program: 'queuedArray', batches: 1 });
    await kit.getOrCreate('queuedArray', folder);
  },
  'checkpoint-file-names': async (kit) => {
    const folder = await kit.folder();
    const running = await kit.open('checkpointed', { folder, checkpointIntervalMs: 0 });
    await running.start();
    await running.advance(1);
    // The batch is over before the checkpoint of its end is: that of the next one could take its place.
    while (!(await checkpointFiles(folder)).includes('checkpoint-1000.bk')) await sleep(pollMs);
    await running.advance(1);
    await running.stop({ stopSparkContext: false });
    return checkpointFiles(folder);
  },
};

/** How many programs have begun by making this context. */
function begun(running: Running): number {
  return running.isRecovered ? 0 : 1;
}

/** Runs the batches with checkpoints below the folder, and stops: what they have logged. */
async function linesOfRun(kit: ErrorKit, folder: string, { program = 'checkpointed', batches = 2 }: { readonly program?: string; readonly batches?: number } = {}): Promise<readonly string[]> {
  const running = await kit.open(program, { folder, checkpointIntervalMs: 0 });
  await running.start();
  await running.advance(batches);
  await running.stop({ stopSparkContext: false });
  return [...running.lines];
}

/** A folder in which a run has left checkpoints, and none of them can be read any more. */
async function folderOfGarbage(kit: ErrorKit): Promise<string> {
  const folder = await kit.folder();
  await linesOfRun(kit, folder);
  const names = await checkpointFiles(folder);
  if (names.length === 0) throw new Error('Expected the run to leave checkpoints, it left none.');
  for (const name of names) await writeFile(`${checkpointsIn(folder)}/${name}`, garbage);
  return folder;
}

/** Without those that are being written. */
async function checkpointFiles(folder: string): Promise<string[]> {
  return (await readdir(checkpointsIn(folder))).filter((name) => /^checkpoint-\d+(\.bk)?$/u.test(name)).sort();
}

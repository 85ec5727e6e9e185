/**
 * Running cases that were recorded from Spark, in the test suite.
 *
 * Invariant: a case that is listed as different on purpose has to fail with these words; one that passes has to leave the list.
 */
import { basename } from 'node:path';
import { openCluster } from './cluster.ts';
import { differsOnPurpose } from './differs-on-purpose.ts';
import { runFiles } from './runner.ts';

/** One line for each case that is not as it should be. `killSeed`: worker threads die; `restartSeed`: each case is stopped and goes on. See openCluster. */
export async function differencesOf(files: readonly string[], master: string, killSeed: string | null = null, restartSeed: string | null = null): Promise<string[]> {
  const lines: string[] = [];
  await runFiles({ files, masters: [master], only: null }, { openCluster: (name) => openCluster(name, killSeed, restartSeed), print: (line) => void lines.push(line), progress: () => {} });
  return differencesIn(lines, files.map((file) => basename(file)));
}

/** `lines`: what the runner printed of these files. */
export function differencesIn(lines: readonly string[], files: readonly string[]): string[] {
  const differences: string[] = [];
  const expected = new Map(files.flatMap((file) => Object.entries(differsOnPurpose[file] ?? {})));
  let failures = 0;
  for (const line of lines) {
    const { name, reason } = /^FAIL \S+ (?<name>\S+): (?<reason>.*)$/u.exec(line)?.groups ?? {};
    if (name === undefined) continue;
    failures += 1;
    if (reason !== expected.get(name)?.reason) differences.push(line);
    expected.delete(name);
  }
  for (const name of expected.keys()) differences.push(`${name} passes, or was not run: take it out of test/conformance/differs-on-purpose.ts`);
  const last = /^(?<passed>[1-9]\d*) passed, (?<failed>\d+) failed$/u.exec(lines.at(-1) ?? '')?.groups;
  if (last === undefined || Number(last['failed']) !== failures) differences.push(`the last line is ${JSON.stringify(lines.at(-1))}`);
  return differences;
}

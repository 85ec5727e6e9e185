/**
 * Spark Streaming as a measured process: built by Maven on first use, started with the options that it was first measured with.
 *
 * Invariant: Java and Maven are asked for only here, and their absence is an error that says what to install. Everything that is
 * built lies in target/ and lib/ beside the pom, or in a temporary folder that goes with the process.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../../machine.ts';
import { makeLines } from '../../load/zipf-lines.ts';
import { startMeasuredProcess } from '../../measured-process.ts';
import type { MeasuredProcess } from '../../measured-process.ts';
import { blockIntervalFor, checkpoints } from '../../subject-settings.ts';
import type { SubjectSettings } from '../../subject-settings.ts';

/** Minimum and maximum: Spark never waits for its heap to grow. */
const heap = '6g';

/** What Spark itself needs opened on Java 17. */
const opens = [
  'java.base/java.io', 'java.base/java.lang', 'java.base/java.lang.invoke', 'java.base/java.lang.reflect', 'java.base/java.net',
  'java.base/java.nio', 'java.base/java.util', 'java.base/java.util.concurrent', 'java.base/java.util.concurrent.atomic',
  'java.base/sun.nio.ch', 'java.base/sun.nio.cs', 'java.base/sun.security.action', 'java.base/sun.util.calendar',
  'java.security.jgss/sun.security.krb5',
];

export async function startSparkPeer(settings: SubjectSettings): Promise<MeasuredProcess> {
  const folder = await builtFolder();
  const work = mkdtempSync(join(tmpdir(), 'millrace-spark-'));
  return startMeasuredProcess('Spark Streaming', {
    file: 'java',
    args: [...virtualMachineOptions(folder), ...programArguments(settings, work)],
    cwd: work,
    cleanUp: () => rmSync(work, { recursive: true, force: true }),
  });
}

function virtualMachineOptions(folder: string): string[] {
  return [
    `-Xms${heap}`, `-Xmx${heap}`, '-XX:+UseG1GC', '-XX:+IgnoreUnrecognizedVMOptions', '-Djdk.reflect.useDirectMethodHandle=false',
    `-Dlog4j2.configurationFile=${join(folder, 'log4j2.properties')}`,
    ...opens.map((name) => `--add-opens=${name}=ALL-UNNAMED`),
    '-cp', `${join(folder, 'target', 'classes')}:${join(folder, 'lib', '*')}`, 'millrace.bench.SparkPeer',
  ];
}

function programArguments(settings: SubjectSettings, work: string): string[] {
  const given: Record<string, string | number | boolean | undefined> = {
    program: settings.program,
    master: settings.master,
    batchMs: settings.batchMs,
    blockMs: settings.blockMs ?? blockIntervalFor(settings.batchMs),
    port: settings.port,
    partitions: 2,
    batches: settings.batches,
    pairs: settings.pairs,
    keys: settings.keys,
    updates: settings.updates,
    windowMs: settings.windowMs,
    stopAfterBatches: settings.stopAfterBatches,
    graceful: settings.graceful,
    'spark.local.dir': join(work, 'local'),
    ...(settings.writeAheadLog === true ? { 'spark.streaming.receiver.writeAheadLog.enable': true } : {}),
  };
  if (settings.program === 'memory') {
    given['file'] = join(work, 'lines.txt');
    writeFileSync(given['file'], makeLines(settings.lines ?? 0));
  }
  if (checkpoints(settings)) given['checkpoint'] = settings.checkpointDirectory ?? join(work, 'checkpoint');
  return Object.entries(given).filter(([, value]) => value !== undefined).map(([key, value]) => `${key}=${value}`);
}

/** The peer's folder in the sources, with its classes and libraries in place. */
async function builtFolder(): Promise<string> {
  const folder = join(packageRoot(), 'bench', 'peers', 'spark');
  if (!existsSync(join(folder, 'pom.xml'))) throw new Error(`The Spark peer needs the sources in ${folder}: run it from a clone, not from an installed package.`);
  await need('java', ['-version'], 'Install a Java 17 runtime (on Debian: openjdk-17-jdk-headless) and put java on the PATH.');
  if (!isBuilt(folder)) {
    await need('mvn', ['-v'], 'Install Maven 3 (on Debian: maven) and put mvn on the PATH. It is needed for the first build only.');
    process.stderr.write('spark: building with Maven (the first time it fetches Spark, about 180 MB)\n');
    await run('mvn', ['-q', '-B', 'package', 'dependency:copy-dependencies', '-DoutputDirectory=lib'], folder);
  }
  return folder;
}

function isBuilt(folder: string): boolean {
  const source = (name: string): string => join(folder, 'src/main/java/millrace/bench', `${name}.java`);
  const built = (name: string): string => join(folder, 'target/classes/millrace/bench', `${name}.class`);
  const isNewer = (name: string): boolean => existsSync(built(name)) && statSync(built(name)).mtimeMs >= statSync(source(name)).mtimeMs;
  return existsSync(join(folder, 'lib')) && ['SparkPeer', 'StatePrograms', 'ShufflePrograms'].every(isNewer);
}

async function need(command: string, args: readonly string[], advice: string): Promise<void> {
  try {
    await promisify(execFile)(command, args);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'is not on the PATH' : `does not run (${String(error)})`;
    throw new Error(`The Spark peer needs ${command}, which ${why}. ${advice}`);
  }
}

async function run(command: string, args: readonly string[], cwd: string): Promise<void> {
  try {
    await promisify(execFile)(command, args, { cwd, maxBuffer: 16 * 2 ** 20 });
  } catch (error) {
    const output = error as { stdout?: string; stderr?: string };
    throw new Error(`${command} ${args.join(' ')} failed in ${cwd}:\n${output.stdout ?? ''}${output.stderr ?? ''}`, { cause: error });
  }
}

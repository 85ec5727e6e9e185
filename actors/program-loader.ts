/**
 * Builds a program on a host: its module is imported, its function called, its graph sealed.
 *
 * Invariant: what a host builds depends on the descriptor alone; inline, the app's own built graph serves every host.
 */
import { buildProgram } from '../lib/program/build-program.ts';
import { loadProgram } from '../lib/program/load-program.ts';
import type { LocalFunctions } from '../lib/program/local-functions.ts';
import { ProgramBuilder } from '../lib/program/program-builder.ts';
import { fileSizes } from '../lib/storage/node-files.ts';
import type { ProgramDescriptor } from '../protocol/host.ts';
import type { ProgramId } from '../protocol/ids.ts';
import { assert } from '../lib/base/assert.ts';
import { BuiltProgram } from './built-program.ts';
import type { HostServices } from './services.ts';

export type ProgramLoader = (services: HostServices, descriptor: ProgramDescriptor) => Promise<BuiltProgram>;

/** For hosts with a thread of their own. */
export const loadFromModule: ProgramLoader = async (services, descriptor) => {
  const { url, program, batchIntervalMs, defaultParallelism, checkpointDirectory, appName, args } = descriptor;
  assert(url !== null, 'a program of another thread has a module', program);
  const builder = new ProgramBuilder({ program, batchIntervalMs, defaultParallelism, fileSizes, checkpointDirectory, appName });
  buildProgram(await loadProgram(url), builder, builder, args);
  return new BuiltProgram(builder, services, null);
};

/** For inline hosts: `built` is the app's table. */
export function loadFromTable(built: ReadonlyMap<ProgramId, ProgramBuilder>, local: LocalFunctions): ProgramLoader {
  return async (services, { program }) => {
    const builder = built.get(program);
    assert(builder !== undefined, 'an inline program is built by the app before it starts', program);
    return new BuiltProgram(builder, services, local);
  };
}

/**
 * The last step of a build: what tsc has made of lib/, actors/ and protocol/ becomes a few files, and these are what the package's `exports`
 * lead to. A process loads our modules once for each of its threads, and 250 files take far longer to find, read and link than these.
 *
 *   dist/lib/bundle/   index.js  testing.js  actors.js  cli.js      the package's entries
 *                      driver-entry.js  worker-entry.js             what threads load
 *                      thread-start.cjs                             what piscina loads: as it is, see there
 *                      chunk-….js                                   what several of them share
 *
 * Invariant: each module is in one file alone. So a program that imports `millrace` on a worker thread has the same classes, symbols and
 * tables as the thread itself. Types stay where tsc puts them. Packages stay outside.
 *
 * The folder is two below dist/, as those of the modules are: what they find by their own place (thread entries, which stack frames are ours)
 * they find here, too. Tests that import dist/lib/x.js have threads that load dist/actors/worker-entry.js: one graph of modules, not two.
 */
import { build } from 'esbuild';
import { chmodSync, copyFileSync, readdirSync, rmSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

const dist = fileURLToPath(new URL('..', import.meta.url));
const folder = `${dist}lib/bundle/`;

const { metafile } = await build({
  entryPoints: {
    ...Object.fromEntries(['index', 'testing', 'actors', 'cli'].map((name) => [name, `${dist}lib/${name}.js`])),
    ...Object.fromEntries(['driver-entry', 'worker-entry'].map((name) => [name, `${dist}actors/${name}.js`])),
  },
  outdir: folder,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  // To the TypeScript sources, by way of tsc's own maps.
  sourcemap: true,
  sourcesContent: false,
  metafile: true,
  logLevel: 'warning',
});
copyFileSync(`${dist}lib/actor/thread-start.cjs`, `${folder}thread-start.cjs`);

// Last, and only what is of no use any more: a process that was started from an earlier build may still read the others.
const made = new Set(['thread-start.cjs', ...Object.keys(metafile.outputs).map((path) => basename(path))]);
for (const file of readdirSync(folder)) {
  if (!made.has(file)) rmSync(`${folder}${file}`);
}
for (const command of [`${folder}cli.js`, `${dist}lib/cli.js`]) chmodSync(command, 0o755);

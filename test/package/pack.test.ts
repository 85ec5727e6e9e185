/**
 * The package as a stranger gets it: packed, installed in an empty folder, and used there from JavaScript, from TypeScript and
 * from the shell.
 *
 * The folder starts with our own lockfile's entries for what users get, so that npm's cache of `npm ci` is enough.
 */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { builtFile } from '../helpers/node-process.ts';

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly devOptional?: boolean }>>;
}

const project = builtFile('..');
const tsc = join(project, 'node_modules/typescript/bin/tsc');
// A space and a letter beyond ASCII in every path.
const folder = mkdtempSync(join(tmpdir(), 'millrace ö '));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

function run(command: string, args: readonly string[], cwd = folder): Promise<Ran> {
  // npm hands its own settings down to what its scripts start; a stranger's shell has none of them.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_(?!config_cache$)/i.test(name) && name !== 'INIT_CWD'));
  return new Promise((resolve) => {
    execFile(command, [...args], { cwd, env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stdout, stderr }));
  });
}

/** The program, in plain JavaScript. */
const wordsJs = `
export default function words(ssc, args) {
  const counts = ssc.socketTextStream('127.0.0.1', args.port).flatMap((line) => line.split(' ')).map((word) => [word, 1]).reduceByKey((a, b) => a + b);
  return { counts: counts.publish() };
}
`;

/** The app: serves three lines, waits until all nine words are counted, writes the counts. The same in both languages. */
const mainBody = `
const server = createServer((socket) => void socket.write('to be or\\nnot to be\\nthat is it\\n'));
await once(server.listen(0, '127.0.0.1'), 'listening');
const ssc = await StreamingContext.create_(new URL('./words.js', import.meta.url), {
  master: 'local[2]', batchInterval: Milliseconds(200), args: { port: server.address()_.port },
});
await ssc.start();
const totals = new Map_();
let seen = 0;
for await (const { records } of ssc.exports.counts) {
  for (const [word, count] of records) {
    totals.set(word, (totals.get(word) ?? 0) + count);
    seen += count;
  }
  if (seen >= 9) break;
}
await ssc.stop();
server.close();
console.log(JSON.stringify(Object.fromEntries([...totals].sort())));
`;

const imports = `
import { once } from 'node:events';
import { createServer } from 'node:net';
import { Milliseconds, StreamingContext } from 'millrace';
`;

const counted = '{"be":2,"is":1,"it":1,"not":1,"or":1,"that":1,"to":2}\n';

t.test('npm pack holds what users need, and nothing else', async (t) => {
  const packed = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], project);
  t.equal(packed.code, 0, packed.stderr);
  const [{ files, filename }] = JSON.parse(packed.stdout) as [{ filename: string; files: { path: string }[] }];
  const paths = files.map(({ path }) => path);
  for (const path of ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'dist/lib/index.d.ts', ...['index.js', 'testing.js', 'actors.js', 'cli.js', 'worker-entry.js', 'thread-start.cjs'].map((file) => `dist/lib/bundle/${file}`)]) {
    t.ok(paths.includes(path), path);
  }
  t.strictSame(paths.filter((path) => !/^(dist\/lib\/bundle\/[\w-]+\.c?js|dist\/(lib|actors|protocol)\/.*\.d\.ts|docs\/([A-Za-z-]+|api\/.*)\.md|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/.test(path)), [], 'no tests, no benchmarks, no maps without their sources');
  writeFileSync(join(folder, 'tarball'), filename);
});

t.test('it installs in an empty folder', async (t) => {
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'stranger', private: true, type: 'module' }));
  const { packages } = JSON.parse(readFileSync(join(project, 'package-lock.json'), 'utf8')) as Lock;
  const forUsers = Object.fromEntries(Object.entries(packages).filter(([path, { dev, devOptional }]) => path !== '' && dev !== true && devOptional !== true));
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ name: 'stranger', lockfileVersion: 3, requires: true, packages: { '': { name: 'stranger' }, ...forUsers } }));
  cpSync(join(project, '.npmrc'), join(folder, '.npmrc'));
  const installed = await run('npm', ['install', `./${readFileSync(join(folder, 'tarball'), 'utf8')}`, '--prefer-offline', '--no-audit', '--no-fund']);
  t.equal(installed.code, 0, installed.stderr);
  t.notOk(existsSync(join(folder, 'node_modules/typescript')), 'without what only we need');
});

t.test('npx millrace runs', async (t) => {
  const { code, stdout } = await run('npx', ['--no', '--', 'millrace', '--version']);
  t.equal(code, 0);
  t.equal(stdout, `${(JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as { version: string }).version}\n`);
});

t.test('a word count from plain JavaScript', async (t) => {
  writeFileSync(join(folder, 'words.js'), wordsJs);
  writeFileSync(join(folder, 'main.js'), imports + mainBody.replace('create_', 'create').replace('()_', '()').replace('Map_', 'Map'));
  const { code, stdout, stderr } = await run(process.execPath, ['main.js']);
  t.strictSame({ code, stdout, stderr }, { code: 0, stdout: counted, stderr: '' });
});

t.test('a word count from TypeScript: types are found and inferred, and wrong ones are refused', async (t) => {
  writeFileSync(join(folder, 'words.ts'), wordsJs.replace('(ssc, args)', '(ssc: StreamingContext, args: { port: number })').replace('\n', 'import type { StreamingContext } from \'millrace\';\n'));
  const typed = mainBody.replace('create_', 'create<typeof words>').replace('()_', '() as AddressInfo)').replace('server.address', '(server.address').replace('Map_', 'Map<string, number>');
  writeFileSync(
    join(folder, 'main.ts'),
    `${imports}import type { AddressInfo } from 'node:net';
import { startTest } from 'millrace/testing';
import { ActorSystem } from 'millrace/actors';
import type words from './words.js';
${typed}
// Only for the compiler.
export const kit: typeof startTest = startTest;
export const kernel: typeof ActorSystem = ActorSystem;
const inferred: AsyncIterable<{ readonly records: readonly (readonly [string, number])[] }> = ssc.exports.counts;
// @ts-expect-error: the counts are numbers.
const wrong: AsyncIterable<{ readonly records: readonly (readonly [string, string])[] }> = ssc.exports.counts;
// @ts-expect-error: the program takes a port.
export const noPort = () => StreamingContext.create<typeof words>('', { batchInterval: 1, args: {} });
void [inferred, wrong];
`,
  );
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      // Declarations are checked, too: what users' compilers see must be whole without our own settings.
      compilerOptions: { target: 'es2022', module: 'nodenext', moduleResolution: 'nodenext', strict: true, skipLibCheck: false, types: ['node'], typeRoots: [join(project, 'node_modules/@types')] },
      files: ['main.ts', 'words.ts'],
    }),
  );
  const compiled = await run(process.execPath, [tsc, '-p', folder]);
  t.equal(compiled.stdout, '');
  t.equal(compiled.code, 0);
  const { code, stdout, stderr } = await run(process.execPath, ['main.js']);
  t.strictSame({ code, stdout, stderr }, { code: 0, stdout: counted, stderr: '' });
});

t.test('and npx millrace run, with a program there', async (t) => {
  writeFileSync(join(folder, 'numbers.js'), 'export default (ssc) => { ssc.batchesStream([[1, 2, 3]], 2).map((x) => x * 2).print(); };\n');
  const { code, stdout, stderr } = await run('npx', ['--no', '--', 'millrace', 'run', 'numbers.js', '--master', 'local[2]', '--batch', '100ms', '--batches', '1']);
  t.strictSame({ code, stderr: stderr.replace(/^npm warn .*\n/gm, '') }, { code: 0, stderr: '' });
  t.match(stdout, /^-+\nTime: \d+ ms\n-+\n2\n4\n6\n\n/);
});

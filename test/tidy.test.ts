/** The code keeps the rules that docs/HOW-WE-WRITE.md names; the rules themselves find what they are there for. */
import t from 'tap';
import { filesBelow, textOf } from './helpers/project.ts';
import { findings } from './helpers/tidy.ts';
import type { Source } from './helpers/tidy.ts';

const header = '/** What it owns. */\n';

function source(path: string, text: string): Source {
  return { path, text: header + text };
}

t.test('every file of the project keeps the rules', (t) => {
  const sources = ['protocol', 'lib', 'actors', 'examples', 'bench', '.ci', 'test'].flatMap((folder) => filesBelow(folder, '.ts')).map((path) => ({ path, text: textOf(path) }));
  t.ok(sources.length > 150, 'the sources were found');
  t.strictSame(findings(sources), []);
  t.end();
});

t.test('an actor that imports another is told through which messages to talk to it', (t) => {
  const receiver = source('actors/receiver.ts', 'import type { ToReceiver } from \'../protocol/receiver.ts\';\nexport function receiver(): Behavior<null, ToReceiver> {}\n');
  const other = (text: string, path = 'actors/block-generator.ts') => findings([receiver, source(path, text)]);
  t.strictSame(other('import { receiver } from \'./receiver.ts\';\nexport const x = receiver;\n'), [
    'actors/block-generator.ts:2 imports actors/receiver.ts: talk to it through protocol/receiver.ts (ToReceiver)',
  ]);
  t.strictSame(other('import type { Args } from \'./receiver.ts\';\nexport const x: Args = 1;\n'), [
    'actors/block-generator.ts:2 imports actors/receiver.ts: talk to it through protocol/receiver.ts (ToReceiver)',
  ]);
  t.strictSame(other('import type { Args } from \'./receiver.ts\';\nexport const x: Args = 1;\n', 'actors/tree.ts'), [], 'the tree may name their arguments');
  t.strictSame(other('import { receiver } from \'./receiver.ts\';\nexport const x = receiver;\n', 'actors/registry.ts'), [], 'the registry holds them all');
  t.strictSame(other('import { places } from \'./places.ts\';\nexport const x = places;\n'), [], 'what is no behaviour may be shared');
  t.end();
});

t.test('imports go down only', (t) => {
  const one = (path: string, target: string, kind = 'import') => findings([source(path, `${kind} { X } from '${target}';\nexport const y: X = X;\n`)]);
  t.strictSame(one('protocol/task.ts', '../lib/base/key.ts'), ['protocol/task.ts:2 imports lib/base/key.ts: protocol imports nothing of ours; imports go down only']);
  t.match(one('lib/rdd/rdd.ts', '../storage/slab-pool.ts')[0], /^lib\/rdd\/rdd\.ts:2 imports lib\/storage\/slab-pool\.ts: lib\/rdd may import lib\/base, protocol and itself alone/);
  t.match(one('lib/rdd/rdd.ts', '../index.ts')[0], /imports lib\/index\.ts: lib\/rdd may import/);
  t.match(one('lib/actor/cell.ts', '../../actors/places.ts')[0], /imports actors\/places\.ts: lib\/actor may import/);
  t.match(one('actors/places.ts', '../lib/options.ts')[0], /imports lib\/options\.ts: actors may import/);
  t.match(one('lib/sources/source.ts', '../dstream/receiver.ts')[0], /types of lib\/dstream/);
  t.strictSame(one('lib/sources/source.ts', '../dstream/receiver.ts', 'import type'), []);
  t.strictSame(one('lib/dstream/dstream.ts', '../rdd/rdd.ts'), []);
  t.match(findings([source('lib/rdd/rdd.ts', 'export const x = import(\'../program/replay.ts\');\n')])[0], /imports lib\/program\/replay\.ts/, 'also where they are loaded late');
  t.match(findings([source('lib/rdd/rdd.ts', 'export let x: import(\'../program/replay.ts\').X;\n')])[0], /imports lib\/program\/replay\.ts/, 'also where they are only named');
  t.end();
});

t.test('examples import the package by its name', (t) => {
  const one = (target: string) => findings([source('examples/x.ts', `import { X } from '${target}';\nexport const y = X;\n`)]);
  t.strictSame(one('millrace'), []);
  t.strictSame(one('millrace/testing'), []);
  t.strictSame(one('node:net'), []);
  t.strictSame(one('./other.js'), []);
  t.strictSame(one('../lib/index.ts'), ['examples/x.ts:2 imports lib/index.ts: an example imports the package by its own name, as users do']);
  t.strictSame(one('piscina'), ['examples/x.ts:2 imports piscina: an example imports the package by its own name, as users do']);
  t.match(findings([source('lib/rdd/rdd.ts', 'import { X } from \'millrace\';\nexport const y = X;\n')])[0], /only examples and tests import the package by its name/);
  t.end();
});

t.test('time, chance, disk and the process come in by argument', (t) => {
  const one = (text: string, path = 'lib/rdd/rdd.ts') => findings([source(path, `${text}\n`)]);
  t.strictSame(one('export const x = Date.now();'), ['lib/rdd/rdd.ts:2 uses Date.now: use clock.wall()']);
  t.strictSame(one('export const x = new Date();'), ['lib/rdd/rdd.ts:2 uses new Date(): use clock.wall()']);
  t.strictSame(one('export const x = new Date(5);'), [], 'a date of a known time is a value');
  t.match(one('export const x = Math.random();')[0], /uses Math\.random: use a Prng/);
  t.match(one('setTimeout(() => {}, 5);')[0], /uses setTimeout: use clock\.setTimer/);
  t.match(one('export const later = setTimeout;')[0], /uses setTimeout/, 'also where it is only given away');
  t.strictSame(one('export const x = { setTimeout: 1 }; // setTimeout, Date.now()'), [], 'names and comments are no calls');
  t.match(one('console.log(1);')[0], /uses console: use the logger/);
  t.match(one('process.on(\'exit\', () => {});')[0], /no handlers/);
  t.match(one('import { readFileSync } from \'node:fs\';\nexport const x = readFileSync;')[0], /imports node:fs: only lib\/storage\/node-files\.ts and .* and lib\/cli\/keyboard\.ts do/);
  t.match(one('import { readFile } from \'node:fs/promises\';\nexport const x = readFile;')[0], /imports node:fs\/promises/);
  t.strictSame(one('import type { Stats } from \'node:fs\';\nexport let x: Stats;'), [], 'a type opens no door');
  t.match(one('import { nanoid } from \'nanoid\';\nexport const x = nanoid;')[0], /imports nanoid/);
  t.strictSame(one('setTimeout(() => {}, 5);', 'test/x.ts'), [], 'the rule is for what runs in the runtime');
  t.end();
});

t.test('no handler of an actor waits', (t) => {
  const one = (text: string, path = 'actors/receiver.ts') => findings([source(path, `${text}\n`)]);
  t.match(one('export const run = async () => {};')[0], /^actors\/receiver\.ts:2 is async: a handler never waits/);
  t.match(one('export const run = (x) => { for await (const y of x) y(); };').join(), /is async/);
  t.strictSame(one('export const run = () => load().then(() => 1);'), []);
  t.strictSame(one('export const run = async () => {};', 'actors/program-loader.ts'), []);
  t.match(one('export function load(): Behavior<null, X> { return async () => {}; }', 'actors/program-loader.ts').join(), /is async/, 'an exception is for files that are no behaviours');
  t.strictSame(one('export const run = async () => {};', 'lib/rdd/actions.ts'), []);
  t.end();
});

t.test('a file says what it is, is not too long, leaves nothing undone and names its types', (t) => {
  t.match(findings([{ path: 'lib/rdd/x.ts', text: 'export const x = 1;\n' }]), ['lib/rdd/x.ts has no header: say at its top what it owns and the invariant it keeps']);
  t.match(findings([source('lib/rdd/x.ts', 'export const x = 1;\n'.repeat(401))])[0], /^lib\/rdd\/x\.ts has 402 lines, more than 400/);
  t.match(findings([source('test/x.ts', `// ${'TO'}DO: more\n`)])[0], /^test\/x\.ts:2 leaves something undone/);
  t.match(findings([source('lib/rdd/x.ts', 'export function x(y: any): void {}\n')])[0], /^lib\/rdd\/x\.ts:2 says any/);
  t.match(findings([source('lib/rdd/x.ts', 'export * from \'./y.ts\';\n')])[0], /exports all of another file/);
  t.match(findings([source('lib/rdd/x.ts', 'export { y } from \'./y.ts\';\n')])[0], /only passes on/);
  t.strictSame(findings([source('lib/index.ts', 'export { y } from \'./rdd/y.ts\';\n')]), []);
  t.end();
});

t.test('a circle of imports is shown, unless it is one of types', (t) => {
  const circle = (kind: string) =>
    findings([source('lib/rdd/a.ts', 'import { b } from \'./b.ts\';\nexport const a = () => b;\n'), source('lib/rdd/b.ts', `${kind} { a } from './a.ts';\nexport const b = () => a;\n`)]);
  t.match(circle('import')[0], /^lib\/rdd\/a\.ts -> lib\/rdd\/b\.ts -> lib\/rdd\/a\.ts: a circle of imports/);
  t.strictSame(circle('import type'), []);
  t.end();
});

t.test('an exception that nothing needs any more is found', (t) => {
  t.match(findings([source('actors/thread-launcher.ts', 'export const x = 1;\n')])[0], /actors\/thread-launcher\.ts needs no exception for await any more/);
  t.match(findings([source('lib/sources/node-net.ts', 'export const x = 1;\n')])[0], /needs no exception for node:net/);
  t.end();
});

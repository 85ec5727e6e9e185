/** The package's entries and the thread's share one graph of modules; what the bundle holds, it holds once. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { MillraceError, StreamingContext } from 'millrace';
import { startTest } from 'millrace/testing';
import { ActorSystem } from 'millrace/actors';
import type importsThePackage from '../fixtures/imports-the-package.ts';
import { builtFile } from '../helpers/node-process.ts';

const folder = builtFile('lib/bundle');

t.test('a program that imports the package has the classes and the tables of the thread that it runs on', async (t) => {
  const test = await startTest<typeof importsThePackage>(new URL('../fixtures/imports-the-package.js', import.meta.url), { master: 'local[1]', onBatchFailure: 'continue' });
  t.ok(test.ssc instanceof StreamingContext, 'the test kit makes contexts of the main entry');
  const failed = test.next('failed') as Promise<{ readonly error: unknown }>;
  for (let batch = 0; batch < 100 && test.output(test.exports.sums).every(({ records }) => records.length === 0); batch += 1) await test.advance();
  t.strictSame(test.output(test.exports.sums).flatMap(({ records }) => records), [[true, 6]], 'its class has gone through a shuffle by the codec that it registered');
  const { error } = await failed;
  t.ok(error instanceof MillraceError);
  t.match(String(error), /a two/);
  await test.stop();
});

t.test('each module of ours is in one file of the bundle', (t) => {
  const files = readdirSync(folder).filter((file) => /\.js$/.test(file));
  const holders = new Map<string, Set<string>>();
  for (const file of files) {
    // esbuild says above each module what it was.
    for (const [, path = ''] of readFileSync(join(folder, file), 'utf8').matchAll(/^\/\/ (dist\/\S+\.js)$/gm)) holders.set(path, (holders.get(path) ?? new Set()).add(file));
  }
  t.ok(holders.size > 150, `${holders.size} modules were found`);
  t.strictSame([...holders].flatMap(([path, where]) => (where.size > 1 ? [path, ...where] : [])), []);
  t.strictSame([...holders.keys()].filter((path) => !/^dist\/(lib|actors|protocol)\//.test(path)), [], 'packages stay outside');
  t.end();
});

t.test('what the entries export is one and the same', async (t) => {
  const entry = async (name: string): Promise<Record<string, unknown>> => (await import(join(folder, name))) as Record<string, unknown>;
  t.equal((await entry('index.js'))['StreamingContext'], StreamingContext);
  t.equal((await entry('actors.js'))['ActorSystem'], ActorSystem);
  t.type((await entry('worker-entry.js'))['default'], 'function');
});

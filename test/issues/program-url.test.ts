/**
 * Which module `create` is asked for, and which cluster.
 *
 * Bugs: a relative path was looked for beside Millrace's own files ('./p1.mjs' in dist/lib/program), so what was said to be missing was a
 * file that nobody has; `sparkContext: {}` was a TypeError without a code. Plan: each kind of name, on the app's thread and inline.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { programUrl } from '../../lib/program-url.ts';
import { SparkContext } from '../../lib/spark-context.ts';
import { StreamingContext } from '../../lib/streaming-context.ts';
import { silent } from '../helpers/running.ts';

const options = { master: 'inline', batchInterval: 100, clock: 'manual', logger: silent } as const;

t.test('a URL and an absolute path are the module; anything else is refused, with what to give', async (t) => {
  const directory = t.testdir({ 'a program.mjs': 'export default (ssc) => { ssc.batchesStream([[1]]).print(); };\n' });
  const path = join(directory, 'a program.mjs');
  const url = pathToFileURL(path);
  for (const program of [path, url, url.href]) {
    t.equal(programUrl(program), url.href);
    const ssc = await StreamingContext.create(program, options);
    await ssc.stop();
  }
  const refused = [
    ['./a program.mjs', /new URL\(".\/a program.mjs", import.meta.url\)/],
    ['a-package/program', /import\.meta\.resolve/],
    ['', /got ""/],
    [5, /got 5/],
  ] as const;
  for (const [program, message] of refused) {
    await t.rejects(StreamingContext.create(program as string, options), { code: 'InvalidArgument', message, details: { name: 'create', place: /program-url\.test\.[jt]s/ } });
  }
});

t.test('what is no SparkContext is refused as an option', async (t) => {
  for (const sparkContext of [{}, null, 'local[2]', { internals: {} }]) {
    await t.rejects(StreamingContext.create(() => {}, { ...options, sparkContext: sparkContext as never }), { code: 'InvalidOption', message: /sparkContext to be a SparkContext/ });
  }
  const sparkContext = new SparkContext({ master: 'inline', logger: silent });
  t.teardown(() => sparkContext.stop());
  await t.resolves(StreamingContext.create(() => {}, { ...options, sparkContext }));
});

/** Every example runs as its first lines say, and does what it says. */
import { readFileSync, readdirSync } from 'node:fs';
import t from 'tap';
import { countWords, differenceOf } from '../../examples/feed.ts';
import { builtFile, startLineServer, startNode } from '../helpers/node-process.ts';
import { noPostgres, startPostgres } from '../helpers/postgres.ts';

const examples = readdirSync(builtFile('../examples')).filter((file) => file.endsWith('.ts'));
/** Parts of other examples: nothing to run. */
const parts = ['check-counts.ts', 'feed.ts', 'postgres-sink.ts', 'text-server.ts'];

t.test('each begins with its command line, and is run by a test', (t) => {
  const tests = readFileSync(builtFile('../test/examples/examples.test.ts'), 'utf8') + readFileSync(builtFile('../test/examples/start.test.ts'), 'utf8') + readFileSync(builtFile('../test/lib/cli.test.ts'), 'utf8');
  for (const file of examples.filter((name) => !parts.includes(name))) {
    const header = readFileSync(builtFile(`../examples/${file}`), 'utf8').split('*/')[0] ?? '';
    const script = file.replace(/\.ts$/, '.js');
    t.ok(header.includes(`dist/examples/${script}`) || header.includes(`npm ${file.replace(/\.ts$/, '')}`), `${file} says how it is run`);
    t.ok(tests.includes(`examples/${script}`), `${file} is run`);
  }
  t.end();
});

t.test('the app that embeds the word count reads the counts of each batch', async (t) => {
  const server = await startLineServer(t);
  const child = startNode(t, [builtFile('examples/embed.js'), String(server.port)]);
  const connection = await server.connection();
  connection.write('a b a c a b\nd\n');
  await child.prints(/ a: 3, b: 2, (c|d): 1\n/);
  child.kill('SIGINT');
  t.strictSame(await child.ended, { code: 0, signal: null });
  t.match(child.stdout, /^\d{4}-\d\d-\d\dT[\d:.]+Z a: 3, b: 2, (c|d): 1\n$/, 'its own lines, and nothing printed beside');
  t.equal(child.stderr, '');
});

t.test('a killed receiver comes back on a new thread, and batches go on', async (t) => {
  const child = startNode(t, [builtFile('examples/kill-a-receiver.js')]);
  t.strictSame(await child.ended, { code: 0, signal: null });
  t.equal(child.stderr, '');
  const lines = child.stdout.trimEnd().split('\n');
  const killed = lines.indexOf('killing the io thread');
  const has = (pattern: RegExp, from: number): number => lines.findIndex((line, index) => index >= from && pattern.test(line));
  const died = has(/^thread \d+ \(io\) has died/, killed);
  const up = has(/^thread \d+ \(io\) is up/, died);
  const back = has(/^receiver of stream 0 runs on thread \d+$/, up);
  t.ok(killed > 0 && died > killed && up > died && back > up, `in this order: died, up, receiver back\n${child.stdout}`);
  const [before] = lines.filter((line) => line.startsWith('receiver of'));
  t.not(lines[back], before, 'on another thread');
  const after = has(/^batch \d+: [1-9]\d* words$/, back);
  t.ok(after > back, 'and it receives');
  t.match(lines.at(-1), /^\d+ batches, [1-9]\d* words counted$/);
});

t.test('a receiver of one\'s own gives the mean of each sensor', async (t) => {
  const child = startNode(t, [builtFile('lib/bundle/cli.js'), 'run', builtFile('examples/custom-receiver.js'), '--master', 'local[1]', '--batch', '400ms', '--batches', '3']);
  t.strictSame(await child.ended, { code: 0, signal: null });
  const means = [...child.stdout.matchAll(/^\((north|east|south),([\d.]+)\)$/gm)];
  t.ok(means.length >= 3, 'three sensors in a batch');
  const offset: Record<string, number> = { north: 0, east: 10, south: 20 };
  // Readings go from 0 to 4 degrees above the sensor's own offset.
  t.ok(means.every(([, sensor = '', mean]) => Math.abs(Number(mean) - (offset[sensor] ?? 0) - 2) <= 2), child.stdout);
});

t.test('a reliable receiver whose thread is killed twice brings each line of its file exactly once', async (t) => {
  const child = startNode(t, [builtFile('examples/reliable-receiver.js')]);
  t.strictSame(await child.ended, { code: 0, signal: null });
  t.equal(child.stderr, '');
  t.equal(child.stdout.match(/^thread \d+ has died$/gm)?.length, 2);
  t.equal(child.stdout.match(/^the receiver runs on thread \d+$/gm)?.length, 3);
  t.match(child.stdout, /^3000 lines of 3000; each exactly once, in order$/m);
});

t.test('orders come into PostgreSQL exactly once, though workers die', async (t) => {
  const postgres = await startPostgres(t);
  if (postgres === null) return void t.plan(0, noPostgres);
  const child = startNode(t, [builtFile('examples/postgres-orders.js'), '--batches', '10'], { env: { DATABASE_URL: postgres.connectionString } });
  t.strictSame(await child.ended, { code: 0, signal: null });
  t.equal(child.stderr, '');
  t.equal(child.stdout, '500 orders in the table, 500 different ones, of 500; 174750 cents spent, of 174750\n2 worker threads died; 2 rows name what was written\n');
});

/** Each checks its results by a plain computation of its own, and ends with 1 where one is wrong. */
const checked: readonly (readonly [script: string, batches: number, shows: RegExp])[] = [
  ['examples/windowed-word-count.js', 8, /^window 8: \w+ \d+/m],
  ['examples/stateful-word-count.js', 8, /^after batch 8: \d+ words, most often \w+ \d+/m],
  ['examples/spam-filter.js', 8, /^batch 8, edition 3 \(eve\): ada, bob, cleo, dan$/m],
  ['examples/top-hashtags.js', 6, /^window 6: #\w+ \d+, #\w+ \d+, #\w+ \d+$/m],
  ['examples/sessions.js', 12, /^batch 6: cleo ended: page-0 page-1 page-2 in 400 ms$/m],
];

for (const [script, batches, shows] of checked) {
  t.test(`${script} ends by itself after ${batches} batches that are as they must be`, async (t) => {
    const child = startNode(t, [builtFile(script), '--batches', String(batches)]);
    t.strictSame(await child.ended, { code: 0, signal: null });
    t.equal(child.stderr, '');
    t.match(child.stdout, shows);
    t.match(child.stdout.trimEnd().split('\n').at(-1), new RegExp(`^${batches} batches, every one as expected$`));
  });
}

t.test('without --batches an example goes on until Ctrl-C, and ends with 0', async (t) => {
  const child = startNode(t, [builtFile('examples/stateful-word-count.js')]);
  await child.prints(/^after batch 3: /m);
  child.kill('SIGINT');
  t.strictSame(await child.ended, { code: 0, signal: null });
  t.match(child.stdout, /^\d+ batches, every one as expected$/m);
});

t.test('the check of the examples that feed themselves finds a wrong count, a word too many and one too few', (t) => {
  const expected = countWords(['a b a', 'c']);
  t.strictSame([...expected], [['a', 2], ['b', 1], ['c', 1]]);
  t.equal(differenceOf([['c', 1], ['b', 1], ['a', 2]], expected), null);
  t.equal(differenceOf([['a', 3], ['b', 1], ['c', 1]], expected), '"a" has 3, expected 2');
  t.equal(differenceOf([['a', 2], ['b', 1], ['c', 1], ['d', 1]], expected), '"d" has 1, expected none');
  t.equal(differenceOf([['a', 2], ['b', 1]], expected), 'there are 2 words, expected 3');
  t.end();
});

t.test('the web app serves its page and the counts of the last seconds, and ends with 0 at Ctrl-C', async (t) => {
  const child = startNode(t, [builtFile('examples/web.js')]);
  await child.prints(/^http:\S+$/m);
  const [address = ''] = /^http:\S+$/m.exec(child.stdout) ?? [];
  const page = await fetch(address);
  t.equal(page.status, 200);
  t.match(page.headers.get('content-type'), /^text\/html/);
  t.match(await page.text(), /<table id="counts">/);
  t.equal((await fetch(new URL('other', address))).status, 404);
  t.equal((await fetch(address, { method: 'POST' })).status, 405);

  interface Counts {
    readonly batchTime: number | null;
    readonly counts: readonly (readonly [string, number])[];
  }
  const counts = async (): Promise<Counts> => (await (await fetch(new URL('counts.json', address))).json()) as Counts;
  let latest = await counts();
  while (latest.counts.length === 0) latest = await counts();
  const of = new Map(latest.counts);
  t.equal(latest.counts[0]?.[0], 'the', 'most frequent first');
  // The text says "mill" once and "wheel" twice in each round, and only whole rounds are sent.
  t.equal(of.get('wheel'), 2 * (of.get('mill') ?? 0), JSON.stringify(latest));
  child.kill('SIGINT');
  t.strictSame(await child.ended, { code: 0, signal: null });
  t.equal(child.stderr, '');
});

t.test('the web app ends by itself after as many batches as it is told', async (t) => {
  const child = startNode(t, [builtFile('examples/web.js'), '--batches', '3']);
  t.strictSame(await child.ended, { code: 0, signal: null });
  t.match(child.stdout, /^3 batches shown$/m);
});

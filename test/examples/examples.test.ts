/** Every example runs as its first lines say, and does what it says. */
import { readFileSync, readdirSync } from 'node:fs';
import t from 'tap';
import { builtFile, startLineServer, startNode } from '../helpers/node-process.ts';

const examples = readdirSync(builtFile('../examples')).filter((file) => file.endsWith('.ts'));
/** Parts of other examples: nothing to run. */
const parts = ['check-counts.ts', 'text-server.ts'];

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
  const child = startNode(t, [builtFile('lib/cli.js'), 'run', builtFile('examples/custom-receiver.js'), '--master', 'local[1]', '--batch', '400ms', '--batches', '3']);
  t.strictSame(await child.ended, { code: 0, signal: null });
  const means = [...child.stdout.matchAll(/^\((north|east|south),([\d.]+)\)$/gm)];
  t.ok(means.length >= 3, 'three sensors in a batch');
  const offset: Record<string, number> = { north: 0, east: 10, south: 20 };
  // Readings go from 0 to 4 degrees above the sensor's own offset.
  t.ok(means.every(([, sensor = '', mean]) => Math.abs(Number(mean) - (offset[sensor] ?? 0) - 2) <= 2), child.stdout);
});

/** What may be asked of the benchmark command, and how it says no. */
import t from 'tap';
import type { Bench } from '../../bench/bench.ts';
import { UsageError, parseCommand } from '../../bench/command-line.ts';
import { benches as all } from '../../bench/registry.ts';
import { shortRuns } from '../../bench/short-runs.ts';

const bench = (name: string, peers: Bench['peers']): Bench => ({
  name,
  summary: '',
  unit: 'u',
  better: 'higher',
  definition: '',
  peers,
  defaults: { seconds: 30, runs: 3 },
  run: async () => ({ figures: [], settings: {} }),
});
const benches = [bench('socket', ['spark']), bench('messages', ['limit'])];
const parse = (...args: string[]) => parseCommand(args, benches);

t.test('a name alone runs that benchmark with its own defaults', async (t) => {
  const command = parse('socket');
  t.match(command, { type: 'run', bench: { name: 'socket' }, seconds: 30, runs: 3, peers: [], json: false });
});

t.test('options go to the run', async (t) => {
  const command = parse('socket', '--seconds', '2.5', '--runs', '1', '--json', '--peer', 'spark', '--rate', '100000', '--intervals', '1000,5');
  t.match(command, { seconds: 2.5, runs: 1, json: true, peers: ['spark'], options: { rate: 100_000, intervals: [1_000, 5] } });
});

t.test('sizes of single benchmarks go to the run, too', async (t) => {
  t.match(parse('socket', '--keys', '2000', '--updates', '10', '--interval', '50', '--window', '5'), { options: { keys: 2_000, updates: 10, interval: 50, window: 5 } });
  t.throws(() => parse('socket', '--keys', '0'), /--keys must be a number above 0/);
});

t.test('all runs those that are named, else every one; a peer goes to those that have it', async (t) => {
  t.match(parse('all', '--peer', 'limit', '--runs', '2', '--json'), { type: 'all', json: true, runs: [{ bench: { name: 'socket' }, runs: 2, peers: [] }, { bench: { name: 'messages' }, peers: ['limit'] }] });
  t.match(parse('all', 'messages'), { runs: [{ bench: { name: 'messages' }, seconds: 30 }] });
  t.throws(() => parse('all', 'nothing'), /There is no benchmark named nothing/);
});

t.test('a short run has sizes of its own, where none were given; every benchmark has one', async (t) => {
  t.match(parseCommand(['soak', '--short', '--rate', '7'], all), { seconds: 20, runs: 1, options: { batches: 40, rate: 7 } });
  t.same(all.map(({ name }) => name).filter((name) => shortRuns[name] === undefined), []);
});

t.test('compare takes two results, or one against the baseline', async (t) => {
  t.match(parse('compare', 'a.json', 'b.json', '--json'), { type: 'compare', before: 'a.json', after: 'b.json', json: true });
  t.match(parse('compare', 'b.json'), { before: null, after: 'b.json' });
  t.throws(() => parse('compare'), /compare \[BEFORE\] AFTER; got 0/);
});

t.test('the two ways of a word count, and its input, are named', async (t) => {
  t.match(parse('socket', '--closures', 'called', '--input', 'text'), { options: { closures: 'called', input: 'text' } });
  t.throws(() => parse('socket', '--closures', 'no'), /--closures must be called or recognized, got "no"/);
});

t.test('list and help are commands of their own', async (t) => {
  t.same(parse('list'), { type: 'list' });
  t.same(parse('--help'), { type: 'help' });
});

t.test('each mistake is a usage error that says what was expected', async (t) => {
  const mistakes: [string[], RegExp][] = [
    [[], /Name a benchmark: one of socket, messages/],
    [['nothing'], /There is no benchmark named nothing. There are: socket, messages/],
    [['socket', 'messages'], /One benchmark at a time/],
    [['socket', '--peer', 'limit'], /socket has no peer named limit. It has: spark/],
    [['socket', '--seconds', 'ten'], /--seconds must be a number above 0, got "ten"/],
    [['socket', '--seconds', '0'], /--seconds must be a number above 0/],
    [['socket', '--runs', '1.5'], /--runs must be a whole number/],
    [['socket', '--fast'], /--fast/],
  ];
  for (const [args, message] of mistakes) {
    t.throws(() => parse(...args), message, args.join(' '));
    try {
      parse(...args);
    } catch (error) {
      t.ok(error instanceof UsageError, 'a usage error');
    }
  }
});

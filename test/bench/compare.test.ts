/** What a comparison of two results says, and when it calls a change one. */
import t from 'tap';
import { compare, figuresOfText, tableOfComparison } from '../../bench/compare.ts';
import type { Figure } from '../../bench/result.ts';

const figure = (name: string, runs: readonly number[], better: Figure['better'] = 'higher', limit?: number): Figure => {
  const value = [...runs].sort((a, b) => a - b)[runs.length >> 1] ?? Number.NaN;
  return { bench: 'socket', name, unit: 'u', better, value, runs, peers: limit === undefined ? {} : { limit: { value: value / limit, ratio: limit, runs: [value / limit] } } };
};

t.test('times is how many times better, whichever way the unit counts', async (t) => {
  const { figures } = compare([figure('rate', [100]), figure('time', [10], 'lower')], [figure('rate', [150]), figure('time', [20], 'lower')]);
  t.match(figures, [{ name: 'rate', before: 100, after: 150, times: 1.5 }, { name: 'time', times: 0.5 }]);
});

t.test('runs that overlap are no change; a single run is no judgement', async (t) => {
  const verdict = (before: readonly number[], after: readonly number[], better: Figure['better'] = 'higher') => compare([figure('f', before, better)], [figure('f', after, better)]).figures[0]?.verdict;
  t.equal(verdict([100, 110, 120], [115, 130, 140]), 'as before');
  t.equal(verdict([100, 110, 120], [121, 130, 140]), 'better');
  t.equal(verdict([100, 110, 120], [121, 130, 140], 'lower'), 'worse');
  t.equal(verdict([100, 110, 120], [70, 80, 90], 'lower'), 'better');
  t.equal(verdict([100], [200]), 'one run each');
});

t.test('against a peer of the same run the speed of the machine drops out', async (t) => {
  t.match(compare([figure('rate', [100], 'higher', 0.5)], [figure('rate', [80], 'higher', 0.6)]).figures, [{ times: 0.8, peers: { limit: 1.2 } }]);
  t.same(compare([figure('rate', [100])], [figure('rate', [80], 'higher', 0.6)]).figures[0]?.peers, {});
});

t.test('what only one side has is named, and the largest change comes first', async (t) => {
  const result = compare([figure('a', [10]), figure('old', [1]), figure('b', [10])], [figure('a', [11]), figure('b', [3]), figure('new', [1])]);
  t.match(result, { gone: ['socket: old'], added: ['socket: new'] });
  const lines = tableOfComparison(result).split('\n');
  t.match(lines[0], /^socket: b +10 -> 3 u +0\.3 times better +one run each$/);
  t.same(lines.slice(2), ['only before: socket: old', 'only after: socket: new']);
});

t.test('a file that is no result says how to make one', async (t) => {
  t.match(figuresOfText(`progress\n${JSON.stringify({ figures: [figure('a', [1])] })}\n`, 'a.json'), [{ name: 'a' }]);
  t.throws(() => figuresOfText('hello', 'a.json'), /Expected the last line of a\.json to be a result, as --json prints it; got "hello"\. Make one with/);
  t.throws(() => figuresOfText('{}', 'a.json'), /Expected a\.json to hold the figures of a benchmark/);
});

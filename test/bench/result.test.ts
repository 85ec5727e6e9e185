/** The form of a result, which other tools read. */
import t from 'tap';
import { figureOf, ratioOf, tableOf } from '../../bench/result.ts';
import type { BenchResult } from '../../bench/result.ts';

t.test('a figure is the median of its runs, with its peers and how many times better it is', async (t) => {
  const figure = figureOf('word-count-socket', {
    name: 'rate',
    unit: 'lines/s',
    better: 'higher',
    runs: [300_000, 400_000, 350_000],
    peers: { spark: [150_000, 200_000, 175_000] },
  });
  t.same(figure, {
    bench: 'word-count-socket',
    name: 'rate',
    unit: 'lines/s',
    better: 'higher',
    value: 350_000,
    runs: [300_000, 400_000, 350_000],
    peers: { spark: { value: 175_000, ratio: 2, runs: [150_000, 200_000, 175_000] } },
  });
});

t.test('a value that is not the median is taken as it is given, on both sides', async (t) => {
  const figure = figureOf('b', { name: 'n', unit: 'u', better: 'higher', runs: [100, 0, 100], value: 100, peers: { spark: [50, 50] }, peerValues: { spark: 25 } });
  t.equal(figure.value, 100);
  t.same(figure.peers.spark, { value: 25, ratio: 4, runs: [50, 50] });
});

t.test('above 1 is better than the peer, whichever way the unit counts', async (t) => {
  t.equal(ratioOf('higher', 300, 150), 2);
  t.equal(ratioOf('lower', 300, 150), 0.5);
  t.equal(ratioOf('lower', 2, 60), 30);
  t.equal(ratioOf('higher', 0, 0), 0, 'nothing against nothing');
});

t.test('a peer without a run is left out', async (t) => {
  t.same(figureOf('b', { name: 'n', unit: 'u', better: 'lower', runs: [1], peers: { spark: [], limit: [2] } }).peers, { limit: { value: 2, ratio: 2, runs: [2] } });
});

t.test('a result is one line of JSON and loses nothing by it', async (t) => {
  const figure = figureOf('startup', { name: 'first batch', unit: 'ms', better: 'lower', runs: [900, 1_100] });
  const result: BenchResult = {
    ...figure,
    definition: 'start to first batch',
    figures: [figure],
    details: {},
    settings: {},
    machine: {},
    versions: {},
    startedAt: '2026-01-01T00:00:00.000Z',
    tookSeconds: 1,
  };
  const text = JSON.stringify(result);
  t.notMatch(text, /\n/);
  const back = JSON.parse(text);
  for (const field of ['bench', 'unit', 'better', 'value', 'runs', 'peers']) t.ok(field in back, field);
  t.same(back.figures[0], figure);
  t.match(tableOf(result), /^startup: start to first batch\nfirst batch {2}1,000 ms {2}2 runs: 900, 1,100$/);
});

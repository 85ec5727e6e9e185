/** The load generator's lines and its pace, under a clock that the test moves. */
import { createHash } from 'node:crypto';
import t from 'tap';
import { Feeder, chunkLinesMax, linesDue, parsePace, stamp } from '../../bench/load/feeder.ts';
import type { FeederOptions } from '../../bench/load/feeder.ts';
import { lineBytes, makeLineStrings, makeLines } from '../../bench/load/zipf-lines.ts';

t.test('every line is ten words of w and four digits, 60 bytes with its end', async (t) => {
  const lines = makeLineStrings(1_000);
  t.equal(lines.length, 1_000);
  t.ok(lines.every((line) => /^w\d{4}( w\d{4}){9}$/.test(line)));
  t.equal(makeLines(1_000).length, 1_000 * lineBytes);
});

t.test('the text is the one that Spark was first measured with', async (t) => {
  t.equal(makeLineStrings(1)[0], 'w0064 w0753 w0926 w0003 w4789 w0000 w1135 w2109 w0006 w1260');
  t.equal(createHash('md5').update(makeLines(20_000)).digest('hex'), '9a5823965f31eac46ba809ac8b46936a');
});

t.test('another seed gives another text, the same seed the same', async (t) => {
  t.not(makeLineStrings(1, 43)[0], makeLineStrings(1, 42)[0]);
  t.same(makeLineStrings(100, 7), makeLineStrings(100, 7));
});

t.test('words follow Zipf: the k-th is about k times rarer than the first', async (t) => {
  const counts = new Map<string, number>();
  for (const word of makeLineStrings(20_000).flatMap((line) => line.split(' '))) counts.set(word, (counts.get(word) ?? 0) + 1);
  const first = counts.get('w0000') ?? 0;
  for (const k of [2, 5, 10]) t.ok(Math.abs((counts.get(`w000${k - 1}`) ?? 0) * k - first) < first * 0.1, `word ${k}`);
});

t.test('what is due follows the steps, and the last one goes on', async (t) => {
  const pace = [{ linesPerSecond: 60, seconds: 10 }, { linesPerSecond: 100, seconds: 1 }];
  t.equal(linesDue(pace, 0), 0);
  t.equal(linesDue(pace, 5), 300);
  t.equal(linesDue(pace, 10), 600);
  t.equal(linesDue(pace, 11), 700);
  t.equal(linesDue(pace, 100), 9_600);
});

t.test('a pace is read from text', async (t) => {
  t.same(parsePace('600:35,1000:1'), [{ linesPerSecond: 600, seconds: 35 }, { linesPerSecond: 1_000, seconds: 1 }]);
  t.same(parsePace('1000'), [{ linesPerSecond: 1_000, seconds: Infinity }]);
  t.equal(parsePace('fast'), null);
  t.equal(parsePace('-1'), null);
});

/** A feeder whose clock and reader the test holds. */
function held(options: Partial<FeederOptions> = {}) {
  const state = { nowMs: 0, ended: false, chunks: [] as Uint8Array[], pending: [] as (() => void)[], readerTakes: true };
  const pool = makeLines(100);
  const feeder = new Feeder({
    pool,
    pace: [{ linesPerSecond: 1_000, seconds: Infinity }],
    linesMax: Infinity,
    stamped: false,
    monotonicMs: () => state.nowMs,
    epochUs: () => 1_700_000_000_000_000 + state.nowMs * 1_000,
    write: (chunk, flushed) => {
      state.chunks.push(chunk);
      if (state.readerTakes) flushed();
      else state.pending.push(flushed);
    },
    ended: () => {
      state.ended = true;
    },
    ...options,
  });
  const text = (): string => Buffer.concat(state.chunks).toString('latin1');
  const advance = (milliseconds: number): void => {
    state.nowMs += milliseconds;
    feeder.turn();
  };
  return { feeder, state, advance, text, poolText: Buffer.from(pool).toString('latin1') };
}

t.test('at each turn just the lines that are due are written', async (t) => {
  const { feeder, advance, text, poolText } = held();
  advance(2);
  t.equal(text(), poolText.slice(0, 2 * lineBytes));
  advance(0.5);
  t.equal(feeder.linesWritten, 2, 'half a line is not due');
  advance(7.5);
  t.equal(text(), poolText.slice(0, 10 * lineBytes));
  t.equal(feeder.lag, 0);
});

t.test('behind the end of the pool it starts again, and no chunk runs over the end', async (t) => {
  const { advance, state, text, poolText } = held();
  advance(90);
  advance(30);
  t.equal(text(), poolText + poolText.slice(0, 20 * lineBytes));
  t.same(state.chunks.map((chunk) => chunk.length / lineBytes), [90, 10, 20]);
});

t.test('a reader that does not take its chunk is sent nothing more, and what is due grows into lag, then is made up for', async (t) => {
  const { feeder, state, advance, text, poolText } = held();
  state.readerTakes = false;
  advance(10);
  advance(20);
  t.equal(state.chunks.length, 1);
  t.equal(feeder.linesWritten, 0, 'a chunk on its way is not written');
  t.equal(feeder.lag, 30);
  state.readerTakes = true;
  state.pending.shift()?.();
  t.equal(feeder.linesWritten, 30, 'the rest goes at once, without waiting for a turn');
  t.equal(feeder.lag, 0);
  t.equal(text(), poolText.slice(0, 30 * lineBytes));
});

/**
 * Bug: what was due was looked at after each write. Where writes take longer than a line, which is so from some 500,000 lines/s on, that was an
 * endless run of writes of a few lines each, by which a core was busy and no timer ever ran: the generator was the bottleneck.
 */
t.test('what becomes due while it writes waits for the next turn', async (t) => {
  let nowMs = 0;
  const chunks: number[] = [];
  const { feeder } = held({
    monotonicMs: () => nowMs,
    write: (chunk, flushed) => {
      chunks.push(chunk.length / lineBytes);
      nowMs += 1;
      if (chunks.length < 1_000) flushed();
    },
  });
  nowMs = 10;
  feeder.turn();
  t.same(chunks, [10]);
  t.equal(feeder.lag, 1, 'it is told of as late');
  nowMs = 15;
  feeder.turn();
  t.same(chunks, [10, 5]);
});

t.test('it ends after the last line, and not before that is written', async (t) => {
  const { feeder, state, advance } = held({ linesMax: 15 });
  state.readerTakes = false;
  advance(1_000);
  t.equal(state.ended, false);
  state.pending.shift()?.();
  t.equal(state.ended, true);
  t.equal(feeder.linesWritten, 15);
  advance(1_000);
  t.equal(feeder.linesWritten, 15);
  t.equal(feeder.lag, 0, 'behind the last line nothing is due');
});

t.test('without a pace it goes on as fast as it is read, in chunks of bounded size', async (t) => {
  const pool = makeLines(chunkLinesMax + 10);
  const { feeder, state } = held({ pool, pace: [] });
  state.readerTakes = false;
  feeder.turn();
  for (let read = 0; read < 3; read += 1) state.pending.shift()?.();
  t.same(state.chunks.map((chunk) => chunk.length / lineBytes), [chunkLinesMax, 10, chunkLinesMax, 10]);
  t.equal(feeder.lag, 0);
});

t.test('a stamp is t, 16 digits of microseconds and a space, the same for all lines of a chunk', async (t) => {
  const { advance, text, poolText } = held({ stamped: true });
  advance(2);
  t.equal(text(), `t1700000000002000 ${poolText.slice(0, lineBytes)}t1700000000002000 ${poolText.slice(lineBytes, 2 * lineBytes)}`);
  t.equal(stamp(makeLines(3), 5).length, 3 * 78);
});

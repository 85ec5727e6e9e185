/** A program whose closures are recognised, in a context: nothing that it can see is otherwise than with all of them called. */
import t from 'tap';
import type { BatchInfo } from '../../protocol/listener.ts';
import { fingerprintOf } from '../../lib/dstream/fingerprint.ts';
import type { DStream } from '../../lib/dstream/dstream.ts';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import { startTest } from '../../lib/testing.ts';

const batches: readonly (readonly unknown[])[] = [['to be or', 'not to be', 7, 'é \ud800 \0'], [], ['', '  ', 'to', null]];
/** Functions of the program: the closures of the first two kinds are recognised, the others are not. */
const split = (line: string): string[] => line.split(' ');
const notEmpty = (word: string): boolean => word !== '';

function program(ssc: StreamingContext) {
  const seen = ssc.sc.accumulator(0);
  const words = ssc.batchesStream(batches as string[][], 2).flatMap(split, { onError: 'deadLetter' }).filter(notEmpty, { onError: 'skip' });
  const counts = words.map((word) => [word, 1], { onError: 'skip' }).reduceByKey((a, b) => a + b);
  const marked = words.map((word) => {
    seen.add(1);
    if (word === 'be') throw new Error('not be');
    return word;
  }, { onError: 'deadLetter' });
  return { counts: counts.publish(), marked: marked.publish(), letters: ssc.deadLetters(), seen, stream: counts as DStream<unknown> };
}

async function outcome(recognizeClosures: boolean) {
  let stream: DStream<unknown> | null = null;
  const test = await startTest((ssc: StreamingContext) => {
    const { stream: counts, ...exports } = program(ssc);
    stream = counts;
    return exports;
  }, { recognizeClosures, logger: { log: () => {} } });
  const graph = stream!['graph'];
  await test.advance(3);
  const { counts, marked, seen, letters } = test.exports;
  const found = {
    counts: test.output(counts).map(({ records }) => records),
    marked: test.output(marked).map(({ records }) => records),
    seen: seen.value,
    leftOut: test.batches.map(({ leftOut }: BatchInfo) => leftOut.map(({ operator, records, deadLetters }) => [operator?.name, operator?.uid, records, deadLetters])),
    fingerprint: fingerprintOf(graph),
    letters: test.output(letters).flatMap(({ records }) => records).map((letter) => ({ ...letter, error: letter.error.message })),
  };
  await test.stop();
  return found;
}

t.test('counts, records that are left out, dead letters, accumulators, uids and fingerprints are the same', async (t) => {
  const [recognised, called] = [await outcome(true), await outcome(false)];
  t.strictSame(JSON.parse(JSON.stringify(recognised)), JSON.parse(JSON.stringify(called)));
  t.strictSame(new Map(recognised.counts[0] as [string, number][]), new Map([['to', 2], ['be', 2], ['or', 1], ['not', 1], ['é', 1], ['\ud800', 1], ['\0', 1]]));
  t.strictSame(recognised.counts[2], [['to', 1]]);
  t.equal(recognised.seen, 10, 'of each word once');
  t.strictSame(recognised.letters.map(({ record }) => record), [7, 'be', 'be', null]);
});

t.test('lines of text from operators: the same results as by closures, and a bad line is left out', async (t) => {
  const test = await startTest((ssc: StreamingContext) => {
    const lines = ssc.batchesStream([['1,2', '{"a":[1]}', ' x  y ']], 1);
    return {
      fields: lines.fields(',').publish(),
      parts: lines.splitBy(',').publish(),
      words: lines.words().publish(),
      values: lines.parseJson<{ a: number[] }>({ onError: 'deadLetter' }).publish(),
      letters: ssc.deadLetters(),
    };
  }, { logger: { log: () => {} } });
  await test.advance(1);
  const { fields, parts, words, values, letters } = test.exports;
  t.strictSame(test.output(fields)[0]!.records, [['1', '2'], ['{"a":[1]}'], [' x  y ']]);
  t.strictSame(test.output(parts)[0]!.records, ['1', '2', '{"a":[1]}', ' x  y ']);
  t.strictSame(test.output(words)[0]!.records, ['1,2', '{"a":[1]}', 'x', 'y']);
  t.strictSame(test.output(values)[0]!.records, [{ a: [1] }]);
  t.strictSame(test.output(letters).flatMap(({ records }) => records).map(({ record, operator }) => [record, operator?.name]), [['1,2', 'parseJson'], [' x  y ', 'parseJson']]);
  await test.stop();
});

t.test('an operator on lines is named where a record is none', async (t) => {
  const test = await startTest((ssc: StreamingContext) => ({ words: (ssc.batchesStream([[5]]) as unknown as DStream<string>).words().publish() }), { logger: { log: () => {} }, taskFailuresMax: 1 });
  await t.rejects(test.advance(1).then(() => test.ssc.awaitTermination()), { code: 'TaskFailed', message: /words at .*text\.test/ });
  await test.stop();
});

t.test('separators and the option are checked at the door', async (t) => {
  const build = (make: (lines: DStream<string>) => unknown) => startTest((ssc: StreamingContext) => void make(ssc.batchesStream([['a']])));
  await t.rejects(build((lines) => lines.splitBy('')), { code: 'ProgramThrew', message: /splitBy expects a text that separates/ });
  await t.rejects(build((lines) => lines.fields(/,/ as never)), { code: 'ProgramThrew', message: /fields expects a text that separates/ });
  await t.rejects(build((lines) => lines.words({ onError: 'drop' as never })), { code: 'ProgramThrew', message: /words expects onError/ });
  await t.rejects(startTest(() => {}, { recognizeClosures: 'yes' as never }), { code: 'InvalidOption', message: /recognizeClosures/ });
});

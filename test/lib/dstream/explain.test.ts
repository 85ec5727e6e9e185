/** explain(): what is said is what runs, and saying it leaves no trace in the program. */
import t from 'tap';
import type { Test } from 'tap';
import { StreamingContext } from '../../../lib/index.ts';
import type { DStream } from '../../../lib/index.ts';
import { fingerprintOf } from '../../../lib/dstream/fingerprint.ts';
import { LocalRunner } from '../../helpers/local-runner.ts';
import { parallelize } from '../../../lib/rdd/make.ts';

/** Builds a program, and gives what `explained` says of it. */
async function explained(t: Test, build: (ssc: StreamingContext) => DStream<unknown>, options?: { recognizeClosures: boolean }): Promise<string> {
  let said = '';
  const ssc = await StreamingContext.create((context: StreamingContext) => {
    const stream = build(context);
    const before = fingerprintOf(stream.graph).hash;
    said = stream.explain(options);
    t.equal(fingerprintOf(stream.graph).hash, before, 'the program stays as it was');
    stream.print();
  }, { master: 'inline', batchInterval: 1_000, defaultParallelism: 2, allowMultipleContexts: true });
  t.teardown(() => ssc.stop());
  return said;
}

const wordCount = (ssc: StreamingContext): DStream<unknown> => ssc.socketTextStream('localhost', 9_999).flatMap((line) => line.split(' ')).map((word) => [word, 1]).reduceByKey((a, b) => a + b);

t.test('the word count runs as a byte table, and says why', async (t) => {
  t.equal(await explained(t, wordCount), `stage 1, for reduceByKey
  from socketTextStream: lines, as bytes
  flatMap  (line) => line.split(' ')   known: the parts between " "
  map  (word) => [word, 1]   known: pairs with 1
  combined by  (a, b) => a + b   known: a sum, where both are numbers
  runs as: bytes -> words -> byte table -> 2 partitions by key
stage 2
  from reduceByKey, merged by (a, b) => a + b   known: a sum, where both are numbers: pairs
  runs as: one loop`);
});

t.test('with recognizeClosures false the same program is one loop, and nothing is known of it', async (t) => {
  const said = await explained(t, wordCount, { recognizeClosures: false });
  t.match(said, /runs as: one loop -> 2 partitions by key/);
  t.notMatch(said, /known/);
});

t.test('a function that nobody knows breaks the byte table, not the words', async (t) => {
  const said = await explained(t, (ssc) => ssc.socketTextStream('localhost', 9_999).words().map((word) => [word, word.length]).reduceByKey((a, b) => a + b));
  t.match(said, /words {2}words {3}known: what is between whitespace/);
  t.match(said, /runs as: bytes -> words -> one loop over strings that come again/);
});

t.test('joins, unions and windows have the stages of all that they are made of', async (t) => {
  const said = await explained(t, (ssc) => {
    const words = ssc.socketTextStream('localhost', 9_999).splitBy(',');
    const ones = words.union(ssc.queueStream(ssc.queue<string>())).map((word) => [word, 1]);
    return ones.join(ones.reduceByKeyAndWindow((a, b) => a + b, 3_000));
  });
  t.match(said, /from socketTextStream: lines, as bytes\n {2}splitBy/);
  t.match(said, /from queueStream: records/);
  t.match(said, /is made of reduceByKey:\nstage 1, for reduceByKey/);
});

t.test('an RDD explains itself the same way, and runs nothing', async (t) => {
  const runner = new LocalRunner();
  const counts = parallelize(runner, ['to be', 'or not']).flatMap((line) => line.split(' ')).map((word) => [word, 1]).reduceByKey((a, b) => a + b);
  t.match(counts.explain(), /stage 1, for reduceByKey\n {2}from parallelize: records\n[^]*runs as: strings as bytes -> words -> byte table -> 2 partitions by key\nstage 2/);
  t.equal(runner.log.length, 0);
  t.strictSame(new Map(await counts.collect()), new Map([['to', 1], ['be', 1], ['or', 1], ['not', 1]]));
});

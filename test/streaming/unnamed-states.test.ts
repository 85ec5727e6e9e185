/** States and inputs without a uid that are made alike: what is kept of each is its own. */
import t from 'tap';
import type { State } from '../../lib/index.ts';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import { plain, Run } from '../helpers/going-on.ts';
import type { Outputs } from '../helpers/going-on.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { told } from '../helpers/told-receiver.ts';

type Pair = [string, number];

const totalsOf = (values: readonly number[], state: number | undefined): number => values.reduce((sum, value) => sum + value, state ?? 0);

const adding = (factor: number) => (_time: number, _key: string, value: number | undefined, state: State<number>): number => {
  state.update((state.getOption() ?? 0) + factor * (value ?? 0));
  return state.get();
};

/** Bug: they had one name, and the second went on with the state of the first after a restart. */
t.test('two states of one stream that differ in their functions alone go on each with its own', async (t) => {
  const directory = temporaryDirectory();
  const outputs: Outputs = new Map();
  const program = (ssc: StreamingContext) => {
    const queue = ssc.queue<Pair>();
    const pairs = ssc.queueStream(queue);
    return {
      queue,
      once: pairs.updateStateByKey(totalsOf).publish(),
      tenfold: pairs.updateStateByKey((values: readonly number[], state: number | undefined) => totalsOf(values.map((value) => 10 * value), state)).publish(),
      mapped: pairs.mapWithState({ fn: adding(1) }).publish(),
      mappedTenfold: pairs.mapWithState({ fn: adding(10) }).publish(),
    };
  };
  for (let life = 0; life < 3; life += 1) {
    const run = await Run.begin(t, directory, program, outputs);
    await run.exports.queue.push([['k', 1]]);
    await run.advance();
    await run.stop();
  }
  const values = (name: string): unknown[] => [...(outputs.get(name) ?? [])].map(([, texts]) => texts.join());
  t.same(values('once'), ['[["k",1]]', '[["k",2]]', '[["k",3]]']);
  t.same(values('tenfold'), ['[["k",10]]', '[["k",20]]', '[["k",30]]']);
  t.same(values('mapped'), ['[1]', '[2]', '[3]']);
  t.same(values('mappedTenfold'), ['[10]', '[20]', '[30]']);
});

t.test('two receivers without a name: each has its own blocks back', async (t) => {
  const directory = temporaryDirectory();
  const outputs: Outputs = new Map();
  const program = (first: () => ReturnType<ReturnType<typeof told<number>>['make']>, second: typeof first) => (ssc: StreamingContext) => ({ one: ssc.receiverStream(first).publish(), two: ssc.receiverStream(second).publish() });
  const [one, two] = [told<number>(), told<number>()];
  const run = await Run.begin(t, directory, program(one.make, two.make), outputs, { writeAheadLog: true });
  await (await one.running).storeBatch([1]);
  await (await two.running).storeBatch([2]);
  await run.stop();
  const again = await Run.begin(t, directory, program(told<number>().make, told<number>().make), outputs, { writeAheadLog: true });
  await again.advance();
  await again.stop();
  t.same(plain(outputs), [['one', [[1_000, ['[1]']]]], ['two', [[1_000, ['[2]']]]]]);
});

/**
 * Calls that can't be done as they were written say where they were written.
 *
 * Bug: what a user's call was refused with had neither operator nor place in its details, and no place in its text, so a
 * program of some length had to be searched for the one `map(5)`. Conditions: any refused argument while a graph is built.
 * Plan: one refused call of each kind of check; details and text name the method and this file.
 */
import t from 'tap';
import type { MillraceError } from '../../../protocol/errors.ts';
import { buildProgram } from '../../../lib/program/build-program.ts';
import { builderFor } from '../../helpers/program-run.ts';

const here = /arguments\.test\.[jt]s:\d+:\d+$/;
const saidHere = /\(\w+ at .*arguments\.test\.[jt]s:\d+:\d+\)$/;

function thrownBy(call: () => unknown): MillraceError {
  try {
    call();
  } catch (thrown) {
    return thrown as MillraceError;
  }
  throw new Error('It was not refused.');
}

const ssc = builderFor();
const numbers = ssc.batchesStream([[1]]);
const pairs = ssc.batchesStream<[string, number]>([]);
const rdd = ssc.sc.parallelize([1]);

for (const [name, code, call] of [
  ['map', 'InvalidArgument', () => numbers.map(5 as never)],
  ['repartition', 'InvalidArgument', () => numbers.repartition(0)],
  ['window', 'InvalidArgument', () => numbers.window(-1)],
  ['window', 'WindowNotMultiple', () => numbers.window(1_500)],
  ['union', 'SlideMismatch', () => numbers.union(numbers.window(2_000, 2_000))],
  ['union', 'NoStreams', () => ssc.union([])],
  ['transform', 'InvalidArgument', () => numbers.transform(null as never)],
  ['mapWithState', 'InvalidArgument', () => pairs.mapWithState(null as never)],
  ['print', 'InvalidArgument', () => numbers.print(-1)],
  ['publish', 'InvalidArgument', () => numbers.publish({ bound: 0 })],
  ['uid', 'InvalidArgument', () => numbers.uid('')],
  ['socketTextStream', 'InvalidArgument', () => ssc.socketTextStream('localhost', 0)],
  ['accumulator', 'InvalidArgument', () => ssc.sc.accumulator('' as never)],
  ['accumulator', 'InvalidArgument', () => ssc.sc.accumulator([] as number[], 5 as never)],
  ['repartition', 'InvalidArgument', () => numbers.repartition(undefined as never)],
  ['union', 'InvalidArgument', () => numbers.union(undefined as never)],
  ['union', 'InvalidArgument', () => numbers.union([1] as never)],
  ['union', 'InvalidArgument', () => ssc.union(undefined as never)],
  ['union', 'InvalidArgument', () => ssc.union(numbers as never)],
  ['join', 'InvalidArgument', () => pairs.join(null as never)],
  ['cogroup', 'InvalidArgument', () => pairs.cogroup({} as never)],
  ['transformWith', 'InvalidArgument', () => numbers.transformWith(undefined as never, (one) => one)],
  ['transform', 'InvalidArgument', () => ssc.transform(numbers as never, () => rdd)],
  ['queueStream', 'InvalidArgument', () => ssc.queueStream(undefined as never)],
  ['queueStream', 'InvalidArgument', () => ssc.queueStream('x' as never)],
  ['batchesStream', 'InvalidArgument', () => ssc.batchesStream(5 as never)],
  ['batchesStream', 'InvalidArgument', () => ssc.batchesStream([1, 2] as never)],
  ['reduceByKeyAndWindow', 'InvalidArgument', () => (pairs as unknown as { reduceByKeyAndWindow(...given: unknown[]): unknown }).reduceByKeyAndWindow((a: number) => a, 2_000, 1_000, 2, () => true)],
  ['mapWithState', 'InvalidArgument', () => pairs.mapWithState({ fn: () => 1, timeout: 1_000 } as never)],
  ['updateStateByKey', 'InvalidArgument', () => pairs.updateStateByKey(() => 1, { numPartitions: 5 } as never)],
  ['saveAsTextFiles', 'InvalidArgument', () => numbers.saveAsTextFiles('')],
  ['saveAsObjectFiles', 'InvalidArgument', () => numbers.saveAsObjectFiles(undefined as never)],
  ['parallelize', 'InvalidArgument', () => ssc.sc.parallelize(5 as never)],
  ['map', 'InvalidArgument', () => rdd.map(5 as never)],
  ['repartition', 'InvalidArgument', () => rdd.repartition(0)],
] as const) {
  t.test(`${name}: ${code} with the method and its place, in details and text`, async (t) => {
    const error = thrownBy(call);
    t.match(error, { code, details: { name, place: here }, message: saidHere });
  });
}

t.test('a program that makes such a call is refused with the same place', async (t) => {
  const building = builderFor();
  const error = thrownBy(() => buildProgram(() => void building.batchesStream([[1]]).map(5 as never), building, building, undefined));
  t.match(error, { code: 'ProgramThrew', details: { name: 'map', place: here }, cause: { code: 'InvalidArgument' } });
});

t.test('a program that throws an error of its own is refused with the place of its throw', async (t) => {
  const building = builderFor();
  const error = thrownBy(() => buildProgram(() => {
    throw new RangeError('Not today.');
  }, building, building, undefined));
  t.match(error, { code: 'ProgramThrew', details: { place: here } });
});

t.test('what is added after the graph was built says where', async (t) => {
  const sealed = builderFor();
  const stream = sealed.batchesStream([[1]]);
  sealed.seal();
  t.match(thrownBy(() => stream.map((x) => x)), { code: 'ContextAlreadyStarted', details: { name: 'map', place: here } });
});

/** What goes wrong in a batch's functions: code, operator, place in the user's file, batch and record, on threads. */
import t from 'tap';
import type faulty from '../../fixtures/faulty.ts';
import { MillraceError } from '../../../protocol/errors.ts';
import type { StreamingOptions } from '../../../lib/options.ts';
import type { StreamingContext } from '../../../lib/streaming-context.ts';
import { SparkContext } from '../../../lib/spark-context.ts';
import { silent, started } from '../../helpers/running.ts';

const sparkContext = new SparkContext({ master: 'local[2]', logger: silent });
t.teardown(() => sparkContext.stop());

type Test = Parameters<typeof started>[0];

function run(t: Test, program: string, options: Partial<StreamingOptions<{ readonly program: string }>> = {}): Promise<StreamingContext> {
  return started<typeof faulty>(t, 'faulty', { args: { program }, clock: 'manual', batchInterval: 1_000, sparkContext, ...options });
}

/** What the first batch fails with: of a task that has failed as often as it may, its last failure. */
async function failureOf(ssc: StreamingContext): Promise<MillraceError> {
  await ssc.clock.advance(1).catch(() => {});
  try {
    await ssc.awaitTermination(10_000);
  } catch (thrown) {
    const error = thrown as MillraceError;
    return error.code === 'TaskFailed' ? (error.cause as MillraceError) : error;
  }
  throw new Error('The context did not fail.');
}

for (const { program, code, name, place, record, said } of [
  { program: 'mapThrows', code: 'UserFunctionFailed', name: 'map', place: /faulty\.[jt]s:\d+:\d+$/, record: '"bad"', said: /RangeError: No bad words/ },
  { program: 'nullForAPair', code: 'NotAPair', name: 'reduceByKey', place: /faulty\.[jt]s:\d+:\d+$/, record: 'null', said: /expected a pair \[key, value\], but came upon null/ },
  { program: 'objectKey', code: 'InvalidKey', name: 'groupByKey', place: /faulty\.[jt]s:\d+:\d+$/, record: undefined, said: /key/ },
  { program: 'functionRecords', code: 'RecordNotSerializable', name: 'groupByKey', place: /faulty\.[jt]s:\d+:\d+$/, record: undefined, said: /function/ },
  { program: 'promiseRecords', code: 'AsyncRecordFunction', name: 'map', place: /faulty\.[jt]s:\d+:\d+$/, record: undefined, said: /a promise/ },
  { program: 'flatMapOfNumber', code: 'InvalidArgument', name: 'flatMap', place: /faulty\.[jt]s:\d+:\d+$/, record: undefined, said: /array or another iterable/ },
  { program: 'foreachThrows', code: 'UserFunctionFailed', name: 'foreach', place: /faulty\.[jt]s:\d+:\d+$/, record: '1', said: /RangeError: No one/ },
]) {
  t.test(`${program}: ${code} at ${name}, with its place`, async (t) => {
    const ssc = await run(t, program);
    const error = await failureOf(ssc);
    t.equal(error.code, code);
    t.match(error.message, said);
    t.match(error.details, { name, place, batchTime: 1_000, partition: 0 });
    if (record !== undefined) t.equal(error.details['record'], record);
  });
}

t.test('a user\'s error keeps its name, message and stack as the cause, across threads', async (t) => {
  const error = await failureOf(await run(t, 'mapThrows'));
  t.match(error.cause, { name: 'RangeError', message: 'No bad words.' });
  t.match((error.cause as Error).stack, /faulty\.[jt]s/);
  t.equal(error.details['attempt'], 3, 'the last of four attempts');
});

t.test('a transform that returns no RDD', async (t) => {
  const error = await failureOf(await run(t, 'transformNull'));
  t.match(error, { code: 'TransformReturnedNull', details: { name: 'transform', place: /faulty/, batchTime: 1_000 } });
});

t.test('a transform that throws', async (t) => {
  const error = await failureOf(await run(t, 'transformThrows'));
  t.match(error, { code: 'UserFunctionFailed', cause: { name: 'RangeError' }, details: { name: 'transform', place: /faulty/ } });
});

for (const program of ['outputThrows', 'outputRejects']) {
  t.test(`${program}: OutputFailed, with the place of foreachRDD`, async (t) => {
    const error = await failureOf(await run(t, program));
    t.match(error, { code: 'OutputFailed', cause: { name: 'RangeError' }, details: { output: 0, batchTime: 1_000, place: /faulty/ } });
  });
}

t.test('a function made inside of foreachRDD is refused, and told how to be hoisted', async (t) => {
  const error = await failureOf(await run(t, 'lateFunction'));
  t.equal(error.code, 'FunctionMadeTooLate');
  t.match(error.message, /ssc\.task/);
  t.match(error.details, { name: 'map', place: /faulty\.[jt]s:\d+:\d+$/ });
});

t.test('a hoisted function works there', async (t) => {
  const ssc = await run(t, 'hoistedTask');
  await t.resolves(ssc.clock.advance(2));
});

t.test('an action on nothing', async (t) => {
  const error = await failureOf(await run(t, 'reduceOfNothing'));
  t.equal(error.code, 'EmptyCollection');
});

for (const [program, code] of [['asyncMap', 'AsyncRecordFunction'], ['duplicateUid', 'DuplicateUid']] as const) {
  t.test(`${program} is refused while the graph is built`, async (t) => {
    const codes: unknown[] = [];
    await run(t, program).catch((thrown: unknown) => {
      for (let at: unknown = thrown; at instanceof Error; at = at.cause) codes.push((at as { code?: unknown }).code);
    });
    t.ok(codes.includes(code), codes.join(' caused by '));
  });
}

t.test('a receiver that does not start is restarted, with the reason told', async (t) => {
  for (const [program, said] of [['unwillingReceiver', /It does not start/], ['noReceiver', /return a Receiver/]] as const) {
    const ssc = await run(t, program, { receiverRestartDelayMs: 10 });
    const errors: { readonly message: string; readonly willRestart: boolean }[] = [];
    await new Promise<void>((resolve) => ssc.on('receiverError', (info) => {
      errors.push(info);
      if (errors.length === 3) resolve();
    }));
    t.match(errors[2], { message: said, willRestart: true });
    await ssc.stop({ stopSparkContext: false });
  }
});

t.test('shared memory that is too small for a shuffle fails the batch with its code', async (t) => {
  const ssc = await started<typeof faulty>(t, 'faulty', { args: { program: 'exhausting' }, clock: 'manual', batchInterval: 1_000, blockMemoryBytesMax: 1_048_576, slabBytes: 65_536 });
  const error = await failureOf(ssc);
  t.equal(error.code, 'BlockMemoryExhausted');
});

t.test('an endless loop in a user\'s function ends with its thread, and the job after its attempts', async (t) => {
  const ssc = await started<typeof faulty>(t, 'faulty', { args: { program: 'endless' }, clock: 'manual', batchInterval: 1_000, taskTimeoutMs: 100, taskFailuresMax: 2 });
  const lost: number[] = [];
  ssc.on('threadLost', ({ host }) => void lost.push(host));
  const error = await failureOf(ssc);
  t.equal(error.code, 'TaskTimeout');
  t.equal(lost.length, 2, 'one thread for each attempt');
});

t.test('with stop, no further batch starts; with skip and continue, the next one runs', async (t) => {
  for (const [onBatchFailure, batches] of [['stop', [1_000]], ['skip', [1_000, 2_000]], ['continue', [1_000, 2_000]]] as const) {
    const ssc = await run(t, 'foreachThrows', { onBatchFailure });
    const times: number[] = [];
    ssc.on('batchCompleted', ({ batchTime }) => void times.push(batchTime));
    const advanced = ssc.clock.advance(2);
    if (onBatchFailure === 'stop') await t.rejects(advanced, { code: 'TaskFailed', cause: { code: 'UserFunctionFailed' } });
    else await advanced;
    // A flush of the listeners, by a second question.
    await ssc.sparkContext.blockStats();
    t.same(times, batches, onBatchFailure);
    const ended = ssc.awaitTermination(1);
    if (onBatchFailure === 'skip') t.equal(await ended, false, 'a skipped batch is no failure of the context');
    else await t.rejects(ended, { code: 'TaskFailed', message: /foreach.*RangeError: No one/ });
    await ssc.stop({ stopSparkContext: false });
  }
});

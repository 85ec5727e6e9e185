/**
 * The graceful stop, whatever is under way: what was received is processed or named, what comes later is refused, and what a stop left
 * in a checkpoint directory is processed by the run after it.
 */
import t from 'tap';
import type { Test } from 'tap';
import { StreamingContext } from '../../lib/streaming-context.ts';
import { startTest } from '../../lib/testing.ts';
import type { MillraceError } from '../../protocol/errors.ts';
import type { RunOptions } from '../helpers/going-on.ts';
import { nextEvent, silent } from '../helpers/running.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { told } from '../helpers/told-receiver.ts';
import type { Told } from '../helpers/told-receiver.ts';

/** Counts of words over all batches; `body` is the other output, which can hang or fail. */
function counting(make: () => Told<string>, body: (time: number) => unknown, seen: Map<string, number>) {
  return (ssc: StreamingContext) => {
    const words = ssc.receiverStream(make).uid('words');
    const pairs = words.map((word) => [word, 1]);
    const totals = pairs.updateStateByKey((ones: readonly number[], before: number | undefined) => (before ?? 0) + ones.length).uid('totals');
    totals.foreachRDD(async (rdd, time) => {
      await body(time);
      // The totals of a later batch hold those of all before.
      for (const [word, total] of await rdd.collect()) seen.set(word, total);
    });
  };
}

/** Inline, with a manual clock and batches of 1,000 ms. */
async function begin(t: Test, directory: string, program: (ssc: StreamingContext) => void, options: Omit<RunOptions, 'args'> = {}): Promise<StreamingContext> {
  const ssc = await StreamingContext.getOrCreate(directory, program, { master: 'inline', clock: 'manual', batchInterval: 1_000, allowMultipleContexts: true, logger: silent, checkpointIntervalMs: 0, ...options });
  t.after(() => ssc.stop().catch(() => {}));
  await ssc.start();
  return ssc;
}

const plainOf = (seen: ReadonlyMap<string, number>): Record<string, number> => Object.fromEntries([...seen].sort());

async function stopError(stopped: Promise<void>): Promise<MillraceError> {
  return stopped.then(
    () => Promise.reject(new Error('Expected the stop to reject.')),
    (thrown: unknown) => thrown as MillraceError,
  );
}

t.test('a stop whose time is over while an output hangs says what was left; the next run processes it, and all counts are right', async (t) => {
  const directory = temporaryDirectory();
  const seen = new Map<string, number>();
  const source = told<string>();
  let entered: () => void = () => {};
  const inSecond = new Promise<void>((resolve) => (entered = resolve));
  const hangs = (time: number): unknown => {
    if (time < 2_000) return undefined;
    entered();
    return new Promise(() => {});
  };
  const first = await begin(t, directory, counting(source.make, hangs, seen));
  const receiver = await source.running;
  await receiver.storeBatch(['a', 'b']);
  await first.clock.advance(1);
  await receiver.storeBatch(['a', 'c']);
  const behind = first.clock.advance(2).catch(() => {});
  await inSecond;
  await receiver.storeBatch(['c', 'd', 'd']);
  const error = await stopError(first.stop({ graceful: true, timeoutMs: 100 }));
  await behind;
  t.equal(error.code, 'StopTimeout');
  t.match(error.message, /3 batches are not complete: 2000, 3000, 4000 ms; output 0 \(foreachRDD[^)]*\) of the batch at 2000 ms has not ended\. /);
  t.match(error.message, new RegExp(`What was left is in the log in ${directory}, and is processed after the next getOrCreate\\.$`));
  t.match(error.details, { batches: [2_000, 3_000, 4_000], output: { output: 0, batchTime: 2_000, held: false }, blocks: 0, records: 0, receivers: [], isLogged: true });
  t.same(plainOf(seen), { a: 1, b: 1 });
  await t.rejects(receiver.storeBatch(['e']), { code: 'BlockNotStored' });

  const times: number[] = [];
  const again = await begin(t, directory, counting(told<string>().make, (time) => times.push(time), seen));
  await again.stop({ graceful: true });
  t.same(times, [2_000, 3_000, 4_000], 'with their times, once each');
  t.same(plainOf(seen), { a: 2, b: 1, c: 2, d: 2 });
});

t.test('what no batch has yet when the time is over is named, and goes into the next run\'s first batch', async (t) => {
  const directory = temporaryDirectory();
  const seen = new Map<string, number>();
  const source = told<string>();
  let entered: () => void = () => {};
  const inBody = new Promise<void>((resolve) => (entered = resolve));
  // The driver's thread is this one: a transform that hangs keeps the batches behind it from being generated.
  const program = (hangs: boolean) => (ssc: StreamingContext) => {
    const words = ssc.receiverStream(source.make).uid('words');
    words
      .transform((rdd) => {
        if (!hangs) return rdd;
        entered();
        return new Promise<typeof rdd>(() => {}) as unknown as typeof rdd;
      })
      .foreachRDD(async (rdd) => {
        for (const word of await rdd.collect()) seen.set(word, (seen.get(word) ?? 0) + 1);
      });
  };
  const first = await begin(t, directory, program(true));
  const receiver = await source.running;
  await receiver.storeBatch(['a', 'b']);
  const behind = first.clock.advance(2).catch(() => {});
  await inBody;
  await receiver.storeBatch(['c', 'd', 'd']);
  const error = await stopError(first.stop({ graceful: true, timeoutMs: 100 }));
  await behind;
  t.match(error.details, { batches: [1_000, 2_000, 3_000], output: null, blocks: 1, records: 3 });
  t.match(error.message, /3 batches are not complete: 1000, 2000, 3000 ms; 1 block with 3 records is in no batch\. /);

  const again = await begin(t, directory, program(false));
  await again.stop({ graceful: true });
  t.same(plainOf(seen), { a: 1, b: 1, c: 1, d: 2 });
});

t.test('without a checkpoint directory it says that what was left is lost', async (t) => {
  let entered: () => void = () => {};
  const inBody = new Promise<void>((resolve) => (entered = resolve));
  const test = await startTest((ssc: StreamingContext) => {
    ssc.batchesStream([[1], [2]]).foreachRDD(() => new Promise(entered));
  });
  const advanced = test.advance(2).catch(() => {});
  await inBody;
  const error = await stopError(test.ssc.stop({ graceful: true, timeoutMs: 30 }));
  t.match(error.message, /What was left is lost: with a checkpoint directory the next run would process it\./);
  t.match(error.details, { isLogged: false });
  await advanced;
});

t.test('batches that are far behind are all processed, in their order', async (t) => {
  const seen = new Map<string, number>();
  const times: number[] = [];
  const source = told<string>();
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  const test = await startTest(counting(source.make, (time) => (times.push(time), held), seen), { checkpointDirectory: temporaryDirectory() });
  const receiver = await source.running;
  const advances: Promise<unknown>[] = [];
  for (let batch = 0; batch < 20; batch += 1) {
    await receiver.storeBatch(['a']);
    const submitted = nextEvent(test.ssc, 'batchSubmitted');
    advances.push(test.advance(1));
    await submitted;
  }
  await receiver.storeBatch(['b']);
  const stopped = test.ssc.stop({ graceful: true });
  release();
  await Promise.all([stopped, ...advances]);
  t.same(times, Array.from({ length: 21 }, (_, index) => (index + 1) * 1_000));
  t.same(plainOf(seen), { a: 20, b: 1 });
});

for (const [policy, lost, fails] of [
  ['stop', true, true],
  ['continue', false, true],
  ['skip', false, false],
] as const) {
  t.test(`an output that fails meanwhile does what onBatchFailure says: ${policy}`, async (t) => {
    const seen = new Map<string, number>();
    const source = told<string>();
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const body = async (time: number): Promise<void> => {
      await held;
      if (time === 1_000) throw new Error('no');
    };
    const warnings: string[] = [];
    const logger = { log: (level: string, text: string) => void (level === 'warn' && warnings.push(text)) };
    const test = await startTest(counting(source.make, body, seen), { onBatchFailure: policy, logger, checkpointDirectory: temporaryDirectory() });
    const receiver = await source.running;
    await receiver.storeBatch(['a']);
    const submitted = nextEvent(test.ssc, 'batchSubmitted');
    const advanced = test.advance(1).catch(() => {});
    await submitted;
    await receiver.storeBatch(['b']);
    const terminated = test.ssc.awaitTermination().then(() => 'ended', (thrown: MillraceError) => thrown.code);
    const stopped = test.ssc.stop({ graceful: true });
    release();
    await stopped;
    await advanced;
    t.equal(await terminated, fails ? 'OutputFailed' : 'ended');
    t.same(plainOf(seen), lost ? {} : { a: 1, b: 1 }, 'batches behind the failed one');
    t.equal(warnings.filter((text) => /The graceful stop did not process everything, since a batch has failed: the batch at 2000 ms is not complete\./.test(text)).length, lost ? 1 : 0);
  });
}

t.test('a failed batch with a checkpoint directory: what it left behind is processed by the next run', async (t) => {
  const directory = temporaryDirectory();
  const seen = new Map<string, number>();
  const source = told<string>();
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  const fails = async (): Promise<void> => {
    await held;
    throw new Error('no');
  };
  const first = await begin(t, directory, counting(source.make, fails, seen));
  const receiver = await source.running;
  await receiver.storeBatch(['a']);
  const submitted = nextEvent(first, 'batchSubmitted');
  const behind = first.clock.advance(1).catch(() => {});
  await submitted;
  await receiver.storeBatch(['b']);
  const stopped = first.stop({ graceful: true });
  release();
  await stopped;
  await behind;
  await t.rejects(first.awaitTermination(), { code: 'OutputFailed' });
  const again = await begin(t, directory, counting(told<string>().make, () => {}, seen));
  await again.stop({ graceful: true });
  t.same(plainOf(seen), { a: 1, b: 1 });
});

t.test('a receiver that goes on storing is refused, each time, and what was acknowledged is what was processed', async (t) => {
  const seen: string[] = [];
  const source = told<string>();
  const test = await startTest((ssc: StreamingContext) => {
    ssc.receiverStream(source.make).foreachRDD(async (rdd) => void seen.push(...(await rdd.collect())));
  });
  const receiver = await source.running;
  const acknowledged: string[] = [];
  const refused: string[] = [];
  let next = 0;
  let late = 0;
  const storing = (async () => {
    // On and on, whatever it is told.
    while (late < 100) {
      const records = [`${next++}`, `${next++}`];
      try {
        await receiver.storeBatch(records);
        acknowledged.push(...records);
      } catch (thrown) {
        refused.push((thrown as MillraceError).code);
        late += 1;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  while (acknowledged.length < 50) await new Promise((resolve) => setImmediate(resolve));
  await test.ssc.stop({ graceful: true });
  await storing;
  t.same(seen, acknowledged);
  t.same([...new Set(refused)], ['BlockNotStored']);
  const late1 = receiver.store('x');
  t.equal(late1, receiver.store('y'), 'also store, which makes no error for each record');
  await t.rejects(Promise.resolve(late1), { code: 'BlockNotStored', message: /its receiver has stopped/ });
});

/** Bug: they were acknowledged, and processed by nobody. */
t.test('what is pushed from its beginning on is refused, and what was acknowledged before is processed', async (t) => {
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  const seen: number[] = [];
  const test = await startTest((ssc: StreamingContext) => {
    const queue = ssc.queue<number>();
    ssc.queueStream(queue).foreachRDD(async (rdd) => {
      seen.push(...(await rdd.collect()));
      await held;
    });
    return { queue };
  });
  for (const number of [1, 2, 3]) await test.exports.queue.push([number]);
  const submitted = nextEvent(test.ssc, 'batchSubmitted');
  const stopped = test.ssc.stop({ graceful: true });
  await t.rejects(test.exports.queue.push([4]), { code: 'ContextStopped' });
  await submitted;
  await t.rejects(test.exports.queue.push([5]), { code: 'ContextStopped' });
  release();
  await stopped;
  t.same(seen, [1, 2, 3]);
});

t.test('called twice it stops once, and both calls are answered with what came of it', async (t) => {
  const times: number[] = [];
  const test = await startTest((ssc: StreamingContext) => {
    const queue = ssc.queue<number>();
    ssc.queueStream(queue).foreachRDD((_rdd, time) => void times.push(time));
    return { queue };
  });
  await test.exports.queue.push([1]);
  await Promise.all([test.ssc.stop({ graceful: true }), test.ssc.stop({ graceful: true }), test.ssc.stop()]);
  await test.ssc.stop({ graceful: true });
  t.same(times, [1_000]);
  const hanging = await startTest((ssc: StreamingContext) => void ssc.batchesStream([[1]]).foreachRDD(() => new Promise(() => {})), { logger: silent });
  const advanced = hanging.advance(1).catch(() => {});
  const codes = await Promise.all([hanging.ssc.stop({ graceful: true, timeoutMs: 30 }), hanging.ssc.stop()].map(async (stopped) => (await stopError(stopped)).code));
  t.same(codes, ['StopTimeout', 'StopTimeout']);
  await advanced;
});

t.test('called before start it just stops the context', async (t) => {
  const ssc = await StreamingContext.create((ssc: StreamingContext) => void ssc.batchesStream([[1]]).print(), { master: 'inline', batchInterval: 1_000, allowMultipleContexts: true });
  await ssc.stop({ graceful: true });
  t.equal(ssc.getState(), 'STOPPED');
  await t.rejects(ssc.start(), { code: 'ContextStopped' });
});

t.test('options that can\'t be are refused, and nothing is stopped', async (t) => {
  const test = await startTest((ssc: StreamingContext) => void ssc.batchesStream([[1]]).print());
  for (const options of [{ timeoutMs: Number.NaN }, { timeoutMs: 0 }, { graceful: 'yes' }, { gracefull: true }]) await t.rejects(test.ssc.stop(options as never), { code: 'InvalidOption' });
  for (const options of [null, 5, 'now', ['now']]) await t.rejects(test.ssc.stop(options as never), { code: 'InvalidOption', message: /^Expected options to be an object of options: \{ name: value \}; got / });
  t.equal(test.ssc.getState(), 'ACTIVE');
  await test.stop();
});

/** Bug: a stop right after a restart waited for a batch of the run before, which was complete, until its time was over. */
t.test('during a recovery: batches that run again are waited for, and where there are none nothing is', async (t) => {
  const directory = temporaryDirectory();
  const seen = new Map<string, number>();
  const source = told<string>();
  const first = await begin(t, directory, counting(source.make, () => {}, seen));
  await (await source.running).storeBatch(['a']);
  await first.clock.advance(3);
  await first.stop({ graceful: true });
  t.same(plainOf(seen), { a: 1 });
  for (const missedBatches of ['all', 'latest'] as const) {
    const times: number[] = [];
    const again = await begin(t, directory, counting(told<string>().make, (time) => times.push(time), seen), { missedBatches });
    await again.stop({ graceful: true, timeoutMs: 20_000 });
    t.same(times, []);
  }
});

/** Accumulators and records left out, under faults of every kind: each piece of work counts once. */
import t from 'tap';
import fc from 'fast-check';
import { Accumulator } from '../../../../lib/program/accumulator.ts';
import { ContributionLedger } from '../../../../lib/program/contribution-ledger.ts';
import { parallelize } from '../../../../lib/rdd/make.ts';
import type { RDD } from '../../../../lib/rdd/rdd.ts';
import { LeftOutLedger } from '../../../../lib/rdd/left-out-ledger.ts';
import { encodeRecord } from '../../../../protocol/codec.ts';
import { toWireError } from '../../../../protocol/errors.ts';
import { asProgramId } from '../../../../protocol/ids.ts';
import type { AccumulatorUpdate, LeftOutRecords } from '../../../../protocol/task.ts';
import { asBatchTime } from '../../../../protocol/time.ts';
import { LocalRunner } from '../../../helpers/local-runner.ts';

const program = asProgramId(1);

t.test('whatever fails, dies and is lost, each operator\'s work on each partition counts once, for however many jobs', async (t) => {
  const middles: Record<string, (rdd: RDD<number>) => RDD<number>> = {
    none: (rdd) => rdd,
    coalesced: (rdd) => rdd.coalesce(2),
    twice: (rdd) => rdd.union(rdd),
    persisted: (rdd) => rdd.persist(),
    repartitioned: (rdd) => rdd.repartition(3),
  };
  const actions: Record<string, (sums: RDD<[number, number]>, middle: RDD<number>) => Promise<unknown>> = {
    take: (_sums, middle) => middle.take(2), first: (_sums, middle) => middle.isEmpty(), count: (_sums, middle) => middle.count(),
    sums: (sums) => sums.collect(), sorted: (sums) => sums.sortByKey().collect(), indexed: (_sums, middle) => middle.zipWithIndex().count(), zipped: (_sums, middle) => middle.zip(middle).count(),
  };
  await fc.assert(fc.asyncProperty(
    fc.integer({ min: 1, max: 1_000_000 }), fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 40 }), fc.integer({ min: 1, max: 4 }),
    fc.constantFrom(...Object.keys(middles)), fc.array(fc.constantFrom(...Object.keys(actions)), { maxLength: 4 }),
    async (seed, records, partitions, middle, asked) => {
      const running = { scope: null };
      const sum = (a: number, b: number): number => a + b;
      const accumulators = [0, 1, 2].map((index) => new Accumulator<number>(index, '', 0, sum, running));
      const [before, behind, reduced] = accumulators as [Accumulator<number>, Accumulator<number>, Accumulator<number>];
      const [counted, leftOut] = [new ContributionLedger(), new LeftOutLedger()];
      const letters: number[] = [];
      const context = new LocalRunner({
        seed, program, running, taskFailuresMax: 100,
        faults: { failBefore: 0.1, failAfter: 0.2, hostLost: 0.1, bucketLost: 0.1, blockLost: 0.2, faultsMax: 12 },
        onReport: (report) => {
          counted.take(accumulators as unknown as Accumulator<unknown>[], report.accumulators);
          for (const given of report.leftOut ?? []) letters.push(...(leftOut.take(given)?.letters ?? []).map(({ preview }) => Number(preview)));
        },
      });
      const good = parallelize(context, records, partitions).map((n) => {
        before.add(1);
        if (n % 5 === 2) throw new RangeError(`No ${n}.`);
        return n;
      }, { onError: 'deadLetter' });
      const taken = middles[middle]!(good);
      const sums = taken.map((n) => {
        behind.add(1);
        return [n % 7, n];
      }).reduceByKey(sum, 2).mapValues((value) => {
        reduced.add(1);
        return value;
      });
      for (const action of asked) await actions[action]!(sums, taken);
      await sums.collect();
      const kept = records.filter((n) => n % 5 !== 2);
      const flowing = middle === 'twice' ? [...kept, ...kept] : kept;
      const ascending = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);
      t.same([before.value, behind.value, reduced.value], [records.length, flowing.length, new Set(flowing.map((n) => n % 7)).size]);
      t.same(ascending(letters), ascending(records.filter((n) => n % 5 === 2)));
      t.equal(leftOut.endBatch().reduce((all, { records: some }) => all + some, 0), records.length - kept.length);
    },
  ), { numRuns: 150 });
});

const update = (more: Partial<AccumulatorUpdate> = {}, value = 1): AccumulatorUpdate =>
  ({ program, accumulator: 0, origin: 'rdd-1', operator: 'u', batchTime: asBatchTime(1_000), partition: 0, whole: true, value: encodeRecord(value), ...more });

t.test('a contribution counts by accumulator, work, batch time and partition; operators may share a uid', async (t) => {
  const [a, b] = [0, 1].map((index) => new Accumulator<number>(index, '', 0, (x, y) => x + y));
  const ledger = new ContributionLedger();
  const both = [a, b] as unknown as Accumulator<unknown>[];
  ledger.take(both, [update(), update(), update({ partition: 1 }), update({ batchTime: asBatchTime(2_000) }), update({ origin: 'rdd-2' }), update({ origin: 'shuffle-1' }), update({ accumulator: 1 }, 10)]);
  ledger.take(both, [update(), update({ accumulator: 1 }, 10), update({ accumulator: 7 })]);
  t.same([a!.value, b!.value], [5, 10]);
});

t.test('work that was begun counts until it has been done, and for good where it never is', async (t) => {
  const a = new Accumulator<number>(0, '', 0, (x, y) => x + y);
  const ledger = new ContributionLedger();
  const take = (...updates: AccumulatorUpdate[]): void => ledger.take([a as unknown as Accumulator<unknown>], updates);
  take(update({ whole: false }, 3), update({ whole: false }, 4));
  t.equal(a.value, 4);
  take(update({}, 10), update({ whole: false }, 3));
  t.equal(a.value, 10);
  take(update({ partition: 1, whole: false }, 100));
  for (let batch = 2; batch <= 1_002; batch += 1) {
    take(update({ batchTime: asBatchTime(batch * 1_000) }, 0));
    ledger.forgetOldest();
  }
  t.equal(a.value, 110);
  a.settle('0/1000/rdd-1/1');
  t.equal(a.value, 110, 'it was settled when its batch was forgotten');
});

const left = (records: number, letters: readonly number[], more: Partial<LeftOutRecords> = {}): LeftOutRecords => ({
  program, origin: 'rdd-1', batchTime: asBatchTime(1_000), partition: 0, operator: { uid: 'u', name: 'map', place: '' }, policy: 'deadLetter', records,
  letters: letters.map((index) => ({ index, record: null, preview: `${index}`, error: toWireError(new Error('no')) })), ...more,
});

t.test('of records left out only those are new that no task has left out before', async (t) => {
  const ledger = new LeftOutLedger();
  const indexes = (given: LeftOutRecords | null): unknown => (given === null ? null : [given.records, given.letters.map(({ index }) => index)]);
  t.same(indexes(ledger.take(left(2, [0, 1]))), [2, [0, 1]], 'a job that read the beginning');
  t.same(indexes(ledger.take(left(5, [0, 1, 2, 3]))), [3, [2, 3]], 'one that read all, and reports four');
  t.equal(ledger.take(left(5, [0, 1, 2, 3, 4])), null, 'and one more');
  t.equal(ledger.take(left(2, [0, 1])), null);
  t.same(indexes(ledger.take(left(1, [], { policy: 'skip', origin: 'rdd-2', operator: null }))), [1, []]);
  t.same(ledger.endBatch(), [
    { operator: { uid: 'u', name: 'map', place: '' }, onError: 'deadLetter', records: 5, deadLetters: 4, dropped: 1 },
    { operator: null, onError: 'skip', records: 1, deadLetters: 0, dropped: 0 },
  ]);
  t.same(ledger.endBatch(), [], 'the next batch has left out nothing yet');
  t.equal(ledger.take(left(5, [])), null, 'also in a later batch');
});

/** Records that become blocks: in order, each once, whatever one of them holds and however little memory there is. */
import t from 'tap';
import fc from 'fast-check';
import { RecordBlockBuilder } from '../../../lib/sources/record-block-builder.ts';
import { MillraceError } from '../../../protocol/errors.ts';
import { BlockMemory } from '../../helpers/block-memory.ts';

function bench(options: { readonly slabsMax?: number; readonly recordsMax?: number; readonly blockBytesMax?: number; readonly recordBytesMax?: number } = {}) {
  const memory = new BlockMemory(options.slabsMax === undefined ? {} : { slabsMax: options.slabsMax });
  const refused: [number, unknown][] = [];
  const builder = new RecordBlockBuilder({ allocate: memory.allocate, blockBytesMax: 1_000_000, recordBytesMax: 1_000_000, recordsMax: 1_000, ...options, onRefused: (records, first) => void refused.push([records, first]) });
  return { memory, refused, builder };
}

t.test('stored records come out in one block, in order, once', (t) => {
  const { memory, builder } = bench({ recordsMax: 3 });
  t.same([builder.add('a'), builder.add({ b: 1 }), builder.add(null)], [true, true, false], 'the third fills the block');
  const blocks = builder.cut();
  t.same(blocks.map(({ codec, records }) => [codec, records]), [['records', 3]]);
  t.same(memory.records(blocks), [['a', { b: 1 }, null]]);
  t.same(builder.cut(), []);
  t.end();
});

/** Bug: a record that can't be encoded stayed in the open block, so that every later cut failed and the stream stood still. */
t.test('a record that can\'t be encoded is taken out and told of; the others survive', (t) => {
  const { memory, builder, refused } = bench();
  for (const record of ['a', () => 1, 'b', { deep: [Symbol('s')] }, 'c']) builder.add(record);
  t.same(memory.records(builder.cut()), [['a', 'b', 'c']]);
  t.equal(refused.length, 1, 'once for the cut');
  t.equal(refused[0]?.[0], 2);
  const first = refused[0]?.[1];
  t.ok(first instanceof MillraceError && first.code === 'RecordNotSerializable');
  t.match((first as Error).message, /\[1\]/, 'the first is named');
  builder.add('d');
  t.same(memory.records(builder.cut()), [['d']]);
  t.equal(refused.length, 1);
  t.end();
});

t.test('nothing but records that can\'t be encoded gives no block', (t) => {
  const { builder, refused } = bench();
  builder.add(() => 1);
  t.same(builder.cut(), []);
  t.equal(refused.length, 1);
  t.equal(builder.exhausted, false);
  t.end();
});

t.test('where memory runs out the records stay, and come out when there is memory again', (t) => {
  const { memory, builder } = bench({ slabsMax: 0 });
  builder.add(1);
  builder.add(2);
  t.same(builder.cut(), []);
  t.equal(builder.exhausted, true);
  builder.add(3);
  memory.slabsMax = 1;
  t.same(memory.records(builder.cut()), [[1, 2, 3]]);
  t.equal(builder.exhausted, false);
  t.end();
});

/** Bug: a block that was larger than all free memory could never be cut, though there was memory for a part of it. */
t.test('where there is no memory for one block, smaller ones are cut', (t) => {
  const memory = new BlockMemory();
  const builder = new RecordBlockBuilder({ allocate: (bytes) => (bytes > 400 ? null : memory.allocate(bytes)), blockBytesMax: 1_000_000, recordBytesMax: 1_000_000, recordsMax: 1_000, onRefused: () => t.fail('none is refused') });
  const records = Array.from({ length: 50 }, (_, index) => `record number ${index}, of some length`);
  for (const record of records) builder.add(record);
  const blocks = builder.cut();
  t.ok(blocks.length > 4);
  t.same(memory.records(blocks).flat(), records);
  t.equal(builder.exhausted, false);
  t.end();
});

t.test('any records, cut at any time, with memory or without, come out once and in order', (t) => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.oneof(fc.string(), fc.integer(), fc.constant(null)).map((record) => ({ kind: 'add' as const, record: record as unknown })) },
    { weight: 1, arbitrary: fc.constant({ kind: 'add' as const, record: Symbol.iterator as unknown }) },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: 2 }).map((slabs) => ({ kind: 'cut' as const, slabs })) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { memory, builder, refused } = bench({ slabsMax: 0 });
      const stored: unknown[] = [];
      const got: unknown[] = [];
      for (const one of steps) {
        if (one.kind === 'add') {
          builder.add(one.record);
          stored.push(one.record);
        } else {
          memory.slabsMax += one.slabs;
          got.push(...memory.records(builder.cut()).flat());
        }
      }
      memory.slabsMax = Infinity;
      got.push(...memory.records(builder.cut()).flat());
      const good = stored.filter((record) => typeof record !== 'symbol');
      const sum = refused.reduce((all, [records]) => all + records, 0);
      return JSON.stringify(got) === JSON.stringify(good) && sum === stored.length - good.length;
    }),
    { numRuns: 300 },
  );
  t.end();
});

/** Bug: a block was bounded by its number of records alone, so that one of long records took most of the memory. */
t.test('records that are too many bytes for one block come out as several, none too large, in order', (t) => {
  const { memory, builder } = bench({ blockBytesMax: 1_000 });
  const records = Array.from({ length: 50 }, (_, index) => `${index} ${'x'.repeat(index < 40 ? 90 : 900)}`);
  for (const record of records) builder.add(record);
  const blocks = builder.cut();
  t.same(memory.records(blocks).flat(), records);
  for (const { place, records: count } of blocks) t.ok(count === 1 || (place as { bytes: number }).bytes <= 1_000);
  t.ok(blocks.length < 30, 'and not one for each record');
  t.equal(builder.add('y'), false, 'by the size of the last ones, one fills a block');
  t.end();
});

t.test('a record that is larger than all the memory there will ever be is refused, and holds back no other', (t) => {
  const memory = new BlockMemory();
  const refused: [number, unknown][] = [];
  const bounded = new RecordBlockBuilder({ allocate: (bytes) => (bytes > 2_000 ? null : memory.allocate(bytes)), recordsMax: 10, blockBytesMax: 1_000, recordBytesMax: 2_000, onRefused: (count, first) => void refused.push([count, first]) });
  for (const record of ['a', 'x'.repeat(3_000), 'b']) bounded.add(record);
  t.same(memory.records(bounded.cut()).flat(), ['a', 'b']);
  t.match(refused, [[1, { code: 'RecordTooLarge', details: { recordBytesMax: 2_000 } }]]);
  t.equal(bounded.exhausted, false);
  t.end();
});

/** A program on the driver: batches are generated while older ones end. */
import t from 'tap';
import { BuiltProgram } from '../../actors/built-program.ts';
import type { HostServices } from '../../actors/services.ts';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import { LocalFunctions } from '../../lib/program/local-functions.ts';
import { encodeRecord, encodeRecords } from '../../protocol/codec.ts';
import type { BlockRef, SharedHandle } from '../../protocol/rdd.ts';
import { asHostId } from '../../protocol/ids.ts';
import { asBatchTime } from '../../protocol/time.ts';
import { builderFor } from '../helpers/program-run.ts';
import { stubServices } from '../helpers/stub-services.ts';

function built(build: (ssc: StreamingContext) => void, more: object = {}): BuiltProgram {
  const local = new LocalFunctions();
  const builder = builderFor({ local });
  build(builder as unknown as StreamingContext);
  builder.seal();
  let rdds = 0;
  const pool = { allocate: (bytes: number) => ({ handle: { slab: 1, offset: 0, bytes, generation: 1 }, view: new Uint8Array(bytes) }) };
  const services = { ...stubServices(), host: asHostId(1), role: 'driver', nextRdd: () => (rdds += 1), tell: () => {}, log: () => {}, pool, ...more } as unknown as HostServices;
  const program = new BuiltProgram(builder, services, local);
  services.programs.set(program.program, program);
  program.startAt(0, 0, []);
  return program;
}

/**
 * Bug: two older batches ended in one turn while a batch was generated, in the moment between the making of an RDD and its being
 * remembered by its stream. Both sweeps found nothing that led to it, so it was forgotten; the batch led to an RDD that nobody knew.
 */
t.test('a batch that is being generated keeps what it has made, however many older batches end meanwhile', async (t) => {
  const program = built((ssc) => {
    const doubled = ssc.batchesStream([[1], [2], [3], [4]], 1).transform(async (rdd) => {
      await Promise.resolve();
      return rdd.map((x) => x * 2);
    });
    doubled.window(3_000, 2_000).map((x) => x + 1).union(doubled.window(2_000, 2_000)).reduce((a, b) => a + b).foreachRDD(() => {});
  });
  let clears = 0;
  for (let time = 1_000; time <= 8_000; time += 1_000) {
    let generated = false;
    const batch = Promise.resolve(program.generate(asBatchTime(time), [])).finally(() => (generated = true));
    batch.catch(() => {});
    // In every moment of it.
    while (!generated) {
      for (let batches = 0; batches < 2; batches += 1) program.clear(asBatchTime(0));
      clears += 2;
      await null;
    }
    const { jobs, nodes } = await batch;
    t.equal(jobs.length, time % 2_000 === 0 ? 1 : 0);
    t.ok(jobs.every(({ rdd }) => nodes.some(({ id }) => id === rdd)), `the batch at ${time} ms is whole`);
  }
  t.ok(clears > 50, 'there were moments between');
});

/** A program whose memory takes so many blocks; `rooms`: what each round adds. */
function short(build: (ssc: StreamingContext) => void, blocks: number, rooms: (number | null)[]) {
  const told: { readonly type: string; readonly blocks?: readonly BlockRef[] }[] = [];
  const released: SharedHandle[] = [];
  let slab = 0;
  let left = blocks;
  const pool = {
    allocate: (bytes: number) => (left <= 0 ? null : ((left -= 1), { handle: { slab: (slab += 1), offset: 0, bytes, generation: 1 }, view: new Uint8Array(bytes) })),
    release: (handle: SharedHandle) => void (released.push(handle), (left += 1)),
  };
  const ask = (_to: unknown, make: (replyTo: unknown) => { readonly type: string }): Promise<unknown> => {
    if (make(null).type !== 'makeRoom') throw new Error('Nothing else is asked here.');
    const more = rooms.shift() ?? null;
    left += more ?? 0;
    return Promise.resolve({ made: more !== null });
  };
  const program = built(build, { pool, ask, tell: (_to: unknown, message: { readonly type: string }) => void told.push(message) });
  return { program, told, released };
}

t.test('records that find no room when a batch is generated wait, and the batch with them, until all have their place', async (t) => {
  const { program, told } = short((ssc) => ssc.batchesStream([[1, 2, 3]], 3).foreachRDD(() => {}), 1, [1, 1]);
  const batch = program.generate(asBatchTime(1_000), []);
  t.ok(batch instanceof Promise);
  const source = (await batch).nodes.find(({ kind }) => kind === 'source');
  t.match(source, { blocks: [[{ place: { slab: 1 }, records: 1 }], [{ place: { slab: 2 }, records: 1 }], [{ place: { slab: 3 }, records: 1 }]] });
  const blocks = (type: string): number => told.filter((message) => message.type === type).length;
  t.same([blocks('hold'), blocks('sourceStored')], [3, 3], 'each is in the ledger, and may go to the disk');
});

t.test('where no room can be made the batch can\'t be generated, and says what it lacked', async (t) => {
  const { program } = short((ssc) => ssc.batchesStream([[1, 2]], 2).foreachRDD(() => {}), 1, [null]);
  await t.rejects(Promise.resolve(program.generate(asBatchTime(1_000), [])), { code: 'BlockMemoryExhausted' });
});

t.test('a push is stored with all its partitions or not at all, and a value that finds no room changes nothing', (t) => {
  const { program, released } = short((ssc) => {
    ssc.queueStream(ssc.queue<number>()).foreachRDD(() => {});
    ssc.sc.broadcast(() => 1);
  }, 2, []);
  const partition = { bytes: encodeRecords([1]), records: 1 };
  t.throws(() => program.push(0, [partition, partition, partition]), { code: 'BlockMemoryExhausted' });
  t.equal(released.length, 2);
  t.same(program.push(0, [partition, partition]), { item: 0 });
  t.throws(() => program.setBroadcast(0, encodeRecord(2)), { code: 'BlockMemoryExhausted' });
  t.same(program.clear(asBatchTime(0)).handles, [], 'no older value is given back for it');
  t.end();
});

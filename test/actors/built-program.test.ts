/** A program on the driver: batches are generated while older ones end. */
import t from 'tap';
import { BuiltProgram } from '../../actors/built-program.ts';
import type { HostServices } from '../../actors/services.ts';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import { LocalFunctions } from '../../lib/program/local-functions.ts';
import { asHostId } from '../../protocol/ids.ts';
import { asBatchTime } from '../../protocol/time.ts';
import { builderFor } from '../helpers/program-run.ts';
import { stubServices } from '../helpers/stub-services.ts';

function built(build: (ssc: StreamingContext) => void): BuiltProgram {
  const local = new LocalFunctions();
  const builder = builderFor({ local });
  build(builder as unknown as StreamingContext);
  builder.seal();
  let rdds = 0;
  const pool = { allocate: (bytes: number) => ({ handle: { slab: 1, offset: 0, bytes, generation: 1 }, view: new Uint8Array(bytes) }) };
  const services = { ...stubServices(), host: asHostId(1), role: 'driver', nextRdd: () => (rdds += 1), tell: () => {}, log: () => {}, pool } as unknown as HostServices;
  const program = new BuiltProgram(builder, services, local);
  program.startAt(0, 0);
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

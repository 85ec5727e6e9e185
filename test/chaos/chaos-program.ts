/**
 * What a chaos run runs: a random program, some of whose inputs come from queues of the app and from a source with receivers.
 *
 * Invariant: it depends on the seed alone. Records that come from outside are envelopes [id, record], each id sent once, so
 * that what is missing, invented or doubled can be named; the program itself gets the records.
 *
 *   queue, receiver --> envelopes --> output `allocated ID`      (what each batch was given: the model's input)
 *                           `-------> records --> operations --> outputs `ID`, exactly-once sink
 */
import fc from 'fast-check';
import type { Prng } from '../../lib/base/prng.ts';
import type { DStream } from '../../lib/dstream/dstream.ts';
import type { RddQueue } from '../../lib/dstream/rdd-queue.ts';
import type { Receiver } from '../../lib/dstream/receiver.ts';
import type { RDD } from '../../lib/rdd/rdd.ts';
import type { Accumulator } from '../../lib/program/accumulator.ts';
import type { Broadcast } from '../../lib/program/broadcast.ts';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import { buildOperation } from '../conformance/operations.ts';
import type { ContextLike, StreamLike } from '../conformance/stream-like.ts';
import type { Value } from '../conformance/values.ts';
import { randomPrograms, statefulPrograms } from '../model/random-program.ts';
import type { RandomProgram } from '../model/random-program.ts';
import { expectedOf } from '../model/run-program.ts';
import { TooManyRecords } from '../model/sequential-stream.ts';
import type { History } from './history.ts';

export type InputKind = 'batches' | 'queue' | 'receiver';
export type Envelope = readonly [id: string, record: Value];

export interface ChaosInput {
  readonly id: string;
  readonly kind: InputKind;
  /** A queue's: one push a batch, or all that are there. */
  readonly oneAtATime: boolean;
  /** A receiver's: it tells the runtime how far it has read, and goes on behind that. So each record comes once. */
  readonly positions: boolean;
  /** What is sent, in this order: pushes, or what the source gives out at once. */
  readonly sends: readonly (readonly Envelope[])[];
}

export interface ChaosProgram {
  readonly program: RandomProgram;
  readonly inputs: readonly ChaosInput[];
  /** Each batch's generation waits for a job, so that much else comes in between. */
  readonly slowGeneration: boolean;
}

/** What the app has of it. */
export interface ChaosExports {
  readonly queues: Readonly<Record<string, RddQueue<Envelope>>>;
  readonly setting: Broadcast<number>;
  readonly counted: Accumulator<number>;
}

/** Programs whose RDDs grow beyond this are left out. */
const recordsMax = 60;

/** By the seed. `kinds`: of inputs, to choose from. */
export async function chaosProgram(prng: Prng, kinds: readonly InputKind[]): Promise<ChaosProgram> {
  for (let attempt = 0; ; attempt += 1) {
    const [sampled] = fc.sample(prng.int(4) === 0 ? randomPrograms : statefulPrograms, { seed: prng.int(0x7fff_ffff), numRuns: 1 });
    const program = withoutGaps(sampled as RandomProgram);
    try {
      await expectedOf(program, recordsMax);
    } catch (thrown) {
      if (thrown instanceof TooManyRecords) continue;
      throw thrown;
    }
    return { program, inputs: program.inputs.map(({ id, batches }, index) => inputOf(id, batches, index === 0 ? kinds.filter((kind) => kind !== 'batches') : kinds, prng)), slowGeneration: prng.fork('generation').int(3) === 0 };
  }
}

/** Batches that fail have no output that says what they were given. */
function withoutGaps(program: RandomProgram): RandomProgram {
  return { ...program, inputs: program.inputs.map((input) => ({ ...input, batches: input.batches.map((batch) => batch ?? []) })) };
}

function inputOf(id: string, batches: readonly (readonly Value[] | null)[], kinds: readonly InputKind[], prng: Prng): ChaosInput {
  const sends = batches.map((batch, index) => (batch ?? []).map((record, at): Envelope => [`${id}/${index}/${at}`, record]));
  return { id, kind: prng.pick(kinds), oneAtATime: prng.int(2) === 0, positions: prng.int(2) === 0, sends };
}

/** The same records, when some jobs one after another have counted them. */
async function countedSlowly(rdd: RDD<Envelope>): Promise<RDD<Envelope>> {
  for (let job = 0; job < 4; job += 1) await rdd.count();
  return rdd;
}

/** Builds the graph: on each start again. `receiver`: makes one that reads from the input's source. */
export function buildChaosProgram(context: StreamingContext, { program, inputs, slowGeneration }: ChaosProgram, history: History, receiver: (input: string) => Receiver<Envelope>): ChaosExports {
  const queues = new Map<string, RddQueue<Envelope>>();
  const streams = new Map<string, StreamLike>();
  const setting = context.sc.broadcast(() => 0);
  const counted = context.sc.accumulator(0);
  for (const [index, { id, kind, oneAtATime, sends: _sends }] of inputs.entries()) {
    const { batches, numPartitions } = program.inputs[index] as RandomProgram['inputs'][number];
    if (kind === 'batches') {
      streams.set(id, (context.batchesStream(batches, numPartitions) as unknown as StreamLike).uid(id));
      continue;
    }
    let envelopes: DStream<Envelope>;
    if (kind === 'queue') {
      const queue = context.queue<Envelope>();
      queues.set(id, queue);
      envelopes = context.queueStream(queue, oneAtATime).uid(`envelopes of ${id}`);
    } else {
      envelopes = context.receiverStream(() => receiver(id)).uid(`envelopes of ${id}`);
    }
    envelopes.foreachRDD(async (rdd, time) => history.allocated(id, Number(time), (await rdd.collectPartitions()) as Envelope[][]));
    const records = envelopes.map((envelope) => {
      counted.add(1);
      return (envelope as Envelope)[1];
    });
    streams.set(id, (records as unknown as StreamLike).uid(id));
    if (index === 0) {
      const read = slowGeneration ? envelopes.transform(countedSlowly) : envelopes;
      const seen = read.map(() => setting.value);
      seen.foreachRDD(async (rdd, time) => history.settingSeen(Number(time), await rdd.collect()));
    }
  }
  for (const operation of program.graph) {
    const stream = buildOperation(operation, operation.of.map((id) => streams.get(id) as StreamLike), context as unknown as ContextLike);
    // `cache` gives the same stream again, and that has its name already.
    streams.set(operation.id, [...streams.values()].includes(stream) ? stream : stream.uid(operation.id));
  }
  for (const { id } of program.outputs) {
    const stream = streams.get(id) as unknown as DStream<Value>;
    stream.foreachRDD(async (rdd, time) => history.wrote(id, Number(time), await rdd.collectPartitions()));
    stream.foreachPartition((records, { batchTime, partition }) => history.commit(id, Number(batchTime), partition, [...records]));
  }
  return { queues: Object.fromEntries(queues), setting, counted };
}

/**
 * What a chaos run runs: a random program, some of whose inputs come from queues of the app and from a source with receivers.
 *
 * Invariant: it depends on the seed alone. Records that come from outside are envelopes [id, record], each id sent once, so
 * that what is missing, invented or doubled can be named; the program itself gets the records.
 *
 *   queue, receiver --> envelopes --> output `allocated ID`      (what each batch was given: the model's input)
 *                           |-------> records --> operations --> outputs `ID`, exactly-once sink
 *                           |-------> output of the variable that the batch sees      (of the first input)
 *                           |-------> records so far, by key: a state whose function fails now and then      (of the first input)
 *                           `-------> dead letters, of those that are `isRefused`     (of the first input)
 *
 * Some tasks fail in their first attempt, having done all their work: what becomes of them then is part of every run.
 */
import fc from 'fast-check';
import type { Prng } from '../../lib/base/prng.ts';
import type { DeadLetterStream } from '../../lib/dstream/dead-letters.ts';
import type { DStream } from '../../lib/dstream/dstream.ts';
import type { RddQueue } from '../../lib/dstream/rdd-queue.ts';
import type { Receiver } from '../../lib/dstream/receiver.ts';
import type { RDD } from '../../lib/rdd/rdd.ts';
import type { TaskContext } from '../../lib/rdd/task-context.ts';
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
  /** Each batch's generation waits for so many jobs, one after another, and then so long, so that much else comes in between. */
  readonly generation: { readonly jobs: number; readonly waitMs: number };
  /** Of ten first attempts at a task so many fail, about. */
  readonly failuresOfTen: number;
}

/** What the app has of it. */
export interface ChaosExports {
  readonly queues: Readonly<Record<string, RddQueue<Envelope>>>;
  readonly setting: Broadcast<number>;
  /** Where operations read the records, as often as they do. */
  readonly counted: Accumulator<number>;
  /** Of the first input, in an output of each batch. */
  readonly countedOnce: Accumulator<number>;
  /** The same, but where generation waits for jobs, by these. */
  readonly countedEarly: Accumulator<number>;
  readonly letters: DeadLetterStream;
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
    const inputs = program.inputs.map(({ id, batches }, index) => inputOf(id, batches, index === 0 ? kinds.filter((kind) => kind !== 'batches') : kinds, prng));
    const own = prng.fork('trouble');
    return { program, inputs, generation: { jobs: own.pick([0, 0, 0, 1, 4]), waitMs: own.pick([0, 0, 1, 100]) }, failuresOfTen: own.pick([0, 0, 1, 3]) };
  }
}

/** Batches that fail have no output that says what they were given. */
function withoutGaps(program: RandomProgram): RandomProgram {
  return { ...program, inputs: program.inputs.map((input) => ({ ...input, batches: input.batches.map((batch) => batch ?? []) })) };
}

function inputOf(id: string, batches: readonly (readonly Value[] | null)[], kinds: readonly InputKind[], prng: Prng): ChaosInput {
  const sends = batches.map((batch, index) => (batch ?? []).map((record, at): Envelope => [`${id}/${index}/${at}`, record]));
  return { id, kind: prng.pick(kinds), oneAtATime: prng.int(2) === 0, positions: prng.int(3) > 0, sends };
}

/** The function that leaves dead letters throws on these. */
export function isRefused(envelope: string): boolean {
  return [...envelope].reduce((sum, character) => (sum * 31 + character.charCodeAt(0)) % 1_009, 7) % 4 === 0;
}

/** Of a state that is kept of the first input: how many records of each of these have come. */
export function sumKeyOf(envelope: string): string {
  return `${envelope.length} ${envelope.at(-1)}`;
}

/** The same records, when some jobs one after another have counted them, and some time has passed: in the simulator, all else that there is to do. */
async function madeSlowly(rdd: RDD<Envelope>, { jobs, waitMs }: ChaosProgram['generation'], wait: (ms: number) => Promise<void>): Promise<RDD<Envelope>> {
  for (let job = 0; job < jobs; job += 1) await rdd.count();
  if (waitMs > 0) await wait(waitMs);
  return rdd;
}

/** The same records, of a task that may fail behind the last of them. */
function failing<T>(records: Iterable<T>, { attempt, batchTime, partition }: TaskContext, ofTen: number): Iterable<T> {
  const all = [...records];
  if (attempt === 0 && (Number(batchTime) / 1_000 + 7 * partition) % 10 < ofTen) throw new Error('chaos: a first attempt that fails');
  return all;
}

/** What a program has of the world that it runs in. */
export interface ChaosSurroundings {
  readonly history: History;
  /** One that reads from the input's source. */
  readonly receiver: (input: string) => Receiver<Envelope>;
  readonly wait: (ms: number) => Promise<void>;
}

/** Builds the graph: on each start again. */
export function buildChaosProgram(context: StreamingContext, { program, inputs, generation, failuresOfTen }: ChaosProgram, { history, receiver, wait }: ChaosSurroundings): ChaosExports {
  const queues = new Map<string, RddQueue<Envelope>>();
  const streams = new Map<string, StreamLike>();
  const setting = context.sc.broadcast(() => 0);
  const counted = context.sc.accumulator(0);
  const countedOnce = context.sc.accumulator(0);
  const countedEarly = context.sc.accumulator(0);
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
    const given = failuresOfTen === 0 ? records : records.mapPartitions((all, task) => failing(all, task, failuresOfTen));
    streams.set(id, (given as unknown as StreamLike).uid(id));
    if (index === 0) {
      const early = envelopes.map((envelope) => {
        countedEarly.add(1);
        return envelope as Envelope;
      });
      const read = generation.jobs + generation.waitMs === 0 ? early : early.transform((rdd) => madeSlowly(rdd, generation, wait));
      // Also where a batch has no records.
      const seen = read.mapPartitions(() => [setting.value]);
      seen.foreachRDD(async (rdd, time) => history.settingSeen(Number(time), await rdd.collect()));
      const taken = envelopes.map((envelope) => {
        countedOnce.add(1);
        return refuse(envelope as Envelope);
      }, { onError: 'deadLetter' });
      taken.foreachRDD(async (rdd, time) => history.taken(id, Number(time), await rdd.collect()));
      // The same work again, for a second output.
      taken.foreachRDD(async (rdd) => void (await rdd.count()));
      const sums = envelopes.map(([envelope]) => [sumKeyOf(envelope), 1] as [string, number]).updateStateByKey((values: readonly number[], sum: number | undefined) => history.summed(values.length, sum ?? 0, failuresOfTen)).uid('sums');
      sums.foreachRDD(async (rdd, time) => history.sumsWritten(Number(time), await rdd.collect()));
    }
  }
  for (const operation of program.graph) {
    const stream = buildOperation(operation, operation.of.map((id) => streams.get(id) as StreamLike), context as unknown as ContextLike);
    // `cache` gives the same stream again, and that has its name already.
    streams.set(operation.id, [...streams.values()].includes(stream) ? stream : stream.uid(operation.id));
  }
  for (const { id } of program.outputs) {
    const made = streams.get(id) as unknown as DStream<Value>;
    const stream = failuresOfTen === 0 ? made : made.mapPartitions((all, task) => failing(all, task, failuresOfTen));
    stream.foreachRDD(async (rdd, time) => history.wrote(id, Number(time), await rdd.collectPartitions()));
    stream.foreachPartition((records, { batchTime, partition }) => history.commit(id, Number(batchTime), partition, [...records]));
  }
  return { queues: Object.fromEntries(queues), setting, counted, countedOnce, countedEarly, letters: context.deadLetters() };
}

function refuse([envelope]: Envelope): string {
  if (isRefused(envelope)) throw new Error('chaos: refused');
  return envelope;
}

/**
 * A checkpoint of keyed state by hand: the steps of a running program copied into one file, and put into another program.
 *
 * Invariant: it is done by the messages that the writer of checkpoints uses, and by nothing else.
 */
import { appendFileSync, readFileSync, statSync } from 'node:fs';
import { places, programPlaces } from '../../actors/places.ts';
import { hashPartitioner } from '../../lib/rdd/partitioner.ts';
import { blocksRdd } from '../../lib/rdd/make.ts';
import { RDD } from '../../lib/rdd/rdd.ts';
import { stateRdd } from '../../lib/rdd/state-rdd.ts';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import type { SlicedRdds, ToJobGenerator } from '../../protocol/batch.ts';
import { encodeRecords } from '../../protocol/codec.ts';
import { asBlockId } from '../../protocol/ids.ts';
import type { ToTaskScheduler } from '../../protocol/job.ts';
import type { BlockCodec, BlockRef, FilePlace, RddNode, StateLink } from '../../protocol/rdd.ts';
import type { StateVersion, StateVersionLinks } from '../../protocol/state.ts';
import { asBatchTime } from '../../protocol/time.ts';
import type { BatchTime } from '../../protocol/time.ts';

type StateNode = Extract<RddNode, { kind: 'state' }>;
type Context = StreamingContext<unknown>;

const timeoutMs = 30_000;

export class StateLog {
  readonly file: string;
  readonly versions: StateVersion[] = [];

  constructor(file: string) {
    this.file = file;
    appendFileSync(file, 'not a step, and not a multiple of 8. ');
  }

  /** As at the end of a batch: the version at `time` of the operator, its bytes copied. */
  async note(ssc: Context, kind: string, time: number): Promise<StateVersionLinks> {
    const { system, services } = ssc.sparkContext.internals.host;
    const { index } = operatorOf(ssc, kind);
    const { rdds } = await system.ask<ToJobGenerator, SlicedRdds>(programPlaces(ssc.program).jobGenerator, (replyTo) => ({ type: 'slice', operator: index, from: time, to: time, replyTo }), timeoutMs);
    const [version] = await system.ask<ToTaskScheduler, readonly StateVersionLinks[]>(places.taskScheduler, (replyTo) => ({ type: 'stateLinks', program: ssc.program, rdds, replyTo }), timeoutMs);
    if (version === undefined) throw new Error(`No version of ${kind} is known at ${time} ms.`);
    const copied = (block: BlockRef | null): BlockRef | null => {
      if (block === null || block.place === null) return block;
      const { place } = block;
      return { ...block, place: this.append('slab' in place ? services.pool.view(place) : readFileSync(place.file).subarray(place.offset, place.offset + place.bytes)) };
    };
    const links = version.links.map((link): StateLink | null => (link === null ? null : { ...link, pairs: copied(link.pairs), extra: copied(link.extra) }));
    system.tell(places.taskScheduler, { type: 'stateLinksRead', program: ssc.program, rdds });
    this.versions.push({ time: version.time, base: version.base, stateVersion: version.stateVersion, links });
    return version;
  }

  append(bytes: Uint8Array): FilePlace {
    const offset = statSync(this.file).size;
    appendFileSync(this.file, bytes);
    return { file: this.file, offset, bytes: bytes.length, durable: true };
  }

  block(codec: BlockCodec, bytes: Uint8Array, records: number): BlockRef {
    return { id: asBlockId('logged'), codec, place: this.append(bytes), records };
  }

  /** The version at `time` in another program, as its operator of that kind has it. */
  async restore(ssc: Context, kind: string, time: number, partitions: number): Promise<RDD<[string, unknown]>> {
    const node = nodeOf(ssc, kind, asBatchTime(time), partitions);
    ssc.rdds.define(node);
    await ssc.sparkContext.internals.host.system.ask<ToTaskScheduler, null>(places.taskScheduler, (replyTo) => ({ type: 'restoreState', program: ssc.program, tables: [{ table: node.table, nodes: [node], versions: this.versions }], replyTo }), timeoutMs);
    return new RDD(ssc.rdds, node.id);
  }

  /** The batch after `previous`, whose pairs lie in the log. */
  next(ssc: Context, kind: string, previous: RDD<[string, unknown]>, pairs: readonly (readonly [string, number])[]): RDD<[string, unknown]> {
    const { node } = previous;
    if (node.kind !== 'state') throw new Error('It must follow a state.');
    const input = blocksRdd<readonly [string, number]>(ssc.rdds, [[this.block('records', encodeRecords(pairs), pairs.length)]], 'log').groupByKey(node.spec);
    const { update, spec, table, stateVersion, migrate } = node;
    const time = asBatchTime(node.time + 1_000);
    return stateRdd(ssc.rdds, { name: kind, table, time, spec, update, input, initial: null, previous, versionsKept: 1, ...(stateVersion === undefined ? {} : { stateVersion }), ...(migrate === undefined ? {} : { migrate }) }, false).state as RDD<[string, unknown]>;
  }
}

function operatorOf(ssc: Context, kind: string): Context['graph']['operators'][number] {
  const found = ssc.graph.operators.find((stream) => stream.kind === kind);
  if (found === undefined) throw new Error(`The program has no ${kind}.`);
  return found;
}

function nodeOf(ssc: Context, kind: string, time: BatchTime, partitions: number): StateNode {
  const { index, spec: operator } = operatorOf(ssc, kind);
  const [fn, migrate] = (operator.functions ?? []).map((each) => ssc.rdds.functionRef(each.fn as () => unknown, each.role));
  if (fn === undefined) throw new Error(`${kind} has no function.`);
  const spec = hashPartitioner(partitions);
  return {
    kind: 'state', id: ssc.rdds.newRddId(), parents: [], partitions, partitioner: spec, storage: null, operator: null, table: index, time, spec,
    update: { kind: 'update', fn, form: 'plain' }, input: null, initial: null, previous: null, emits: null, versionsKept: 1,
    stateVersion: operator.stateVersion ?? 1, ...(migrate === undefined ? {} : { migrate }),
  };
}

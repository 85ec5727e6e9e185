/**
 * Streams from outside: the base of all inputs, and the one whose records receivers bring.
 *
 * Invariant: an input has no parents; its parameters are its name, by which a checkpoint and a receiver know it. What has side
 * effects (a receiver, a decoder) is given as a factory and made only where it runs.
 */
import type { RDD } from '../rdd/rdd.ts';
import { blocksRdd } from '../rdd/make.ts';
import type { StorageLevel } from '../rdd/storage-level.ts';
import type { StreamId } from '../../protocol/ids.ts';
import type { OperatorPlace } from '../../protocol/rdd.ts';
import type { BatchTime } from '../../protocol/time.ts';
import type { BatchEnvironment } from './environment.ts';
import { DStream } from './dstream.ts';
import type { DStreamGraph } from './graph.ts';
import type { Generated, OperatorFunction } from './operator-spec.ts';
import type { Receiver } from './receiver.ts';
import { sliceUnavailable } from './reach-back.ts';

export abstract class InputDStream<T> extends DStream<T> {
  constructor(graph: DStreamGraph, kind: string, parameters: Readonly<Record<string, unknown>>, functions: readonly OperatorFunction[] = []) {
    super(graph, {
      kind,
      parents: [],
      parameters,
      functions,
      compute: () => {
        throw new TypeError(`${kind} has a compute method of its own.`);
      },
    });
  }

  protected abstract override compute(time: BatchTime, env: BatchEnvironment): Generated<T>;

  /** What came from outside came once. */
  protected override get canBeMadeAgain(): boolean {
    return false;
  }
}

/** Makes records of a socket's bytes. One is made for each connection, on the io thread. */
export interface StreamDecoder<T> {
  /** The records that are complete after these bytes; what is left over is the decoder's to keep. */
  decode(bytes: Uint8Array): Iterable<T>;
  /** The connection has ended: what is left over, as far as it makes records. */
  end?(): Iterable<T>;
}

/** How to run the receiver of one stream. Functions in it stay on the thread that built the graph. */
export type ReceiverSource =
  | { readonly kind: 'socketText' | 'rawSocket'; readonly host: string; readonly port: number }
  | { readonly kind: 'socketDecoder'; readonly host: string; readonly port: number; readonly factory: () => StreamDecoder<unknown> }
  | { readonly kind: 'custom'; readonly factory: () => Receiver<unknown> };

export interface ReceiverInput {
  readonly stream: StreamId;
  readonly source: ReceiverSource;
  /** Null for a custom receiver: it says so itself when it is made. */
  readonly storage: StorageLevel | null;
  readonly operator: OperatorPlace;
}

/** Its RDD holds the blocks that the tracker allocated to the batch, one partition each; no records where there were none. */
export class ReceiverInputDStream<T> extends InputDStream<T> {
  readonly source: ReceiverSource;
  /** Where received blocks are kept; null: as the receiver says. */
  readonly receivedLevel: StorageLevel | null;

  constructor(graph: DStreamGraph, kind: string, source: ReceiverSource, storage: StorageLevel | null) {
    const { kind: _kind, ...rest } = source;
    const { factory, ...parameters } = { factory: undefined, ...rest };
    super(graph, kind, parameters, factory === undefined ? [] : [{ fn: factory, role: kind, runsOn: 'driver' }]);
    this.source = source;
    this.receivedLevel = storage;
  }

  get receiverInput(): ReceiverInput {
    return { stream: this.streamId, source: this.source, storage: this.receivedLevel, operator: this.operator };
  }

  protected override compute(time: BatchTime, env: BatchEnvironment): RDD<T> {
    const blocks = env.allocatedBlocks(this.streamId, time);
    // Without an error the batch, when it comes, would find this RDD, and what was received would be in none.
    if (blocks === null && env.slicing !== undefined) throw sliceUnavailable(this, time, 'not yet');
    return this.making(() => blocksRdd<T>(this.host.rdds, blocks ?? [], this.kind)) as RDD<T>;
  }
}

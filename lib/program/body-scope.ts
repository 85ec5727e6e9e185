/**
 * Which foreachRDD body an action belongs to.
 *
 * Invariant: an action is of the body that has called it, also where that body has passed its time and a later one runs beside it: what
 * is written under a batch's name is that batch's.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Sink } from '../../protocol/rdd.ts';
import type { BatchTime } from '../../protocol/time.ts';
import { bodyActionUid } from '../rdd/output-id.ts';

interface Body {
  readonly time: BatchTime;
  readonly outputUid: string;
  /** Actions so far that write something. */
  effects: number;
}

export class BodyScope {
  readonly #bodies = new AsyncLocalStorage<Body>();

  /** Calls the body: its actions, and what it awaits, are of this batch and output. */
  run<R>(time: BatchTime, outputUid: string, body: () => R): R {
    return this.#bodies.run({ time, outputUid, effects: 0 }, body);
  }

  /** The batch of the body that calls; null: none does. */
  get time(): BatchTime | null {
    return this.#bodies.getStore()?.time ?? null;
  }

  /** No body runs any more. As long as Node follows the scopes of contexts that have ended, each of them makes every promise of the process slower. */
  close(): void {
    this.#bodies.disable();
  }

  /** The sink as an output's, where a body asks for it. */
  named(sink: Sink): Sink {
    const body = this.#bodies.getStore();
    if (body === undefined || (sink.kind !== 'foreach' && sink.kind !== 'foreachPartition')) return sink;
    body.effects += 1;
    return { ...sink, batchTime: body.time, outputUid: bodyActionUid(body.outputUid, body.effects) };
  }
}

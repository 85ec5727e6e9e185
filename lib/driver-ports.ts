/**
 * How an app's thread reaches its program's actors on the driver, by the cluster's present life.
 *
 * Invariant: each question goes to the driver of the moment in which it is asked; one that dies before it answers rejects it, with DriverRestarted
 * where another follows.
 */
import { programPlaces } from '../actors/places.ts';
import type { ToBatchTimer, ToJobGenerator } from '../protocol/batch.ts';
import type { ToJobScheduler } from '../protocol/job.ts';
import type { ProgramId } from '../protocol/ids.ts';
import type { BatchTime } from '../protocol/time.ts';
import { fromWireError } from '../protocol/errors.ts';
import type { WireError } from '../protocol/errors.ts';
import type { ClusterInternals } from './cluster-internals.ts';
import type { DriverPorts } from './driver-questions.ts';

/** Over the driver's own time for an advance: it answers, then. */
const graceMs = 30_000;

export function driverPorts(internals: ClusterInternals, program: ProgramId, { batchIntervalMs, advanceTimeoutMs }: { readonly batchIntervalMs: number; readonly advanceTimeoutMs: number }): DriverPorts {
  const at = programPlaces(program);
  return {
    batchIntervalMs,
    generator: (make, timeoutMs) => internals.ask<ToJobGenerator, never>(at.jobGenerator, make as never, timeoutMs),
    timer: (make) => internals.ask<ToBatchTimer, BatchTime>(at.batchTimer, make, advanceTimeoutMs + graceMs),
    async batch(time) {
      const { error } = await internals.ask<ToJobScheduler, { readonly error: WireError | null }>(at.jobScheduler, (replyTo) => ({ type: 'awaitBatch', time, replyTo }), advanceTimeoutMs);
      if (error !== null) throw fromWireError(error);
    },
  };
}

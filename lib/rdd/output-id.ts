/**
 * The name of what an output writes for one batch, or for one partition of it: as text, for a table of identifiers elsewhere.
 *
 *   APP/OUTPUT/BATCH_TIME              the batch: in foreachRDD's function
 *   APP/OUTPUT/BATCH_TIME/PARTITION    the partition: in the functions of foreach and foreachPartition
 *
 * APP is the app's name, in which % and / are written %25 and %2F. OUTPUT is the output's uid, and may hold a /: so read APP from the
 * left and the numbers from the right.
 *
 * Invariant: the same records have the same name in every attempt at their task, however often they are computed, and where the batch
 * is run again by another process; two outputs of an app never share one.
 */
import type { BatchTime } from '../../protocol/time.ts';

export function outputId(appName: string, outputUid: string, batchTime: BatchTime, partition?: number): string {
  const batch = `${appName.replace(/[%/]/g, (character) => (character === '/' ? '%2F' : '%25'))}/${outputUid}/${batchTime}`;
  return partition === undefined ? batch : `${batch}/${partition}`;
}

/**
 * The uid of the `ordinal`th action (from 1) that a foreachRDD body runs for its effect. A body is a function of its batch, so the
 * same action has the same number in every run; the first one, mostly the only one, has the output's own name.
 */
export function bodyActionUid(outputUid: string, ordinal: number): string {
  return ordinal === 1 ? outputUid : `${outputUid}@${ordinal}`;
}

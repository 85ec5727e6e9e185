/**
 * What a graceful stop did not get to: in words for its error, and as the error's details.
 *
 * Invariant: pure. Everything that was left is named, and where it is now; what is not known is not made up.
 */
import { MillraceError } from '../protocol/errors.ts';
import type { StreamingSpec } from '../protocol/host.ts';
import type { LeftUndone } from '../protocol/program.ts';
import { nameOf } from './receiver-of.ts';

export const nothingLeft: LeftUndone = { batches: [], output: null, blocks: 0, records: 0, queued: 0, receivers: [] };

/** Batch times that are written out; further ones are counted. */
const timesMax = 10;

type Spec = Pick<StreamingSpec, 'outputNames' | 'durability'>;

export function stopTimeout(left: LeftUndone, timeoutMs: number, spec: Spec): MillraceError {
  const { batches, output, blocks, records, queued, receivers } = left;
  const details = {
    timeoutMs,
    batches,
    output: output === null ? null : { ...output, name: spec.outputNames[output.output] ?? '' },
    blocks,
    records,
    queued,
    receivers: receivers.map(({ stream, operator }) => ({ stream, uid: operator?.uid ?? null, name: operator?.name ?? '', place: operator?.place ?? '' })),
    isLogged: spec.durability?.settings.logsBlocks === true,
  };
  return new MillraceError('StopTimeout', `Expected everything received to be processed within timeoutMs (${timeoutMs} ms); ${whatWasLeft(left, spec)}. The context is stopped all the same. ${whereItIs(left, spec)}`, { details });
}

/** Clauses, without the stop at the end. */
export function whatWasLeft({ batches, output, blocks, records, queued, receivers }: LeftUndone, { outputNames }: Spec): string {
  const clauses: string[] = [];
  const [first] = batches;
  if (batches.length === 1) clauses.push(`the batch at ${first} ms is not complete`);
  if (batches.length > 1) clauses.push(`${batches.length} batches are not complete: ${listOf(batches)}`);
  if (output !== null) {
    const name = outputNames[output.output] ?? '';
    clauses.push(`output ${output.output}${name === '' ? '' : ` (${name})`} of the batch at ${output.batchTime} ms ${output.held ? 'waits for the reader of what it has published' : 'has not ended'}`);
  }
  if (blocks > 0) clauses.push(`${counted(blocks, 'block')} with ${counted(records, 'record')} ${blocks === 1 ? 'is' : 'are'} in no batch`);
  if (queued > 0) clauses.push(`${counted(queued, 'RDD')} in a queue ${queued === 1 ? 'is' : 'are'} in no batch`);
  for (const receiver of receivers) clauses.push(`the receiver of ${nameOf(receiver)} has not ended`);
  return clauses.length === 0 ? 'it ended just after that' : clauses.join('; ');
}

function whereItIs({ batches, blocks, queued }: LeftUndone, { durability }: Spec): string {
  if (batches.length + blocks + queued === 0) return 'Nothing that was stored is lost.';
  if (durability === null) return 'What was left is lost: with a checkpoint directory the next run would process it. Give timeoutMs more time, or see what the output waits for.';
  const { directory, logsBlocks } = durability.settings;
  if (!logsBlocks) return `These batches are in the log in ${directory} and run at the next getOrCreate, but without what receivers had brought: writeAheadLog is false.`;
  return `What was left is in the log in ${directory}, and is processed after the next getOrCreate.`;
}

function listOf(batches: LeftUndone['batches']): string {
  const more = batches.length - timesMax;
  return `${batches.slice(0, timesMax).join(', ')}${more > 0 ? ` and ${more} more` : ''} ms`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/**
 * Where `print` goes: the process's own output, through a bounded buffer, so that a terminal that doesn't read delays no batch.
 *
 * Invariant: text comes out in the order of the batches, whole or not at all.
 */
import type { Writable } from 'node:stream';
import type { Logger } from './actor/logger.ts';

/** What may wait for a slow reader, in bytes; text beyond it is dropped, with a warning. */
const waitingBytesMax = 16 * 1024 * 1024;

export function printTo(stream: Writable, text: string, logger: Logger): void {
  if (stream.writableLength > waitingBytesMax) {
    logger.log('warn', `The output of print is not read: ${text.length} characters of a batch were dropped. Read faster, or print less.`);
    return;
  }
  stream.write(text);
}

/**
 * What the heap of this thread holds, when all that nobody can reach has been collected.
 *
 * Invariant: two readings with nothing kept in between differ by a few KiB (code, caches of V8), whatever was made and dropped.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

export function heapBytes(): number {
  // Twice: what finalizers let go of in the first round is gone after the second.
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

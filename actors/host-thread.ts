/**
 * A host on a thread of its own: one call, which lasts as long as the host.
 *
 * Invariant: the promise settles only when the driver's tree has ended; on all other threads it never does, and the thread
 * ends by being told to, or by dying.
 */
import type { MessagePort } from 'node:worker_threads';
import { portOf } from '../lib/actor/link.ts';
import type { Logger } from '../lib/actor/logger.ts';
import { SystemClock } from '../lib/base/clock.ts';
import { fromWireError } from '../protocol/errors.ts';
import type { HostInit } from '../protocol/host.ts';
import { places } from './places.ts';
import { startHost } from './host.ts';
import { markAsHost } from './inside-host.ts';
import { loadFromModule } from './program-loader.ts';
import type { HostLauncher } from './launcher.ts';

/** What a thread is started with. */
export interface HostTask {
  readonly init: HostInit;
  readonly port: MessagePort;
}

/** `launcher`: the driver's; null on all others. */
export function runHost({ init, port }: HostTask, launcher: HostLauncher | null): Promise<void> {
  markAsHost();
  return new Promise((resolve, reject) => {
    const host = startHost(init, portOf(port), {
      clock: new SystemClock(),
      logger: {
        log: (level, text, fields) => {
          if (level !== 'debug') host.system.tell(places.appLog, { level, text: `[${init.role} ${init.host}] ${text}`, fields: fields ?? null });
        },
      } satisfies Logger,
      load: loadFromModule,
      launcher,
      die,
      onEnded: (reason) => {
        if ('error' in reason && reason.error !== undefined) reject(fromWireError(reason.error));
        else resolve();
      },
    });
  });
}

/** The ways in which a thread can die, for fault injection: real ones. */
function die(how: 'throw' | 'exit' | 'rejection' | 'outOfMemory'): void {
  if (how === 'exit') process.exit(1);
  if (how === 'rejection') void Promise.reject(new Error('An injected fault: a rejection that nobody handles.'));
  if (how === 'throw') {
    setImmediate(() => {
      throw new Error('An injected fault: an error that nobody catches.');
    });
  }
  if (how === 'outOfMemory') {
    const hoard: unknown[] = [];
    const fill = (): void => {
      for (let index = 0; index < 200_000; index += 1) hoard.push({ index, text: `${index}` });
      setImmediate(fill);
    };
    fill();
  }
}

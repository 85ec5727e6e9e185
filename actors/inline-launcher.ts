/**
 * Hosts on the calling thread: `master: 'inline'`.
 *
 * Invariant: messages between inline hosts arrive in order, later than the turn that sent them, and pass the same links as
 * between threads; only the threads are missing.
 */
import type { ExitReason } from '../lib/actor/behavior.ts';
import type { Port } from '../lib/actor/link.ts';
import type { ActorSystem } from '../lib/actor/system.ts';
import { MillraceError, toWireError } from '../protocol/errors.ts';
import type { WireError } from '../protocol/errors.ts';
import type { HostInit } from '../protocol/host.ts';
import { startHost } from './host.ts';
import type { HostPorts } from './host.ts';
import type { HostLauncher, LaunchedHost } from './launcher.ts';

/** `ports` are given to every inline host; the driver launches the others by this launcher, too. */
export function inlineLauncher(ports: Omit<HostPorts, 'launcher' | 'die' | 'onEnded'>): HostLauncher {
  const systems = new Set<ActorSystem>();
  const launcher: HostLauncher = {
    launch(init: HostInit): LaunchedHost {
      const [here, there] = pipe();
      let settle: (error: WireError | null) => void = () => {};
      const exited = new Promise<WireError | null>((resolve) => (settle = resolve));
      let ended = false;
      const end = (error: WireError | null): void => {
        if (ended) return;
        ended = true;
        systems.delete(system);
        system.vanish();
        settle(error);
      };
      const die = (how: string): void => end(toWireError(new MillraceError('HostGone', `Host ${init.host} was ended: ${how}.`)));
      // The root of the tree has ended: as if its thread had.
      const onEnded = (reason: ExitReason): void => end('error' in reason && reason.error !== undefined ? reason.error : null);
      const { system } = startHost(init, there, { ...ports, launcher: init.role === 'driver' ? launcher : null, die, onEnded });
      systems.add(system);
      return { port: here, exited, kill: () => die('killed') };
    },
    async close() {
      for (const system of systems) system.vanish();
      systems.clear();
    },
  };
  return launcher;
}

/** Two ends of a line: what is posted on one is heard on the other, in a later microtask. */
function pipe(): [Port, Port] {
  const listeners: (((message: unknown) => void) | null)[] = [null, null];
  const open = [true, true];
  const end = (own: 0 | 1, other: 0 | 1): Port => ({
    post: (message) => queueMicrotask(() => {
      if (open[own] && open[other]) listeners[other]?.(message);
    }),
    onMessage: (listener) => void (listeners[own] = listener),
    close: () => void (open[own] = false),
  });
  return [end(0, 1), end(1, 0)];
}

/**
 * Starting hosts: on threads of a piscina pool, or inline.
 *
 * Invariant: `exited` settles exactly once for each host that was launched, whatever ended it, and after it nothing of that
 * host runs any more.
 */
import type { Port } from '../lib/actor/link.ts';
import type { HostInit } from '../protocol/host.ts';
import type { WireError } from '../protocol/errors.ts';

export interface LaunchedHost {
  /** To the host's system; null: it is connected already. */
  readonly port: Port | null;
  /** Null: it ended as it was told to. */
  readonly exited: Promise<WireError | null>;
  /** Ends the thread at once, whatever it is doing. */
  kill(): void;
}

export interface HostLauncher {
  launch(init: HostInit): LaunchedHost;
  /** Ends every host, and resolves when no thread is left. */
  close(): Promise<void>;
}

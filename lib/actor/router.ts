/**
 * Which way to another host: direct links first, else the default route (towards the driver's thread, the middle of the star).
 *
 *     host 2 ── link ── driver 1 ── link ── host 3        on host 2: routes { 1 }, default 1
 *                          │                              on host 1: routes { 0, 2, 3 }
 *                        host 0
 *
 * Invariant: a host that is dead stays dead: no envelope to or from it passes any more, and its number never comes back.
 */
import type { WireError } from '../../protocol/errors.ts';
import type { EnvelopeKind } from '../../protocol/envelope.ts';

/** One end of a connection, as the router sees it. */
export interface Outlet {
  push(kind: EnvelopeKind, fromHost: number, fromCell: number, toHost: number, toCell: number, body: unknown): void;
  flush(): void;
  close(): void;
}

export class Router {
  readonly routes = new Map<number, Outlet>();
  defaultRoute: Outlet | null = null;
  readonly #dead = new Map<number, WireError>();

  /** The way to `host`, or null: it is dead, or nobody knows it. */
  to(host: number): Outlet | null {
    const direct = this.routes.get(host);
    if (direct !== undefined) return direct;
    return this.#dead.has(host) ? null : this.defaultRoute;
  }

  deadHost(host: number): WireError | null {
    return this.#dead.get(host) ?? null;
  }

  /** False where it was known already. */
  markDead(host: number, error: WireError): boolean {
    if (this.#dead.has(host)) return false;
    this.#dead.set(host, error);
    const outlet = this.routes.get(host);
    this.routes.delete(host);
    if (outlet !== undefined && !this.outlets().has(outlet)) outlet.close();
    return true;
  }

  outlets(): Set<Outlet> {
    const outlets = new Set(this.routes.values());
    if (this.defaultRoute !== null) outlets.add(this.defaultRoute);
    return outlets;
  }

  flush(): void {
    for (const outlet of this.routes.values()) outlet.flush();
    this.defaultRoute?.flush();
  }
}

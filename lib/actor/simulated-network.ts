/**
 * The simulator's connections: what was posted and not yet delivered, envelope by envelope.
 *
 *   post ──> in flight [ a→x | b→x | a→x | a→y ] ──> the first of any sender-receiver pair may be delivered next
 *
 * Invariant: between one sender and one receiver, order is kept; between pairs there is none (with `ordering: 'link'`, as on
 * a MessagePort, there is one for the whole connection). Bodies are cloned when they are posted, as threads do.
 */
import type { Frame } from '../../protocol/envelope.ts';
import { headNumbers } from '../../protocol/envelope.ts';
import type { Prng } from '../base/prng.ts';
import type { Port } from './link.ts';

interface Envelope {
  readonly head: Float64Array;
  readonly body: unknown;
  /** sender and receiver, as text. */
  readonly pair: string;
}

/** One direction of one connection. */
export class Pipe {
  readonly name: string;
  readonly #inFlight: Envelope[] = [];
  #listener: ((message: unknown) => void) | null = null;
  open = true;

  constructor(name: string) {
    this.name = name;
  }

  get depth(): number {
    return this.#listener === null ? 0 : this.#inFlight.length;
  }

  listen(listener: (message: unknown) => void): void {
    this.#listener = listener;
  }

  post(message: unknown): void {
    if (!this.open) return;
    const { heads, bodies } = structuredClone(message) as Frame;
    for (const [index, body] of bodies.entries()) {
      const head = heads.slice(index * headNumbers, (index + 1) * headNumbers);
      this.#inFlight.push({ head, body, pair: head.subarray(1).join(' ') });
    }
  }

  /** Delivers one envelope and gives its text for the trace. */
  deliver(prng: Prng, ordering: 'pair' | 'link'): string {
    const chosen = ordering === 'link' ? 0 : prng.int(this.#inFlight.length);
    const index = this.#inFlight.findIndex((envelope) => envelope.pair === this.#inFlight[chosen]!.pair);
    const [envelope] = this.#inFlight.splice(index, 1);
    this.#listener!({ heads: envelope!.head, bodies: [envelope!.body] } satisfies Frame);
    const [kind, fromHost, fromCell, toHost, toCell] = envelope!.head;
    return `kind ${kind} from ${fromHost}:${fromCell} to ${toHost}:${toCell}`;
  }

  /** The sender's thread has died: what it had posted last may be lost, and nothing comes after. */
  cut(kept: number): void {
    this.open = false;
    this.#inFlight.length = Math.min(kept, this.#inFlight.length);
  }
}

/** The two ends of a connection between the hosts `a` and `b`. */
export function createConnection(a: number, b: number): { readonly pipes: readonly [Pipe, Pipe]; readonly ports: readonly [Port, Port] } {
  const there = new Pipe(`${a}>${b}`);
  const back = new Pipe(`${b}>${a}`);
  return { pipes: [there, back], ports: [portOver(there, back), portOver(back, there)] };
}

function portOver(out: Pipe, into: Pipe): Port {
  return {
    post: (message) => out.post(message),
    onMessage: (listener) => into.listen(listener),
    // The other direction stays readable: what was under way when a thread died may still arrive.
    close: () => undefined,
  };
}

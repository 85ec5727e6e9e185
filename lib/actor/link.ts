/**
 * One connection of a system to another one, over anything that posts messages in order: a MessagePort, or a pipe of the simulator.
 * Envelopes are collected and posted as one frame when the run queue is empty, or as soon as `envelopesMax` are there.
 *
 *   push, push, push ──> [ e1 | e2 | e3 ] ── flush ──> one post ──> e1, e2, e3 delivered in order
 *
 * Invariant: what is pushed is posted in that order, or, where it can't be cloned, ends its sender; a closed link drops everything.
 */
import type { Frame } from '../../protocol/envelope.ts';
import { EnvelopeKind, headNumbers } from '../../protocol/envelope.ts';
import type { ActorPath, HostId } from '../../protocol/ids.ts';
import type { Outlet } from './router.ts';
import type { ActorSystem } from './system.ts';

/** What a link needs of a MessagePort. Posts arrive in order, each at most once. */
export interface Port {
  post(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  close(): void;
}

/** The part of node:worker_threads' MessagePort (and Worker) that is used. */
export interface MessagePortLike {
  postMessage(message: unknown): void;
  on(event: 'message', listener: (message: unknown) => void): unknown;
  close(): void;
}

export function portOf(messagePort: MessagePortLike): Port {
  return {
    post: (message) => messagePort.postMessage(message),
    onMessage: (listener) => void messagePort.on('message', listener),
    close: () => messagePort.close(),
  };
}

export const envelopesMax = 64;

export class Link implements Outlet {
  readonly #system: ActorSystem;
  readonly #port: Port;
  readonly #heads = new Float64Array(envelopesMax * headNumbers);
  #bodies: unknown[] = [];
  #closed = false;

  constructor(system: ActorSystem, port: Port) {
    this.#system = system;
    this.#port = port;
    port.onMessage((message) => this.#onFrame(message as Frame));
  }

  push(kind: EnvelopeKind, fromHost: number, fromCell: number, toHost: number, toCell: number, body: unknown): void {
    if (this.#closed) return;
    const heads = this.#heads;
    const at = this.#bodies.length * headNumbers;
    heads[at] = kind;
    heads[at + 1] = fromHost;
    heads[at + 2] = fromCell;
    heads[at + 3] = toHost;
    heads[at + 4] = toCell;
    this.#bodies.push(body);
    if (this.#bodies.length === envelopesMax) this.flush();
  }

  flush(): void {
    if (this.#bodies.length === 0 || this.#closed) return;
    const bodies = this.#bodies;
    const heads = this.#heads.slice(0, bodies.length * headNumbers);
    this.#bodies = [];
    try {
      this.#port.post({ heads, bodies } satisfies Frame);
    } catch {
      // One of them can't be cloned, and nothing was posted: each goes alone, so that only the bad one is missing.
      this.#postOneByOne(heads, bodies);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#bodies = [];
    this.#port.close();
  }

  #postOneByOne(heads: Float64Array, bodies: readonly unknown[]): void {
    for (const [index, body] of bodies.entries()) {
      const head = heads.slice(index * headNumbers, (index + 1) * headNumbers);
      try {
        this.#port.post({ heads: head, bodies: [body] } satisfies Frame);
      } catch (thrown) {
        const sender = head[1] === this.#system.host ? (this.#system.cell(head[2]!) ?? null) : null;
        this.#system.notSerializable(sender, { host: head[3] as HostId, cell: head[4]!, path: '' as ActorPath }, body, thrown);
      }
    }
  }

  #onFrame(frame: Frame): void {
    if (this.#closed) return;
    this.#system.refreshTick();
    const { heads, bodies } = frame;
    for (let index = 0, at = 0; index < bodies.length; index += 1, at += headNumbers) {
      this.#system.remote.deliver(heads[at] as EnvelopeKind, heads[at + 1]!, heads[at + 2]!, heads[at + 3]!, heads[at + 4]!, bodies[index]);
    }
  }
}

/**
 * What a system says to others and hears from them: the protocol of protocol/envelope.ts, and the consequences of a host's death.
 * Envelopes between actors of the same host go through the same `deliver`, without a link.
 *
 * Invariant: whoever waits for something on another host (a watcher, an asker, a supervisor) hears exactly one end of it: from there, or
 * because there is no way there, or by `hostDown`.
 */
import type { WireError } from '../../protocol/errors.ts';
import { toWireError, MillraceError } from '../../protocol/errors.ts';
import type { ChildExitedBody, ChildStartedBody, HostDownBody, ReplyBody, SpawnBody } from '../../protocol/envelope.ts';
import { EnvelopeKind } from '../../protocol/envelope.ts';
import type { ActorPath, HostId } from '../../protocol/ids.ts';
import { unreachable } from '../base/assert.ts';
import type { ExitReason } from './behavior.ts';
import type { Cell } from './cell.ts';
import type { Link } from './link.ts';
import type { ActorRef } from './ref.ts';
import { refKey } from './ref.ts';
import { Router } from './router.ts';
import type { ActorSystem } from './system.ts';

/** What a sender may send to a credit mailbox on another host before that has said anything. */
const firstCredit = 16;
/** Instead of a count: the mailbox is gone. */
const creditOver = -1;

export class Remote {
  readonly router = new Router();
  readonly #system: ActorSystem;
  readonly #links = new Set<Link>();
  readonly #hostWatchers = new Map<number, Set<Cell>>();
  readonly #outsideWatchers = new Map<string, { readonly ref: ActorRef<never>; readonly tell: ((reason: ExitReason) => void)[] }>();
  /** Credit mailboxes on other hosts: how many messages they take from this host in all, and how many were sent, since it first asked. */
  readonly #credits = new Map<string, { limit: number; sent: number }>();
  /** By own cell and asking host: how many came, and up to which number it was told to send. */
  readonly #creditHosts = new Map<number, Map<number, { received: number; limit: number; share: number }>>();

  constructor(system: ActorSystem) {
    this.#system = system;
  }

  /** `hosts` are reached over this link; so is every host that no link is known for, where it is the default. */
  connect(link: Link, options: { readonly hosts?: readonly HostId[]; readonly isDefault?: boolean }): Link {
    this.#links.add(link);
    for (const host of options.hosts ?? []) this.router.routes.set(host, link);
    if (options.isDefault === true) this.router.defaultRoute = link;
    return link;
  }

  close(): void {
    for (const link of this.#links) link.close();
    this.#links.clear();
    this.router.routes.clear();
    this.router.defaultRoute = null;
  }

  /** From an own cell (0: the system). `to` only names the receiver in dead letters. */
  send(kind: EnvelopeKind, fromCell: number, toHost: number, toCell: number, body: unknown, to?: ActorRef<never>): void {
    if (toHost === this.#system.host) {
      if (kind === EnvelopeKind.spawn || kind === EnvelopeKind.reply) {
        try {
          body = this.#system.codec(body);
        } catch (thrown) {
          this.#system.notSerializable(this.#system.cell(fromCell) ?? null, to ?? refAt(toHost, toCell), body, thrown);
          return;
        }
      }
      this.#handle(kind, this.#system.host, fromCell, toCell, body);
      return;
    }
    if (kind === EnvelopeKind.tell && this.#credits.size > 0) this.#spendCredit(toHost, toCell);
    this.#route(kind, this.#system.host, fromCell, toHost, toCell, body, to);
  }

  /** An envelope that came over a link. */
  deliver(kind: EnvelopeKind, fromHost: number, fromCell: number, toHost: number, toCell: number, body: unknown): void {
    if (this.router.deadHost(fromHost) !== null) return;
    if (kind === EnvelopeKind.hostDown) {
      const { host, error } = body as HostDownBody;
      this.hostDown(host as HostId, error);
    } else if (toHost === this.#system.host) this.#handle(kind, fromHost, fromCell, toCell, body);
    else this.#route(kind, fromHost, fromCell, toHost, toCell, body);
  }

  #route(kind: EnvelopeKind, fromHost: number, fromCell: number, toHost: number, toCell: number, body: unknown, to?: ActorRef<never>): void {
    const outlet = this.router.to(toHost);
    if (outlet === null) {
      this.#unroutable(kind, fromHost, fromCell, toHost, toCell, body, to);
      return;
    }
    outlet.push(kind, fromHost, fromCell, toHost, toCell, body);
    this.#system.scheduleDrain();
  }

  /** There is no way to that host: whoever waits for an answer gets it from here. */
  #unroutable(kind: EnvelopeKind, fromHost: number, fromCell: number, toHost: number, toCell: number, body: unknown, to?: ActorRef<never>): void {
    const dead = this.router.deadHost(toHost);
    const reason: ExitReason = { type: 'hostDown', error: dead ?? noRoute(this.#system.host, toHost) };
    if (kind === EnvelopeKind.tell) this.#system.deadLetter(to ?? refAt(toHost, toCell), body, dead === null ? 'noRoute' : 'hostGone');
    else if (kind === EnvelopeKind.watch) this.#answer(EnvelopeKind.terminated, toHost, toCell, fromHost, fromCell, reason);
    else if (kind === EnvelopeKind.spawn) {
      this.#answer(EnvelopeKind.childExited, toHost, toCell, fromHost, fromCell, { incarnation: (body as SpawnBody).incarnation, reason });
    }
  }

  /** In the name of an actor on a host that can't answer. */
  #answer(kind: EnvelopeKind, fromHost: number, fromCell: number, toHost: number, toCell: number, body: unknown): void {
    if (toHost === this.#system.host) this.#handle(kind, fromHost, fromCell, toCell, body);
    else this.#route(kind, fromHost, fromCell, toHost, toCell, body);
  }

  #handle(kind: EnvelopeKind, fromHost: number, fromCell: number, toCell: number, body: unknown): void {
    const system = this.#system;
    const cell = system.cell(toCell);
    switch (kind) {
      case EnvelopeKind.tell:
        if (this.#creditHosts.size > 0) this.#countReceived(fromHost, toCell);
        if (cell === undefined) system.deadLetter(refAt(system.host, toCell), body, 'noActor');
        else system.put(cell, body);
        return;
      case EnvelopeKind.reply: {
        const reply = body as ReplyBody;
        return system.asks.settle(reply.ask, reply.ok ? { ok: true, value: reply.value } : { ok: false, error: reply.error });
      }
      case EnvelopeKind.watch:
        if (cell === undefined) this.#answerFromHere(EnvelopeKind.terminated, toCell, fromHost, fromCell, system.exitReasonOf(toCell));
        else cell.watchers.set(`${fromHost}:${fromCell}`, refAt(fromHost, fromCell));
        return;
      case EnvelopeKind.unwatch:
        return void cell?.watchers.delete(`${fromHost}:${fromCell}`);
      case EnvelopeKind.terminated:
        return this.#onTerminated(cell, refAt(fromHost, fromCell), body as ExitReason, toCell);
      case EnvelopeKind.spawn:
        return this.#onSpawn(fromHost, fromCell, toCell, body as SpawnBody);
      case EnvelopeKind.childStarted:
        return this.#onChildStarted(cell, fromHost, fromCell, body as ChildStartedBody);
      case EnvelopeKind.childExited:
        return this.#onChildExited(cell, `${fromHost}:${fromCell}`, body as ChildExitedBody<ExitReason>);
      case EnvelopeKind.exit:
        return cell?.signal({ type: 'exit', reason: body as ExitReason });
      case EnvelopeKind.kill:
        return cell?.end(body as ExitReason);
      case EnvelopeKind.creditAsk:
        if (cell === undefined) this.send(EnvelopeKind.credit, toCell, fromHost, fromCell, creditOver);
        else this.#onCreditAsk(cell, fromHost);
        return;
      case EnvelopeKind.credit:
        return this.#onCredit(`${fromHost}:${fromCell}`, body as number);
      case EnvelopeKind.hostDown:
        return;
      default:
        return unreachable(kind);
    }
  }

  #answerFromHere(kind: EnvelopeKind, fromCell: number, toHost: number, toCell: number, body: unknown): void {
    this.send(kind, fromCell, toHost, toCell, body);
  }

  #onTerminated(cell: Cell | undefined, from: ActorRef<never>, reason: ExitReason, toCell: number): void {
    const key = refKey(from);
    if (toCell === 0) {
      this.#system.asks.targetEnded(from, reason);
      const outside = this.#outsideWatchers.get(key);
      this.#outsideWatchers.delete(key);
      for (const tell of outside?.tell ?? []) tell(reason);
      return;
    }
    const ref = cell?.watching.get(key);
    if (cell === undefined || ref === undefined) return;
    cell.watching.delete(key);
    cell.signal({ type: 'terminated', ref, reason });
  }

  #onSpawn(fromHost: number, fromCell: number, toCell: number, body: SpawnBody): void {
    const behavior = this.#system.behaviorOf(body.behavior);
    if (behavior === undefined) {
      const reason: ExitReason = { type: 'error', error: toWireError(unknownBehavior(body.behavior, this.#system.host)) };
      this.#answerFromHere(EnvelopeKind.childExited, toCell, fromHost, fromCell, { incarnation: body.incarnation, reason });
      return;
    }
    const parent = { host: fromHost as HostId, cell: fromCell, path: body.parentPath };
    const ref = { host: this.#system.host, cell: toCell, path: body.path };
    this.#system.startCell({ ref, behavior, args: body.args, parent, incarnation: body.incarnation });
  }

  #onChildStarted(parent: Cell | undefined, host: number, number: number, body: ChildStartedBody): void {
    const child = parent?.children.get(`${host}:${number}`);
    if (child !== undefined && child.incarnation === body.incarnation) parent!.signal({ type: 'childStarted', ref: child.ref, incarnation: body.incarnation });
  }

  #onChildExited(parent: Cell | undefined, key: string, body: ChildExitedBody<ExitReason>): void {
    const child = parent?.children.get(key);
    if (child === undefined || child.incarnation !== body.incarnation) return;
    parent!.children.delete(key);
    parent!.signal({ type: 'childExited', ref: child.ref, incarnation: body.incarnation, reason: body.reason });
  }

  watchOutside(ref: ActorRef<never>): Promise<ExitReason> {
    return new Promise((resolve) => {
      const key = refKey(ref);
      const waiting = this.#outsideWatchers.get(key);
      if (waiting === undefined) this.#outsideWatchers.set(key, { ref, tell: [resolve] });
      else waiting.tell.push(resolve);
      this.send(EnvelopeKind.watch, 0, ref.host, ref.cell, null, ref);
    });
  }

  watchHost(cell: Cell, host: number): void {
    const error = this.router.deadHost(host);
    if (error !== null) {
      cell.signal({ type: 'hostDown', host, error });
      return;
    }
    const watchers = this.#hostWatchers.get(host);
    if (watchers === undefined) this.#hostWatchers.set(host, new Set([cell]));
    else watchers.add(cell);
  }

  /** The cell has ended: it watches nothing any more, and has no credit to give. */
  forget(cell: Cell): void {
    for (const ref of cell.watching.values()) this.send(EnvelopeKind.unwatch, cell.ref.cell, ref.host, ref.cell, null);
    cell.watching.clear();
    // Its next life starts to count anew: the hosts are to ask again.
    for (const host of this.#creditHosts.get(cell.ref.cell)?.keys() ?? []) this.send(EnvelopeKind.credit, cell.ref.cell, host, 0, creditOver);
    this.#creditHosts.delete(cell.ref.cell);
    for (const watchers of this.#hostWatchers.values()) watchers.delete(cell);
  }

  hostDown(host: HostId, error: WireError): void {
    const system = this.#system;
    if (host === system.host || !this.router.markDead(host, error)) return;
    const reason: ExitReason = { type: 'hostDown', error };
    for (const cell of [...system.cells]) {
      for (const [key, ref] of cell.watching) if (ref.host === host) this.#onTerminated(cell, ref, reason, cell.ref.cell);
      for (const [key, watcher] of cell.watchers) if (watcher.host === host) cell.watchers.delete(key);
      for (const [key, child] of cell.children) if (child.ref.host === host) this.#onChildExited(cell, key, { incarnation: child.incarnation, reason });
      // Its supervisor died with that host: nobody else will end it.
      if (cell.parent?.host === host) cell.signal({ type: 'exit', reason: { type: 'shutdown' } });
    }
    for (const cell of this.#hostWatchers.get(host) ?? []) cell.signal({ type: 'hostDown', host, error });
    this.#hostWatchers.delete(host);
    system.asks.hostDown(host, error);
    for (const [, outside] of [...this.#outsideWatchers]) if (outside.ref.host === host) this.#onTerminated(undefined, outside.ref, reason, 0);
    for (const key of [...this.#credits.keys()]) if (key.startsWith(`${host}:`)) this.#credits.delete(key);
    for (const hosts of this.#creditHosts.values()) hosts.delete(host);
    for (const outlet of this.router.outlets()) outlet.push(EnvelopeKind.hostDown, system.host, 0, -1, 0, { host, error });
    system.scheduleDrain();
  }

  creditOf(ref: ActorRef<never>, from: Cell): number {
    const key = refKey(ref);
    const known = this.#credits.get(key);
    if (known !== undefined) return Math.max(0, known.limit - known.sent);
    if (this.router.to(ref.host) === null) return 0;
    this.#credits.set(key, { limit: firstCredit, sent: 0 });
    this.send(EnvelopeKind.creditAsk, from.ref.cell, ref.host, ref.cell, null, ref);
    return firstCredit;
  }

  /** The mailbox has room again: each host that has used half of its last share gets a new one. */
  grantCredit(cell: Cell): void {
    const hosts = this.#creditHosts.get(cell.ref.cell);
    if (hosts === undefined) return;
    for (const [host, state] of hosts) if ((state.limit - state.received) * 2 <= state.share) this.#grant(cell, host, state, hosts.size);
  }

  /** Credit is a limit on the count of all messages, not on those to come: what is under way needs no guess. */
  #grant(cell: Cell, host: number, state: { received: number; limit: number; share: number }, hosts: number): void {
    state.share = Math.max(1, Math.floor(cell.mailbox.room / hosts));
    state.limit = state.received + state.share;
    this.send(EnvelopeKind.credit, cell.ref.cell, host, 0, state.limit);
  }

  #onCreditAsk(cell: Cell, host: number): void {
    let hosts = this.#creditHosts.get(cell.ref.cell);
    if (hosts === undefined) this.#creditHosts.set(cell.ref.cell, (hosts = new Map()));
    const state = { received: 0, limit: 0, share: 0 };
    hosts.set(host, state);
    cell.mailbox.onRoom = () => this.grantCredit(cell);
    this.#grant(cell, host, state, hosts.size);
  }

  #onCredit(key: string, limit: number): void {
    const known = this.#credits.get(key);
    if (limit === creditOver) this.#credits.delete(key);
    else if (known !== undefined) known.limit = limit;
  }

  #countReceived(host: number, number: number): void {
    const state = this.#creditHosts.get(number)?.get(host);
    if (state !== undefined) state.received += 1;
  }

  #spendCredit(host: number, cell: number): void {
    const known = this.#credits.get(`${host}:${cell}`);
    if (known !== undefined) known.sent += 1;
  }
}

function refAt(host: number, cell: number): ActorRef<never> {
  return { host: host as HostId, cell, path: '' as ActorPath };
}

function noRoute(from: HostId, to: number): WireError {
  return toWireError(new MillraceError('HostGone', `Host ${from} knows no way to host ${to}: it is not connected, or its number is wrong.`, { details: { from, to } }));
}

export function unknownBehavior(name: string, host: HostId): MillraceError {
  return new MillraceError('UnknownBehavior', `Host ${host} knows no behaviour "${name}". Put it into the registry that its system was made with.`, { details: { name, host } });
}

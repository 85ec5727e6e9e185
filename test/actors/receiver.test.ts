/** A receiver that ends: what its source still says of itself is told, whatever made it end. */
import t from 'tap';
import { receiver } from '../../actors/receiver.ts';
import type { HostServices } from '../../actors/services.ts';
import { Receiver } from '../../lib/dstream/receiver.ts';
import { encodeRecord } from '../../protocol/codec.ts';
import { asProgramId, asStreamId } from '../../protocol/ids.ts';
import type { ReceiverSpec, Resume, ToReceiver } from '../../protocol/receiver.ts';
import type { WireError } from '../../protocol/errors.ts';
import { BlockMemory } from '../helpers/block-memory.ts';
import { FakeNet } from '../helpers/fake-net.ts';
import { stubServices } from '../helpers/stub-services.ts';
import { Driven, wireError } from '../helpers/stub-turn.ts';
import type { Told } from '../helpers/stub-turn.ts';

/** A receiver of a kind; what it tells itself is a message of its own, sent on by `settle` while it lives, as on a thread. */
function driven(kind: ReceiverSpec['kind'], factory?: () => unknown, { blocksInFlightMax = 64, resume = {} as Partial<Resume> } = {}) {
  const net = new FakeNet();
  const memory = new BlockMemory({ slabBytes: 65_536 });
  const outside: Told[] = [];
  const stub = stubServices();
  const services = {
    ...stub,
    net,
    pool: { ...stub.pool, openSlab: memory.open, allocate: memory.allocate },
    programs: new Map([[asProgramId(0), { factory: () => factory }]]),
    tell: (to: Told['to'], message: Told['message']) => void outside.push({ to, message }),
  } as unknown as HostServices;
  const spec = { program: asProgramId(0), stream: asStreamId(0), kind, host: 'localhost', port: 1, blockIntervalMs: 200, recordBytesMax: 100, restartDelayMs: 100, copies: null, blocksInFlightMax, operator: null } as unknown as ReceiverSpec;
  const behavior = receiver(services);
  const actor = new Driven(behavior, spec);
  actor.answer({ epoch: 1, lastAcknowledged: null, delayMs: 0, ...resume });
  const settle = (): void => {
    for (const { to, message } of outside.splice(0)) {
      if (message.type !== 'sourceEvent') actor.told.push({ to, message });
      else if (actor.stopped === null) actor.send(message as unknown as ToReceiver);
    }
  };
  settle();
  actor.take();
  /** The news of one end: what the tracker is told as errors. */
  const errors = (): unknown[] => {
    settle();
    return actor.take('receiverError').map(({ message, error, willRestart }) => [(error as { code: string | null } | null)?.code ?? message, willRestart]);
  };
  /** The blocks that were cut since the last call, by number. */
  const cut = (): { readonly sequence: number; readonly records: number; readonly position: Uint8Array | null; readonly epoch: number }[] => {
    settle();
    return actor.take('blockCut').map(({ cut }) => cut as never);
  };
  const settled = (sequence: number, error: WireError | null = null): void => {
    actor.send({ type: 'blockSettled', epoch: 1, sequence, error });
    settle();
  };
  return { actor, net, settle, errors, cut, settled };
}

/**
 * Bug: a last line over the bound, without a line's end, was left out and nobody was told.
 * Conditions: the source finds it when it ends; the report was a message to the receiver, which had ended by then.
 * Plan: an overlong last line, and the server closes; and the same, where a graceful stop ends the intake.
 */
t.test('a last line over the record bound is told when the connection closes, and when the intake ends', (t) => {
  const closed = driven('socketText');
  closed.net.send(`ok\n${'x'.repeat(101)}`);
  closed.net.close();
  closed.settle();
  t.same(closed.errors(), [['localhost:1 has closed the connection', true], ['RecordTooLarge', false]]);
  t.equal(closed.actor.stopped, null, 'it waits for the last block');
  closed.settled(0);
  t.ok(closed.actor.stopped !== null);

  const stopped = driven('socketText');
  stopped.net.send('y'.repeat(101));
  stopped.actor.send({ type: 'endIntake', replyTo: stopped.actor.replyTo(1) });
  t.same(stopped.errors(), [['RecordTooLarge', false]]);
  t.equal(stopped.actor.take('drained').length, 1);
  t.end();
});

/** Bug, conditions: as above, by an onStop that throws and by a record that can't be encoded in the last block. */
t.test('what a user\'s receiver does wrong while it ends is told, and the records before it are handed over', (t) => {
  class Bad extends Receiver<unknown> {
    override onStart(): void {
      this.store(1);
      this.store(() => 2);
    }
    override onStop(): void {
      throw new Error('no stop');
    }
  }
  for (const message of [{ type: 'endIntake', replyTo: { host: 9, cell: 9, ask: 1 } }, { type: 'sourceEvent', event: { type: 'restart', message: 'again', error: null, delayMs: null } }, { type: 'sourceEvent', event: { type: 'stopped', message: 'bye' } }] as unknown as ToReceiver[]) {
    const bad = driven('custom', () => new Bad());
    // Stored in onStart, cut by nobody yet.
    bad.actor.send(message);
    t.same(bad.cut().map(({ records }) => records), [1]);
    const told = bad.errors().filter((error) => (error as [string])[0] !== 'again');
    t.same(told, [['onStop threw', false], ['RecordNotSerializable', false]]);
  }
  t.end();
});

/** Bug, conditions: as above, by a decoder whose end() throws; it also said that the receiver would start again. */
t.test('a decoder that throws at the connection\'s end is told as lost, and starts nothing again', (t) => {
  const decoder = { decode: (bytes: Uint8Array) => [...bytes], end: () => { throw new Error('half a record'); } };
  const ended = driven('socketDecoder', () => decoder);
  ended.net.send(Uint8Array.of(1, 2));
  ended.actor.send({ type: 'endIntake', replyTo: ended.actor.replyTo(1) });
  t.same(ended.errors(), [['ReceiverFailed', false]]);
  t.equal(ended.actor.stopped, null, 'it lives on until the tree is taken down');
  t.end();
});

class Storing extends Receiver<number, number> {
  readonly said: string[] = [];
  override onStart(): void {
    this.said.push(`from ${this.lastAcknowledged}`);
  }
  override onStop(): void {}
  put(records: readonly number[], position?: number): void {
    this.storeBatch(records, position === undefined ? {} : { position }).then(
      () => this.said.push(`stored ${records}`),
      (error: { readonly code: string }) => this.said.push(`${error.code} ${records}`),
    );
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

t.test('a receiver starts behind what was acknowledged, after the delay that it is given, and each batch settles with its block', async (t) => {
  const user = new Storing();
  const { actor, cut, settled, settle } = driven('custom', () => user, { resume: { lastAcknowledged: encodeRecord(17), delayMs: 50 } });
  t.same([user.said, actor.timers.get('start')], [[], { delayMs: 50, message: { type: 'startNow' } }]);
  actor.send({ type: 'startNow' });
  t.same(user.said, ['from 17']);
  user.put([1, 2], 19);
  settle();
  user.put([3]);
  t.match(cut(), [{ epoch: 1, sequence: 0, records: 2, position: encodeRecord(19) }, { sequence: 1, records: 1, position: null }]);
  settled(1);
  settled(0);
  actor.send({ type: 'blockSettled', epoch: 1, sequence: 0, error: null });
  await turn();
  t.same(user.said.slice(1), ['stored 3', 'stored 1,2']);
});

t.test('a block that is refused ends this life: its batch is not to be acknowledged, nor one behind it; the loss is told', async (t) => {
  const user = new Storing();
  const { actor, settled, settle, errors } = driven('custom', () => user);
  user.put([1, 2]);
  settle();
  user.put([3]);
  settled(0, wireError('no room', 'BlockNotStored'));
  t.match(actor.take('blocksRefused'), [{ records: 2 }]);
  t.same(errors(), [['BlockNotStored', true]]);
  t.equal(actor.stopped, null);
  settled(1, wireError('no room', 'BlockNotStored'));
  await turn();
  t.same(user.said.slice(1), ['BlockNotStored 1,2', 'BlockNotStored 3']);
  t.equal(actor.stopped?.type, 'error');
  t.match(actor.take('blocksRefused'), [{ records: 1 }]);
});

t.test('a receiver that ends waits for its last blocks, and acknowledges them; one that waits in vain says that they are not stored', async (t) => {
  const [orderly, vain] = [new Storing(), new Storing()];
  const one = driven('custom', () => orderly);
  orderly.put([1]);
  orderly.restart('again', undefined, 300);
  one.settle();
  one.settled(0);
  await turn();
  t.same([orderly.said.slice(1), one.actor.stopped], [['stored 1'], null], 'the delay is not over');
  one.actor.send({ type: 'restartNow' });
  t.equal(one.actor.stopped?.type, 'error');

  const two = driven('custom', () => vain);
  vain.put([1]);
  vain.stop('enough', new Error('of it'));
  two.settle();
  t.same(two.actor.take('receiverStopped'), [], 'not yet');
  two.actor.send({ type: 'settleOver' }).end();
  await turn();
  t.same(vain.said.slice(1), ['BlockNotStored 1']);
  t.match(two.actor.take('receiverStopped'), [{ message: 'enough', error: { message: 'of it' } }]);
});

t.test('over the bound of blocks under way a socket is read no further, until one is settled', (t) => {
  const { actor, net, cut, settled } = driven('socketText', undefined, { blocksInFlightMax: 2 });
  for (const line of ['a\n', 'b\n']) {
    net.send(line);
    actor.send({ type: 'cutBlock' });
  }
  t.equal(cut().length, 2);
  net.send('c\n');
  t.equal(net.paused, true, 'the read that may have been under way is taken, and no more');
  actor.send({ type: 'cutBlock' });
  t.same(cut(), [], 'the open block waits');
  settled(0);
  t.equal(net.paused, false);
  t.match(cut(), [{ sequence: 2, records: 1 }]);
  t.end();
});

t.test('the tracker that does not answer, or refuses the start, ends this life before the source has begun', (t) => {
  const user = new Storing();
  const net = new FakeNet();
  const services = { ...stubServices(), net, programs: new Map([[asProgramId(0), { factory: () => () => user }]]), tell: () => {} } as unknown as HostServices;
  const actor = new Driven(receiver(services), { program: asProgramId(0), stream: asStreamId(0), kind: 'custom', blocksInFlightMax: 1 } as ReceiverSpec);
  actor.send({ type: 'cutBlock' }, { type: 'flushBlock', replyTo: actor.replyTo(1) });
  t.ok(actor.replies.has(1), 'there is nothing to hand over');
  actor.fail(wireError('late', 'AskTimeout'));
  t.match(actor.stopped, { type: 'error', error: { code: 'AskTimeout' } });
  t.same(user.said, []);
  t.end();
});

/** A receiver that ends: what its source still says of itself is told, whatever made it end. */
import t from 'tap';
import { receiver } from '../../actors/receiver.ts';
import type { HostServices } from '../../actors/services.ts';
import { Receiver } from '../../lib/dstream/receiver.ts';
import { asProgramId, asStreamId } from '../../protocol/ids.ts';
import type { ReceiverSpec, ToReceiver } from '../../protocol/receiver.ts';
import { BlockMemory } from '../helpers/block-memory.ts';
import { FakeNet } from '../helpers/fake-net.ts';
import { stubServices } from '../helpers/stub-services.ts';
import { Driven } from '../helpers/stub-turn.ts';
import type { Told } from '../helpers/stub-turn.ts';

/** A receiver of a kind; what it tells itself is a message of its own, sent on by `settle` while it lives, as on a thread. */
function driven(kind: ReceiverSpec['kind'], factory?: () => unknown) {
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
  const spec = { program: asProgramId(0), stream: asStreamId(0), kind, host: 'localhost', port: 1, blockIntervalMs: 200, recordBytesMax: 100, restartDelayMs: 100 } as ReceiverSpec;
  const behavior = receiver(services);
  const actor = new Driven(behavior, spec);
  /** `startSource`, which the stub performs after a message only. */
  actor.send({ type: 'cutBlock' });
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
  return { actor, net, settle, errors };
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
    // Stored in onStart, cut by nobody yet: see `driven`, which starts the source after its first cut.
    bad.actor.send(message);
    t.same(bad.actor.take('blockCut').map(({ records }) => records), [1]);
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

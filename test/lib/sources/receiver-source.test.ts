/** A user's receiver, and the contract that it is given: attach, start, store, stop. */
import t from 'tap';
import { Receiver } from '../../../lib/dstream/receiver.ts';
import { ReceiverSource } from '../../../lib/sources/receiver-source.ts';
import type { SourceEvent, SourceReport } from '../../../protocol/receiver.ts';
import { asStreamId } from '../../../protocol/ids.ts';
import { BlockMemory } from '../../helpers/block-memory.ts';

class Probe extends Receiver<unknown> {
  readonly calls: string[] = [];

  override onStart(): void {
    this.calls.push(`onStart started=${this.isStarted()} stream=${this.streamId}`);
  }

  override onStop(): void {
    this.calls.push(`onStop stopped=${this.isStopped()}`);
  }
}

function bench(receiver: Receiver<unknown> = new Probe(), options: { readonly slabsMax?: number; readonly recordsMax?: number } = {}) {
  const memory = new BlockMemory(options.slabsMax === undefined ? {} : { slabsMax: options.slabsMax });
  const events: (SourceEvent | SourceReport)[] = [];
  const source = new ReceiverSource({ stream: asStreamId(3), make: () => receiver, emit: (event) => void events.push(event), allocate: memory.allocate, blockBytesMax: 1_000_000, recordBytesMax: 1_000_000, recordsMax: options.recordsMax ?? 100 });
  return { memory, events, source };
}

async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  void promise.then(() => (done = true));
  await new Promise((resolve) => setImmediate(resolve));
  return done;
}

t.test('a receiver is attached, started, stopped, in this order', (t) => {
  const receiver = new Probe();
  const { source, memory } = bench(receiver);
  source.start();
  receiver.store('a');
  receiver.store('b');
  t.same(memory.records(source.cut()), [['a', 'b']]);
  receiver.store('c');
  t.same(memory.records(source.end()), [['c']], 'what was stored last is handed over');
  t.same(receiver.calls, ['onStart started=true stream=3', 'onStop stopped=true']);
  receiver.store('late');
  t.same(source.cut(), [], 'what comes after the end is no record');
  t.end();
});

t.test('store gives a promise only at the bound, which settles when the block has been handed over', async (t) => {
  const receiver = new Probe();
  const { source, events } = bench(receiver, { recordsMax: 2 });
  source.start();
  t.equal(receiver.store(1), undefined);
  const full = receiver.store(2);
  t.ok(full instanceof Promise);
  t.match(events, [{ type: 'blockFull' }]);
  t.equal(await settled(full as Promise<void>), false);
  source.cut();
  t.equal(await settled(full as Promise<void>), true);
});

t.test('storeBatch settles with the cut that has its records, and not before there is memory', async (t) => {
  const receiver = new Probe();
  const { source, memory } = bench(receiver, { slabsMax: 0 });
  source.start();
  const stored = receiver.storeBatch(['a', 'b']);
  t.same(source.cut(), []);
  t.equal(await settled(stored), false, 'it lies nowhere yet: it must not be acknowledged');
  memory.slabsMax = 1;
  t.same(memory.records(source.cut()), [['a', 'b']]);
  t.equal(await settled(stored), true);
});

t.test('a record that can\'t be encoded is reported once; the others, and those after it, come', (t) => {
  const receiver = new Probe();
  const { source, memory, events } = bench(receiver);
  source.start();
  for (const record of ['a', () => 1, 'b']) receiver.store(record);
  t.same(memory.records(source.cut()), [['a', 'b']]);
  receiver.store('c');
  t.same(memory.records(source.cut()), [['c']]);
  t.match(events, [{ type: 'reported', message: /1 received record could not be encoded and was left out/, error: { code: 'RecordNotSerializable' } }]);
  t.end();
});

t.test('what a receiver says becomes events', (t) => {
  const receiver = new Probe();
  const { source, events } = bench(receiver);
  source.start();
  receiver.reportError('odd', new Error('why'));
  receiver.restart('again', undefined, 50);
  receiver.stop('enough');
  t.match(events, [
    { type: 'reported', message: 'odd', error: { message: 'why' } },
    { type: 'restart', message: 'again', error: null, delayMs: 50 },
    { type: 'stopped', message: 'enough' },
  ]);
  t.end();
});

t.test('what onStop throws is reported, and the last block is handed over all the same', (t) => {
  const receiver = new (class extends Probe {
    override onStop(): void {
      throw new Error('no end');
    }
  })();
  const { source, memory, events } = bench(receiver);
  source.start();
  receiver.store(1);
  t.same(memory.records(source.end()), [[1]]);
  t.match(events, [{ type: 'reported', error: { message: 'no end' } }]);
  t.end();
});

/** Bug: the rejection of an onStart that was async by mistake was nobody's, and ended the io thread. */
t.test('an async onStart that rejects fails the receiver, not its thread', async (t) => {
  const receiver = new (class extends Probe {
    override async onStart(): Promise<void> {
      throw new Error('no server');
    }
  })();
  const { source, events } = bench(receiver);
  source.start();
  await settled(Promise.resolve());
  t.match(events, [{ type: 'failed', error: { message: 'no server' } }]);
});

t.test('a factory that returns no receiver is told what was expected', (t) => {
  const { source } = bench({ nothing: true } as never);
  t.throws(() => source.start(), { code: 'InvalidArgument', message: /Expected the factory given to receiverStream to return a Receiver/ });
  t.same(source.end(), [], 'and can be ended');
  t.end();
});

t.test('a receiver that was never started can\'t store', (t) => {
  t.throws(() => new Probe().store(1), { code: 'NotInitialized' });
  t.equal(new Probe().isStopped(), true);
  t.end();
});

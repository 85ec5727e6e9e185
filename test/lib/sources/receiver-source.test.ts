/** A user's receiver, and the contract that it is given: attach, start, store, stop. */
import t from 'tap';
import { Receiver } from '../../../lib/dstream/receiver.ts';
import { ReceiverSource } from '../../../lib/sources/receiver-source.ts';
import type { SourceEvent, SourceReport } from '../../../protocol/receiver.ts';
import { asStreamId } from '../../../protocol/ids.ts';
import { decodeRecord, encodeRecord } from '../../../protocol/codec.ts';
import type { SourceBlock } from '../../../lib/sources/source.ts';
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
  const source = new ReceiverSource({ stream: asStreamId(3), make: () => receiver, emit: (event) => void events.push(event), allocate: memory.allocate, blockBytesMax: 1_000_000, recordBytesMax: 1_000_000, recordsMax: options.recordsMax ?? 100, blocksInFlightMax: 1 });
  return { memory, events, source };
}

async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  promise.then(() => (done = true), () => {});
  await new Promise((resolve) => setImmediate(resolve));
  return done;
}

t.test('a receiver is attached, started, stopped, in this order', (t) => {
  const receiver = new Probe();
  const { source, memory } = bench(receiver);
  source.start(null);
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

t.test('store gives a promise only while so many blocks are under way, which settles when the record is stored', async (t) => {
  const receiver = new Probe();
  const { source, events, memory } = bench(receiver, { recordsMax: 2 });
  source.start(null);
  t.equal(receiver.store(1), undefined);
  const full = receiver.store(2);
  t.ok(full instanceof Promise, 'the bound is one block');
  t.match(events, [{ type: 'blockFull' }]);
  const open = receiver.store(3) as Promise<void>;
  t.same(memory.records(source.cut().slice(0, 1)), [[1, 2]]);
  t.equal(await settled(full as Promise<void>), false, 'cut is not stored');
  source.stored(0);
  t.equal(await settled(full as Promise<void>), true);
  t.equal(await settled(open), false, 'it lies in the next block');
  source.stored(1);
  t.equal(await settled(open), true);
  t.equal(receiver.store(4), undefined, 'and there is room again');
  source.holdBack(true);
  t.ok(receiver.store(5) instanceof Promise);
});

t.test('storeBatch asks for a cut, and settles with its own block, whatever becomes of others', async (t) => {
  const receiver = new Probe();
  const { source, memory, events } = bench(receiver);
  source.start(null);
  const [one, two] = [receiver.storeBatch(['a', 'b']), receiver.storeBatch(['c'])];
  t.match(events, [{ type: 'blockFull' }], 'once for what is stored in a turn');
  t.same(memory.records(source.cut()), [['a', 'b', 'c']]);
  const three = receiver.storeBatch(['d']);
  t.same(memory.records(source.cut()), [['d']]);
  source.stored(1);
  t.same([await settled(one), await settled(two), await settled(three)], [false, false, true]);
  source.refused(0, new Error('no'));
  await t.rejects(one, { message: 'no' });
  await t.rejects(two, { message: 'no' });
});

t.test('storeBatch does not settle before there is memory; at the end what has none is not stored', async (t) => {
  const receiver = new Probe();
  const { source, memory } = bench(receiver, { slabsMax: 0 });
  source.start(null);
  const stored = receiver.storeBatch(['a', 'b']);
  t.same(source.cut(), []);
  source.stored(0);
  t.equal(await settled(stored), false, 'it lies nowhere yet: it must not be acknowledged');
  memory.slabsMax = 1;
  t.same(memory.records(source.cut()), [['a', 'b']]);
  source.stored(0);
  t.equal(await settled(stored), true);
  const last = receiver.storeBatch(['c']);
  t.same(source.end(), []);
  await t.rejects(last, { code: 'BlockNotStored', message: /no memory.*Don't acknowledge/ });
  await t.rejects(receiver.storeBatch(['late']), { code: 'BlockNotStored', message: /has stopped/ });
});

t.test('a position comes with the block that has its last record, and the next life is told it', async (t) => {
  const receiver = new Probe();
  const { source, memory } = bench(receiver, { recordsMax: 2 });
  source.start(encodeRecord({ offset: 40 }));
  t.same(receiver.lastAcknowledged, { offset: 40 });
  const stored = receiver.storeBatch(['a', 'b', 'c'], { position: { offset: 43 } });
  void receiver.storeBatch(['d', 'e'], { position: { offset: 45 } });
  const blocks = source.cut();
  t.same(memory.records(blocks), [['a', 'b'], ['c', 'd'], ['e']]);
  t.same(blocks.map(({ position }) => position && decodeRecord(position)), [null, { offset: 43 }, { offset: 45 }]);
  source.stored(0);
  t.equal(await settled(stored), false);
  source.stored(1);
  t.equal(await settled(stored), true);
  t.end();
});

t.test('a position whose records were all refused, or that has none, comes with an empty block', async (t) => {
  const receiver = new Probe();
  const { source, memory } = bench(receiver);
  source.start(null);
  const refused = receiver.storeBatch(['a', () => 1]);
  const none = receiver.storeBatch([() => 2], { position: 7 });
  const [first, ...more] = source.cut();
  t.same([memory.records([first as SourceBlock]), more], [[['a']], []], 'behind records it needs no block of its own');
  t.equal(decodeRecord((first as SourceBlock).position as Uint8Array), 7);
  source.stored(0);
  t.same([await settled(refused), await settled(none)], [true, true]);
  const empty = receiver.storeBatch([], { position: 8 });
  t.match(source.cut(), [{ place: null, records: 0, position: encodeRecord(8) }]);
  source.stored(1);
  t.equal(await settled(empty), true);
});

t.test('a position that is too large, or no record, is refused, and nothing of its batch is stored', async (t) => {
  const receiver = new Probe();
  const { source } = bench(receiver);
  source.start(null);
  await t.rejects(receiver.storeBatch(['a'], { position: 'x'.repeat(5_000) }), { code: 'InvalidArgument', message: /at most 4096 bytes; got one of 50/ });
  await t.rejects(receiver.storeBatch(['a'], { position: () => 1 }), { code: 'InvalidArgument' });
  t.same(source.cut(), []);
});

t.test('a record that can\'t be encoded is reported once; the others, and those after it, come', (t) => {
  const receiver = new Probe();
  const { source, memory, events } = bench(receiver);
  source.start(null);
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
  source.start(null);
  receiver.reportError('odd', new Error('why'));
  receiver.restart('again', undefined, 50);
  receiver.stop('enough', new Error('of it'));
  t.match(events, [
    { type: 'reported', message: 'odd', error: { message: 'why' } },
    { type: 'restart', message: 'again', error: null, delayMs: 50 },
    { type: 'stopped', message: 'enough', error: { message: 'of it' } },
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
  source.start(null);
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
  source.start(null);
  await settled(Promise.resolve());
  t.match(events, [{ type: 'failed', error: { message: 'no server' } }]);
});

t.test('a factory that returns no receiver is told what was expected', (t) => {
  const { source } = bench({ nothing: true } as never);
  t.throws(() => source.start(null), { code: 'InvalidArgument', message: /Expected the factory given to receiverStream to return a Receiver/ });
  t.same(source.end(), [], 'and can be ended');
  t.end();
});

t.test('a receiver that was never started can\'t store', (t) => {
  t.throws(() => new Probe().store(1), { code: 'NotInitialized' });
  t.equal(new Probe().isStopped(), true);
  t.end();
});

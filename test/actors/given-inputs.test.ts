/** What the app gives when memory is short: in the order in which it came, each answered once, with its place or with why not. */
import t from 'tap';
import { nothingGiven, onGiven, onRoomForInput } from '../../actors/given-inputs.ts';
import type { GivenInputs, Intake } from '../../actors/given-inputs.ts';
import type { HostProgram } from '../../actors/programs.ts';
import type { Behavior, Turn } from '../../lib/actor/behavior.ts';
import { memoryWaitsMax } from '../../lib/rdd/job-state.ts';
import { noRoomFor } from '../../lib/storage/late-records.ts';
import type { ToJobGenerator } from '../../protocol/batch.ts';
import { asProgramId } from '../../protocol/ids.ts';
import { Driven } from '../helpers/stub-turn.ts';

/** A program with room for so many bytes. */
class Setting {
  room: number;
  readonly taken: string[] = [];
  readonly driven: Driven<GivenInputs, ToJobGenerator, undefined>;
  #asks = 0;

  constructor(room: number, isDurable = false) {
    this.room = room;
    const take = (what: string, bytes: number): void => {
      if (bytes > this.room) throw noRoomFor(bytes, 1_000);
      this.room -= bytes;
      this.taken.push(what);
    };
    const program: Partial<HostProgram> = {
      program: asProgramId(0),
      push: (queue, [partition]) => (take(`push ${queue}`, partition!.bytes.length), { item: 7 }),
      setBroadcast: (broadcast, value) => (take(`set ${broadcast}`, value.length), { version: 2 }),
      isOverBound: () => false,
    };
    const to: Intake = { program: program as HostProgram, isDurable, options: { actionTimeoutMs: 600_000 } };
    const receive = (state: GivenInputs, message: ToJobGenerator, turn: Turn<ToJobGenerator>): GivenInputs => {
      if (message.type === 'queuePushed' || message.type === 'broadcastSet') return onGiven(state, to, message, turn);
      return message.type === 'roomForInput' ? onRoomForInput(state, to, message.made, turn) : state;
    };
    this.driven = new Driven({ name: 'intake', init: () => nothingGiven, receive } as Behavior<GivenInputs, ToJobGenerator, undefined>, undefined);
  }

  push(queue: number, bytes: number): number {
    const ask = (this.#asks += 1);
    this.driven.send({ type: 'queuePushed', queue, partitions: [{ bytes: new Uint8Array(bytes), records: 1 }], replyTo: this.driven.replyTo(ask) });
    return ask;
  }

  set(broadcast: number, bytes: number): number {
    const ask = (this.#asks += 1);
    this.driven.send({ type: 'broadcastSet', broadcast, value: new Uint8Array(bytes), replyTo: this.driven.replyTo(ask) });
    return ask;
  }

  /** The task scheduler answers; what it was asked for. */
  made(made: boolean, more = 0): number {
    this.room += more;
    const asked = this.driven.asked.find(({ message }) => message.type === 'makeRoom')!;
    this.driven.answer({ made }, (one) => one === asked);
    return asked.message['bytes'] as number;
  }

  answered(ask: number): unknown {
    return this.driven.replies.get(ask);
  }
}

t.test('what finds no room waits for it, and all that comes later waits behind it, also what would have fitted', (t) => {
  const setting = new Setting(10);
  const asks = [setting.push(0, 8), setting.push(0, 5), setting.push(1, 1), setting.set(0, 1), setting.push(0, 9)];
  t.same(setting.taken, ['push 0']);
  t.equal(setting.driven.asked.length, 1, 'room is asked for once, for the first one');
  t.equal(setting.made(true, 3), 5);
  t.same(setting.taken, ['push 0', 'push 0'], 'it has its place, and the next one waits in its stead');
  t.equal(setting.made(true, 2), 1);
  t.same(setting.taken, ['push 0', 'push 0', 'push 1', 'set 0']);
  t.same(asks.map((ask) => setting.answered(ask)), [null, null, null, null, undefined]);
  t.equal(setting.made(true, 9), 9);
  t.same([setting.answered(asks[4]!), setting.driven.state], [null, nothingGiven]);
  t.end();
});

t.test('where nothing can make room it is tried once more, then refused, and those behind it have their turn', (t) => {
  const setting = new Setting(5);
  const [large, small] = [setting.push(0, 6), setting.push(0, 5)];
  setting.made(false);
  t.match(setting.answered(large), { code: 'BlockMemoryExhausted' });
  t.equal(setting.answered(small), null);
  const freed = setting.push(0, 6);
  setting.made(false, 6);
  t.equal(setting.answered(freed), null, 'what others had given back was enough');
  t.end();
});

t.test('rounds that free too little end with the refusal, after memoryWaitsMax of them', (t) => {
  const setting = new Setting(0);
  const ask = setting.push(0, 5);
  for (let wait = 0; wait < memoryWaitsMax; wait += 1) {
    t.equal(setting.answered(ask), undefined);
    setting.made(true);
  }
  t.match(setting.answered(ask), { code: 'BlockMemoryExhausted' });
  t.same([setting.driven.asked, setting.taken], [[], []]);
  t.end();
});

t.test('with a log it is written down when it has its place, and one that was refused never is', (t) => {
  const setting = new Setting(5, true);
  const asks = [setting.push(0, 6), setting.set(3, 5)];
  t.same(setting.driven.asked.map(({ message }) => message.type), ['makeRoom']);
  setting.made(false);
  t.match(setting.driven.asked, [{ message: { type: 'logEvent', event: { type: 'broadcastSet', broadcast: 3, version: 2 } } }]);
  t.match(asks.map((ask) => setting.answered(ask)), [{ code: 'BlockMemoryExhausted' }, undefined]);
  t.end();
});

/** The bound of a mailbox and its three policies, alone and at an actor. */
import t from 'tap';
import type { ExitReason, MailboxSpec } from '../../../lib/actor/behavior.ts';
import { Mailbox, nothing } from '../../../lib/actor/mailbox.ts';
import { actor, bench, shown } from './helpers.ts';

t.test('a mailbox gives back what was put, in order, with the age of the oldest', (t) => {
  const mailbox = new Mailbox();
  for (let number = 0; number < 50; number += 1) mailbox.put(number, number * 10.5);
  t.equal(mailbox.oldestAtMs, 0);
  for (let number = 0; number < 20; number += 1) t.equal(mailbox.take(), number);
  t.equal(mailbox.oldestAtMs, 210);
  mailbox.putBack(['a', 'b'], 999);
  t.equal(mailbox.depth, 32);
  t.same([mailbox.take(), mailbox.take(), mailbox.take()], ['a', 'b', 20]);
  t.equal(mailbox.drain().length, 29);
  t.equal(mailbox.take(), nothing);
  t.equal(mailbox.oldestAtMs, null);
  t.end();
});

for (const [overflow, results] of [
  ['deadLetter', ['taken', 'taken', 'deadLetter', 'deadLetter']],
  ['fail', ['taken', 'taken', 'fail', 'fail']],
  ['credit', ['taken', 'taken', 'taken', 'taken', 'taken', 'taken', 'deadLetter']],
] as const) {
  t.test(`${overflow}: a mailbox of 2 answers ${results.join(', ')}`, (t) => {
    const mailbox = new Mailbox({ messagesMax: 2, overflow });
    t.same(results.map((_, index) => mailbox.put(index, 0)), results);
    const depth = mailbox.depth;
    mailbox.putAlways('outcome', 0);
    t.equal(mailbox.depth, depth + 1, 'what the actor asked for itself is always taken');
    t.end();
  });
}

function flooded(mailbox: MailboxSpec): { readonly handled: number; readonly deadLetters: number; readonly exit: string } {
  const { system, run } = bench();
  let handled = 0;
  let exit: ExitReason | null = null;
  const sink = system.spawn<number>('/sink', actor<number>((state) => { handled += 1; return state; }, { mailbox }), undefined, { onExit: (reason) => void (exit = reason) });
  for (let number = 0; number < 10; number += 1) system.tell(sink, number);
  run();
  return { handled, deadLetters: system.deadLetters.count, exit: exit === null ? 'lives' : shown(exit) };
}

t.test('ten messages at once to a mailbox of four, by policy', (t) => {
  t.same(flooded({ messagesMax: 4, overflow: 'deadLetter' }), { handled: 4, deadLetters: 6, exit: 'lives' });
  t.same(flooded({ messagesMax: 4, overflow: 'fail' }), { handled: 0, deadLetters: 10, exit: 'error: MailboxOverflow' });
  t.same(flooded({ messagesMax: 4, overflow: 'credit' }), { handled: 10, deadLetters: 0, exit: 'lives' });
  t.end();
});

t.test('a sender that heeds its credit never passes the bound', (t) => {
  const { system, run } = bench();
  const depths: number[] = [];
  let handled = 0;
  const sink = system.spawn<number>('/sink', actor<number>((state) => { handled += 1; return state; }, { mailbox: { messagesMax: 8, overflow: 'credit' } }), undefined);
  const source = system.spawn<number>('/source', actor<number>((state, left, turn) => {
    let sent = 0;
    while (turn.credit(sink) > 0 && sent < left) {
      turn.tell(sink, sent);
      sent += 1;
    }
    depths.push(sent);
    if (left > sent) turn.tell(turn.self, left - sent);
    return state;
  }), undefined);
  system.tell(source, 100);
  run();
  t.equal(handled, 100);
  t.equal(system.deadLetters.count, 0);
  t.ok(depths.every((sent) => sent <= 8), `sends of ${depths.join(' ')}`);
  t.end();
});

t.test('a signal is taken by a full mailbox', async (t) => {
  const { system, run } = bench();
  const sink = system.spawn<number>('/sink', actor<number>((state) => state, { mailbox: { messagesMax: 1, overflow: 'deadLetter' } }), undefined);
  run();
  system.tell(sink, 1);
  const ended = system.stop(sink, 10);
  run();
  t.equal((await ended).type, 'shutdown');
});

/** The ring against a plain array. */
import t from 'tap';
import fc from 'fast-check';
import { RingQueue } from '../../../lib/base/ring-queue.ts';

t.test('it does what an array does, whatever the order of calls', (t) => {
  const command = fc.oneof(fc.record({ type: fc.constantFrom('push' as const, 'unshift' as const), value: fc.nat() }), fc.record({ type: fc.constantFrom('shift' as const, 'clear' as const) }));
  fc.assert(fc.property(fc.array(command, { maxLength: 200 }), (commands) => {
    const ring = new RingQueue<number>({ capacity: 2 });
    const model: number[] = [];
    for (const step of commands) {
      if (step.type === 'push') { ring.push(step.value); model.push(step.value); }
      else if (step.type === 'unshift') { ring.unshift(step.value); model.unshift(step.value); }
      else if (step.type === 'clear') { ring.clear(); model.length = 0; }
      else if (ring.shift() !== model.shift()) return false;
      if (ring.length !== model.length || ring.at(0) !== model[0] || ring.at(model.length - 1) !== model.at(-1)) return false;
    }
    return JSON.stringify([...ring]) === JSON.stringify(model);
  }));
  t.end();
});

t.test('at its bound it refuses and is unchanged', (t) => {
  const ring = new RingQueue<string>({ lengthMax: 2 });
  t.same([ring.push('a'), ring.push('b'), ring.push('c')], [true, true, false]);
  t.same([...ring], ['a', 'b']);
  ring.shift();
  t.equal(ring.push('d'), true);
  t.end();
});

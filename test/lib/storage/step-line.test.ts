/** Groups of things that go through steps in order. */
import t from 'tap';
import { StepLine } from '../../../lib/storage/step-line.ts';

function lineOf(...items: readonly string[]): StepLine<string> {
  const line = new StepLine<string>(2);
  for (const item of items) line.enter(item);
  return line;
}

t.test('a step takes all that is ready as one group, and none while it is at work', (t) => {
  const line = lineOf('a', 'b');
  const first = line.begin(0);
  t.same(first?.items, ['a', 'b']);
  line.enter('c');
  t.equal(line.begin(0), null);
  t.same(line.end(0, first?.id ?? -1), [], 'there is a step to come');
  t.same(line.begin(0)?.items, ['c']);
  const second = line.begin(1);
  t.same(line.end(1, second?.id ?? -1), ['a', 'b']);
  t.same([...line.items()], ['c']);
  t.end();
});

t.test('a step that fails takes along all that is behind it, in order, and nothing that is ahead', (t) => {
  const line = lineOf('a');
  line.end(0, line.begin(0)?.id ?? -1);
  const ahead = line.begin(1);
  line.enter('b');
  line.end(0, line.begin(0)?.id ?? -1);
  line.enter('c');
  const failing = line.begin(0);
  line.enter('d');
  t.same(line.fail(0, failing?.id ?? -1), ['c', 'd']);
  t.same([...line.items()], ['a', 'b']);
  t.same(line.fail(1, ahead?.id ?? -1), ['a', 'b']);
  t.equal(line.isEmpty, true);
  t.end();
});

t.test('an answer that comes after its group has failed is nobody\'s', (t) => {
  const line = lineOf('a');
  const old = line.begin(0);
  line.fail(0, old?.id ?? -1);
  line.enter('b');
  line.begin(0);
  t.same([line.end(0, old?.id ?? -1), line.fail(0, old?.id ?? -1), line.groupAt(0, old?.id ?? -1)], [[], [], null]);
  t.same([...line.items()], ['b']);
  t.end();
});

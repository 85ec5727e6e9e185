/** Groups of things that go through steps in order. */
import t from 'tap';
import { StepLine } from '../../../lib/storage/step-line.ts';

function lineOf(...items: readonly string[]): StepLine<string> {
  const line = new StepLine<string>([1, 1]);
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

t.test('a step that is wide works on many groups; they leave it in order, whichever is done first', (t) => {
  const line = new StepLine<string>([1, 2]);
  const groups = ['a', 'b', 'c'].map((item) => {
    line.enter(item);
    line.end(0, line.begin(0)?.id ?? -1);
    return line.begin(1);
  });
  t.same(groups.map((group) => group?.items), [['a'], ['b'], undefined], 'as wide as it is');
  const [first, second] = groups.map((group) => group?.id ?? -1);
  t.same(line.end(1, second ?? -1), [], 'one before it is not done');
  t.equal(line.groupAt(1, second ?? -1), null);
  t.same(line.begin(1), null, 'and it still has its place');
  t.same(line.end(1, first ?? -1), ['a', 'b']);
  t.same(line.begin(1)?.items, ['c']);
  t.end();
});

t.test('where one of many fails, those that began after it go with it, done or not; those before it go on', (t) => {
  const line = new StepLine<string>([1, 3]);
  const [first, second, third] = ['a', 'b', 'c'].map((item) => {
    line.enter(item);
    line.end(0, line.begin(0)?.id ?? -1);
    return line.begin(1)?.id ?? -1;
  });
  line.enter('d');
  line.end(1, third ?? -1);
  t.same(line.fail(1, second ?? -1), ['b', 'c', 'd']);
  t.same(line.fail(1, third ?? -1), [], 'it has gone');
  t.same(line.end(1, first ?? -1), ['a']);
  t.equal(line.isEmpty, true);
  t.end();
});

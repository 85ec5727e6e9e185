/** Who waits for room in shared memory, and when each leaves the line. */
import t from 'tap';
import { RoomLine } from '../../../lib/storage/room-line.ts';
import type { RoomWanted } from '../../../lib/storage/room-line.ts';

const slabBytes = 1_000;
const names = (left: readonly RoomWanted<string>[]): string => left.map(({ who }) => who).join('');

t.test('who waits leaves when as much is free as it lacks, and not for what was free already when it found none', (t) => {
  const line = new RoomLine<string>();
  line.add('a', 2_500, 3);
  t.equal(names(line.served(3, slabBytes)), '', '3 slabs were free, and not in a row');
  t.equal(names(line.served(2, slabBytes)), '');
  t.equal(names(line.served(4, slabBytes)), 'a');
  t.ok(line.isEmpty);
  line.add('b', 0, 0);
  t.equal(names(line.served(0, slabBytes)), '');
  t.equal(names(line.served(1, slabBytes)), 'b', 'a slab is the least that helps');
  t.end();
});

t.test('what one may take is not there for those behind it, and a small one goes past a large one', (t) => {
  const line = new RoomLine<string>();
  for (const [who, slabs] of [['a', 2], ['b', 3], ['c', 1]] as const) line.add(who, slabs * slabBytes, 0);
  t.equal(line.bytes, 6_000);
  t.equal(names(line.served(4, slabBytes)), 'ac');
  t.equal(line.bytes, 3_000);
  t.equal(names(line.served(3, slabBytes)), 'b');
  t.end();
});

t.test('a round is for those who stood there when it began, and each of them leaves with it', (t) => {
  const line = new RoomLine<string>();
  line.add('a', 10_000, 0);
  line.add('b', 10, 0);
  line.roundBegan();
  line.add('c', 10, 0);
  t.equal(names(line.roundEnded()), 'ab');
  t.equal(names(line.roundEnded()), '', 'c has a round of its own yet to come');
  t.notOk(line.isEmpty);
  t.equal(names(line.givenUp()), 'c');
  t.same([line.isEmpty, line.bytes], [true, 0]);
  t.end();
});

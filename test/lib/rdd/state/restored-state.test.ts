/** The state book gives its versions out and takes them back: chains, layouts, versions of the values, what is forgotten. */
import t from 'tap';
import { StateBook } from '../../../../lib/rdd/state/state-book.ts';
import type { StateNode } from '../../../../lib/rdd/state/state-book.ts';
import { chainAt, versionsNeeded } from '../../../../lib/rdd/state/state-versions.ts';
import type { StateLink } from '../../../../protocol/rdd.ts';
import type { StateVersion } from '../../../../protocol/state.ts';
import { asBlockId, asHostId, asProgramId, asRddId } from '../../../../protocol/ids.ts';
import { asBatchTime } from '../../../../protocol/time.ts';
import { MillraceError } from '../../../../protocol/errors.ts';

const program = asProgramId(1);
const at = (n: number): ReturnType<typeof asBatchTime> => asBatchTime(n * 1_000);

/** Version n of table 3, at n seconds, settled. */
const node = (n: number, partitions = 2, more: Partial<StateNode> = {}): StateNode => ({
  kind: 'state', id: asRddId(n), parents: [], partitions, partitioner: null, storage: null, operator: { uid: 'totals', name: 'updateStateByKey', place: 'p.ts:1:1' }, table: 3, time: at(n),
  spec: { kind: 'hash', partitions }, update: { kind: 'update', fn: { kind: 'builtin', name: 'identity' }, form: 'plain' },
  input: null, initial: null, previous: null, emits: null, versionsKept: 1, ...more,
});

/** In a file of the log, at byte n * 10 + partition. */
const link = (n: number, partition: number, snapshot: boolean): StateLink => ({
  time: at(n), snapshot, extra: null,
  pairs: { id: asBlockId('b'), codec: 'records', place: { file: 'log', offset: n * 10 + partition, bytes: 8, durable: true }, records: 1 },
});

const version = (n: number, base: number | null, snapshot: boolean, partitions = 2, stateVersion = 1): StateVersion => ({
  time: at(n), base: base === null ? null : at(base), stateVersion, links: Array.from({ length: partitions }, (_, partition) => link(n, partition, snapshot)),
});

/** t1 [snapshot] <- t2 <- t4 (t3 failed). */
const written = [version(1, null, true), version(2, 1, false), version(4, 2, false)];
const times = (links: readonly StateLink[] | null | undefined): number[] | null => links?.map(({ time }) => time / 1_000) ?? null;

t.test('a restored version is made, belongs to nobody, and is told with its chain', (t) => {
  const book = new StateBook();
  book.restore(program, { table: 3, nodes: [node(2), node(4)], versions: written });
  t.equal(book.isMade(asRddId(4)), true);
  t.equal(book.isPartitionMade(asRddId(4), 1), true);
  t.equal(book.ownerOf(asRddId(4), 0), null);
  t.same(times(book.input(asRddId(4), 0).chain), [1, 2, 4]);
  t.same(times(book.input(asRddId(2), 1).chain), [1, 2], 'an older one can be read, too');
  t.equal(book.input(asRddId(4), 0).origin, undefined, 'steps can build on it');
  t.end();
});

t.test('the next version is made of a restored one, and its chain leads into the log', (t) => {
  const book = new StateBook();
  book.restore(program, { table: 3, nodes: [node(4)], versions: written });
  const next = node(5, 2, { previous: asRddId(4) });
  t.equal(book.baseOf(next), 4);
  for (const partition of [0, 1]) {
    book.add(program, next, partition, link(5, partition, false));
    book.own(next.id, partition, asHostId(7));
  }
  t.equal(book.ownerOf(asRddId(4), 0), 7, 'one table for all versions');
  book.disown(asHostId(7));
  t.same(times(book.input(asRddId(5), 0).chain), [1, 2, 4, 5]);
  const [links] = book.linksOf([asRddId(5)], () => null);
  t.match(links, { rdd: 5, table: 3, base: 4_000, made: true, failed: null, stateVersion: 1, partitions: 2, restored: false, emitted: null });
  t.end();
});

t.test('what is asked of a version: its steps, that it failed, or nothing where no job has begun it', (t) => {
  const book = new StateBook();
  const failed = node(5);
  book.add(program, node(1), 0, link(1, 0, true));
  book.fail(program, failed, new MillraceError('TaskFailed', 'No luck.'));
  const answer = book.linksOf([asRddId(1), asRddId(5), asRddId(9)], () => null);
  t.same(answer.map(({ rdd, made, failed: error, links }) => [rdd, made, error?.message ?? null, links.map((one) => one?.time ?? null)]), [[1, false, null, [1_000, null]], [5, false, 'No luck.', [null, null]]]);
  t.end();
});

t.test('a version of another layout is told by the old partitions that share its buckets, and what follows must be a snapshot', (t) => {
  const book = new StateBook();
  book.restore(program, { table: 3, nodes: [node(4, 3)], versions: written });
  const chains = (partition: number): (number[] | null)[] | undefined => book.input(asRddId(4), partition).origin?.resplit?.chains.map((chain) => times(chain));
  const files = (partition: number): number[] | undefined => book.input(asRddId(4), partition).origin?.resplit?.chains.map(([first]) => (first?.pairs?.place as { offset: number }).offset % 10);
  t.same(chains(1), [[1, 2, 4], [1, 2, 4]]);
  t.same([0, 1, 2].map(files), [[0], [0, 1], [1]]);
  const next = node(5, 3, { previous: asRddId(4) });
  t.throws(() => book.add(program, next, 0, link(5, 0, false)), { message: /must be a snapshot/ });
  for (const partition of [0, 1, 2]) book.add(program, next, partition, link(5, partition, true));
  t.same(times(book.input(asRddId(5), 2).chain), [5], 'the old layout is behind it');
  book.own(asRddId(5), 0, asHostId(7));
  t.equal(book.input(asRddId(4), 0).chain, null);
  t.not(book.input(asRddId(4), 0).origin, undefined, 'whoever has the table must know, too');
  t.end();
});

t.test('layouts may change among the versions that are restored, each is read as it was written', (t) => {
  const book = new StateBook();
  const versions = [...written, version(5, 4, true, 3), version(6, 5, false, 3)];
  book.restore(program, { table: 3, nodes: [node(4, 3), node(6, 3)], versions });
  t.same(times(book.input(asRddId(6), 2).chain), [5, 6]);
  t.equal(book.input(asRddId(4), 2).origin?.resplit?.partitions, 3);
  t.end();
});

t.test('values of another version go by migrate; where there is none the restoring is refused, with both versions', (t) => {
  const book = new StateBook();
  const migrate = { kind: 'builtin', name: 'identity' } as const;
  book.restore(program, { table: 3, nodes: [node(4, 2, { stateVersion: 2, migrate })], versions: written });
  t.same(book.input(asRddId(4), 0).origin, { resplit: null, migrate: { fn: migrate, fromVersion: 1 } });
  t.same(times(book.input(asRddId(4), 0).chain), [1, 2, 4]);
  t.throws(() => new StateBook().restore(program, { table: 3, nodes: [node(4, 2, { stateVersion: 2 })], versions: written }), { code: 'StateNotMigrated', message: /totals.*stateVersion 1.*stateVersion 2/ });
  t.end();
});

t.test('what does not fit together is refused', (t) => {
  const refused = (versions: readonly StateVersion[], message: RegExp): void => void t.throws(() => new StateBook().restore(program, { table: 3, nodes: [node(4)], versions }), { code: 'RecordsUnreadable', message });
  refused(written.slice(1), /partition 0 of its version at 4000 ms leads back to no snapshot/);
  refused(written.slice(0, 2), /its version at 4000 ms is not there/);
  refused([written[1]!, written[0]!, written[2]!], /not in order at 1000 ms/);
  refused([written[0]!, { ...written[1]!, links: [link(2, 0, false), null] }, written[2]!], /partition 1 of its version/);
  t.end();
});

t.test('what nobody remembers is given back once, and versions before the base are let go of', (t) => {
  const book = new StateBook();
  book.restore(program, { table: 3, nodes: [node(2), node(4)], versions: written });
  t.same(book.forget([asRddId(2)]), [], 'the newest needs its steps');
  const next = node(5, 2, { previous: asRddId(4) });
  for (const partition of [0, 1]) book.add(program, next, partition, link(5, partition, true));
  const offsets = book.forget([asRddId(4)]).map((place) => ('file' in place ? [place.offset, place.durable] : []));
  t.same(offsets.sort(), [[10, true], [11, true], [20, true], [21, true], [40, true], [41, true]]);
  t.equal(book.size, 1);
  t.same(book.linksOf([asRddId(5)], () => null).map(({ base }) => base), [4_000], 'it is said all the same');
  t.end();
});

t.test('versionsNeeded keeps the steps that lead to what is remembered, partition by partition', (t) => {
  const all = [...written, { ...version(5, 4, false), links: [link(5, 0, true), link(5, 1, false)] }, version(6, 5, false)];
  const kept = versionsNeeded(all, [at(6)]);
  t.same(kept.map(({ time, links }) => [time / 1_000, links.map((each) => each !== null)]), [[1, [false, true]], [2, [false, true]], [4, [false, true]], [5, [true, true]], [6, [true, true]]]);
  const book = new StateBook();
  book.restore(program, { table: 3, nodes: [node(6)], versions: kept });
  t.same([0, 1].map((partition) => times(book.input(asRddId(6), partition).chain)), [[5, 6], [1, 2, 4, 5, 6]]);
  t.same(versionsNeeded(all, []), []);
  t.equal(chainAt(new Map(all.slice(1).map((one) => [one.time, one])), at(6), 1), null);
  t.end();
});

/** What tasks have put out, on its way to the disk: who is told of it, and when its memory goes back. */
import t from 'tap';
import { KeptOutputs } from '../../actors/kept-outputs.ts';
import type { KeptOutput } from '../../actors/kept-outputs.ts';
import { KnownOutputs } from '../../lib/rdd/known-outputs.ts';
import type { StateNode } from '../../lib/rdd/state/state-book.ts';
import { asBlockId, asHostId, asProgramId, asRddId, asTaskId, shuffleParentsMax } from '../../protocol/ids.ts';
import type { ShuffleId } from '../../protocol/ids.ts';
import type { BucketRef, SharedHandle, StateLink } from '../../protocol/rdd.ts';
import type { TaskSpec } from '../../protocol/task.ts';
import { asBatchTime } from '../../protocol/time.ts';
import { handle } from '../helpers/stub-services.ts';

const program = asProgramId(0);
const reader = asRddId(7);
const shuffle = (reader * shuffleParentsMax) as ShuffleId;
/** Map task m's buckets for two reducers lie in slab m. */
const buckets = (map: number): SharedHandle[] => [handle(map, 0), handle(map, 64)];
const inFile = (file: string, reducer: number) => ({ file, offset: 64 * reducer, bytes: 64 });

const version: StateNode = {
  kind: 'state', id: asRddId(30), parents: [], partitions: 1, partitioner: null, storage: null, operator: null, table: 0, time: asBatchTime(1_000),
  spec: { kind: 'hash', partitions: 1 }, update: { kind: 'update', fn: { kind: 'builtin', name: 'identity' }, form: 'plain' },
  input: null, initial: null, previous: null, emits: null, versionsKept: 1,
};

class Kept {
  readonly known = new KnownOutputs();
  readonly outputs = new KeptOutputs(this.known);
  now = 0;

  /** A shuffle of so many map tasks. */
  write(maps: number): void {
    for (let map = 0; map < maps; map += 1) {
      this.known.addMapOutput(shuffle, map, buckets(map));
      this.outputs.written(shuffle, program, (this.now += 1));
    }
  }

  /** A task that reads what is known now, for one reducer. */
  made(task: number, maps: number, partition = 0): TaskSpec {
    const named = Array.from({ length: maps }, (_, map): BucketRef => this.known.mapOutput(shuffle, map)?.[partition] ?? null);
    return { task: asTaskId(task), partition, attempt: 0, shuffles: [{ shuffle, partition, buckets: named }], offsets: [], cached: [], sources: [], states: [], base: null, owner: null };
  }

  handOut(task: TaskSpec): readonly BucketRef[] {
    return this.outputs.taskHandedOut(task, (this.now += 1)).shuffles[0]?.buckets ?? [];
  }

  in(slab: number): KeptOutput {
    return this.outputs.inMemory().find((output) => output.slab === slab) as KeptOutput;
  }

  /** What lies in the slab is on its way to a file. */
  move(slab: number, file: string): void {
    this.outputs.moving(this.in(slab), file);
  }
}

const slabsOf = (release: readonly { readonly handles: readonly SharedHandle[] }[]): number[] => release.flatMap(({ handles }) => handles.map(({ slab }) => slab));

t.test('a task that was made before its buckets were moved is handed out with their file, and one handed out before keeps the memory', (t) => {
  const kept = new Kept();
  kept.write(2);
  const [early, late] = [kept.made(1, 2), kept.made(2, 2, 1)];
  kept.move(0, 'a');
  t.equal(kept.in(0).phase, 'moving');
  t.same(kept.handOut(early), [buckets(0)[0], buckets(1)[0]], 'nothing has changed yet');
  t.equal(kept.in(1).pins, 1, 'and while it reads the shuffle nothing of it goes');
  t.same(kept.outputs.moved('a', true), { isKnown: true, release: [] });
  t.equal(kept.in(0).phase, 'leaving');
  t.same(kept.handOut(late), [inFile('a', 1), buckets(1)[1]]);
  t.same(slabsOf(kept.outputs.taskEnded(asTaskId(2))), [], 'it has never read the memory');
  t.same(slabsOf(kept.outputs.taskEnded(asTaskId(1))), [0, 0]);
  t.equal(kept.in(0), undefined);
  t.equal(kept.in(1).pins, 0);
  t.end();
});

t.test('where nobody reads it the memory goes back at once, once', (t) => {
  const kept = new Kept();
  kept.write(1);
  kept.move(0, 'a');
  const { release } = kept.outputs.moved('a', true);
  t.same(release, [{ scope: 'program/0', handles: buckets(0) }]);
  t.same(kept.outputs.moved('a', true), { isKnown: false, release: [] });
  t.same(kept.known.forgetRdds([reader]), [inFile('a', 0), inFile('a', 1)], 'the file goes with the shuffle');
  t.end();
});

t.test('what is forgotten while it moves, or lost and made again, leaves a file that is nobody\'s, and gives no memory back twice', (t) => {
  for (const what of ['forgotten', 'made again'] as const) {
    const kept = new Kept();
    kept.write(1);
    kept.move(0, 'a');
    if (what === 'forgotten') t.same(slabsOf([{ handles: kept.known.forgetRdds([reader]) as SharedHandle[] }]), [0, 0]);
    else {
      kept.known.dropMapOutput(shuffle, 0, kept.known.version);
      kept.known.addMapOutput(shuffle, 0, buckets(5));
    }
    t.same(kept.outputs.moved('a', true), { isKnown: false, release: [] }, what);
  }
  t.end();
});

t.test('what can\'t be written stays, with all of its shuffle, until that is forgotten', (t) => {
  const kept = new Kept();
  kept.write(2);
  kept.move(0, 'a');
  t.same(kept.outputs.moved('a', false), { isKnown: false, release: [] });
  t.same([kept.in(0), kept.in(1)].map(({ mayGo, phase }) => [mayGo, phase]), [[false, 'resident'], [false, 'resident']]);
  kept.outputs.forgetRdds([reader]);
  t.same(kept.outputs.inMemory(), [], 'nobody knows whose it is');
  kept.outputs.written(shuffle, program, 9);
  t.equal(kept.in(0).mayGo, true);
  t.end();
});

t.test('a shuffle that was read since goes after one that was not, and steps of state before both', (t) => {
  const kept = new Kept();
  kept.write(1);
  const other = ((reader + 1) * shuffleParentsMax) as ShuffleId;
  kept.known.addMapOutput(other, 0, buckets(3));
  kept.outputs.written(other, program, (kept.now += 1));
  t.ok(kept.in(0).lastUse < kept.in(3).lastUse);
  kept.handOut(kept.made(1, 1));
  t.ok(kept.in(0).lastUse > kept.in(3).lastUse);
  kept.known.states.add(program, version, 0, step(20));
  t.equal(kept.in(20).lastUse, 0);
  t.end();
});

t.test('a task that gets the steps of a dead owner gets them where they lie, and they stay while it reads them', (t) => {
  const kept = new Kept();
  kept.known.states.add(program, version, 0, step(20));
  const task: TaskSpec = { task: asTaskId(1), partition: 0, attempt: 0, shuffles: [], offsets: [], cached: [], sources: [], states: [kept.known.states.input(version.id, 0)], base: null, owner: null };
  kept.outputs.taskHandedOut(task, 1);
  t.equal(kept.in(20).pins, 1);
  kept.outputs.taskEnded(task.task);
  kept.move(20, 'a');
  t.same(slabsOf(kept.outputs.moved('a', true).release), [20, 20]);
  const [link] = kept.outputs.taskHandedOut(task, 2).states[0]?.chain ?? [];
  t.same([link?.pairs?.place, link?.extra?.place], [inFile('a', 0), inFile('a', 1)]);
  kept.known.states.own(version.id, 0, asHostId(3));
  const owned: TaskSpec = { ...task, task: asTaskId(2), states: [kept.known.states.input(version.id, 0)] };
  t.equal(kept.outputs.taskHandedOut(owned, 3).states[0]?.chain, null, 'the owner is told none');
  t.end();
});

function step(slab: number): StateLink {
  const block = (offset: number) => ({ id: asBlockId('b'), codec: 'records' as const, place: handle(slab, offset), records: 1 });
  return { time: asBatchTime(1_000), snapshot: true, pairs: block(0), extra: block(64) };
}

/** What a chaos run checks, against histories made by hand: each kind of wrong must be told, and a right one must not. */
import t from 'tap';
import type { ChaosInput, ChaosProgram, Envelope } from './chaos-program.ts';
import { sumKeyOf } from './chaos-program.ts';
import { checkHistory } from './checks.ts';
import { History } from './history.ts';

const input: ChaosInput = { id: 'in1', kind: 'queue', oneAtATime: true, positions: false, sends: [] };
const chaos: ChaosProgram = {
  program: { batchMs: 1_000, inputs: [{ id: 'in1', batches: [], numPartitions: 1 }], graph: [{ id: 's1', op: 'updateStateByKey', fn: 'stateSum', of: ['in1'] }], outputs: [{ id: 's1', order: 'bag' }], batchesToRun: 2 },
  inputs: [input],
  generation: { jobs: 0, waitMs: 0 },
  failuresOfTen: 0,
};
const a: Envelope = ['in1/0/0', ['a', 1]];
const b: Envelope = ['in1/1/0', ['a', 2]];

interface Told {
  readonly batches?: readonly (readonly Envelope[])[];
  readonly states?: readonly number[];
  readonly acknowledged?: readonly string[];
  readonly sent?: readonly string[];
  readonly counted?: number;
  readonly countedOnce?: number;
  readonly countedEarly?: number;
  readonly sums?: readonly (readonly (readonly [string, number])[])[];
  readonly taken?: readonly (readonly string[])[];
  /** Of each process. */
  readonly letters?: readonly (readonly (readonly [time: number, envelope: string])[])[];
  /** What the batches see of the variable, and from when on its value 1 is confirmed. */
  readonly seen?: readonly number[];
  readonly confirmedMs?: number;
  readonly committed?: (history: History) => void;
}

async function problemsOf(told: Told, inputs: readonly ChaosInput[] = [input]): Promise<string> {
  const { batches = [[a], [b]], states = [1, 3], acknowledged = [a[0], b[0]], sent = [a[0], b[0]], counted = 2, letters = [], seen = [0, 0], committed = commitAll } = told;
  const { sums = batches.map((_, index) => sumsOf(batches.slice(0, index + 1).flat(1))) } = told;
  const { countedOnce = batches.flat(1).length, countedEarly = batches.flat(1).length, taken = batches.map((envelopes) => envelopes.map(([id]) => id)) } = told;
  const history = new History();
  for (const id of sent) history.sent.add(id);
  for (const id of acknowledged) history.acknowledged.add(id);
  history.settings.push({ value: 1, fromMs: told.confirmedMs ?? null });
  batches.forEach((envelopes, index) => history.allocated('in1', (index + 1) * 1_000, [envelopes]));
  states.forEach((state, index) => history.wrote('s1', (index + 1) * 1_000, [[['a', state]], []]));
  taken.forEach((ids, index) => history.taken('in1', (index + 1) * 1_000, ids));
  sums.forEach((sum, index) => history.sumsWritten((index + 1) * 1_000, sum));
  seen.forEach((value, index) => history.settingSeen((index + 1) * 1_000, [value]));
  for (const read of letters) history.lettersRead(read);
  committed(history);
  await checkHistory(history, { ...chaos, inputs }, 2_000, { counted, countedOnce, countedEarly });
  return history.problems.join('; ');
}

function sumsOf(envelopes: readonly Envelope[]): (readonly [string, number])[] {
  const keys = envelopes.map(([id]) => sumKeyOf(id));
  return [...new Set(keys)].map((key) => [key, keys.filter((other) => other === key).length] as const);
}

function commitAll(history: History): void {
  for (const [time, partitions] of history.outputs.get('s1') ?? []) partitions.forEach((records, partition) => history.commit('s1', time, partition, records));
}

t.test('what is right has no problem', async (t) => {
  t.equal(await problemsOf({}), '');
});

t.test('what is wrong is told', async (t) => {
  t.match(await problemsOf({ batches: [[a], []], states: [1, 1], counted: 1 }), 'in1/1/0 was acknowledged, and is in no batch');
  t.equal(await problemsOf({ batches: [[a], []], states: [1, 1], counted: 1, acknowledged: [a[0]] }), '', 'what nobody has acknowledged may be missing');
  t.match(await problemsOf({ sent: [a[0]] }), 'in1/1/0 came, and was never sent');
  t.match(await problemsOf({ batches: [[a], [a, b]], states: [1, 4] }), 'in1/0/0 was sent once, and came 2 times');
  t.equal(await problemsOf({ batches: [[a], [a, b]], states: [1, 4] }, [{ ...input, kind: 'receiver' }]), '', 'a source without positions gives again what was not acknowledged');
  t.match(await problemsOf({ states: [1, 2] }), 's1 at 2000 ms: expected [["a",3]], got [["a",2]]');
  t.match(await problemsOf({ batches: [[a]] }), 'the batch at 2000 ms has had no output');
  t.match(await problemsOf({ states: [1] }), 's1 at 2000 ms: the output was never written');
  t.match(await problemsOf({ counted: 3 }), 'the accumulator has counted 3 records, of 2');
  t.match(await problemsOf({ countedOnce: 3 }), 'the accumulator of in1 has counted 3 records, of 2');
  t.match(await problemsOf({ countedEarly: 4 }), 'the accumulator of in1, as its batches are generated, has counted 4 records, of 2');
  t.match(await problemsOf({ sums: [[['7 0', 1]], [['7 0', 3]]] }), 'the sums at 2000 ms should be 7 0: 2, and are 7 0: 3');
  t.match(await problemsOf({ taken: [[a[0]], []] }), 'at 2000 ms in1/1/0 should have been taken, and  were');
  t.match(await problemsOf({ seen: [1, 0] }), 'the batch at 2000 ms sees the broadcast value 0, after 1');
  t.match(await problemsOf({ confirmedMs: 1_000 }), 'the batch at 2000 ms sees the broadcast value 0, and 1 was confirmed before it');
  t.equal(await problemsOf({ confirmedMs: 2_000 }), '', 'what is confirmed when a batch was announced may come too late for it');
  t.match(await problemsOf({ committed: () => {} }), 'sink of s1 at 1000 ms, partition 0');
});

t.test('of what is refused each process reads one dead letter at most, and one of them does', async (t) => {
  const refused: Envelope = ['in1/1/2', ['a', 2]];
  const right = { batches: [[a], [refused]], sent: [a[0], refused[0]], acknowledged: [a[0]], taken: [[a[0]], []] };
  t.equal(await problemsOf({ ...right, letters: [[[2_000, refused[0]]]] }), '');
  t.equal(await problemsOf({ ...right, letters: [[[2_000, refused[0]]], [], [[2_000, refused[0]]]] }), '', 'the batch has run again in another process');
  t.match(await problemsOf(right), 'at 2000 ms in1/1/2 were refused, and the dead letters of one process are ');
  t.match(await problemsOf({ ...right, letters: [[[2_000, refused[0]], [2_000, refused[0]]]] }), 'the dead letters of one process are in1/1/2 in1/1/2');
  t.match(await problemsOf({ letters: [[[2_000, b[0]]]] }), 'the dead letters of one process are in1/1/0');
});

t.test('a batch that runs again must give the same', async (t) => {
  const history = new History();
  history.wrote('s1', 1_000, [[1]]);
  history.wrote('s1', 1_000, [[1]]);
  history.commit('s1', 1_000, 0, [1]);
  history.commit('s1', 1_000, 0, [1]);
  t.strictSame(history.problems, []);
  history.wrote('s1', 1_000, [[2]]);
  history.commit('s1', 1_000, 0, [1, 1]);
  t.match(history.problems, [/output s1 at 1000 ms was/, /sink of s1 at 1000 ms, partition 0/]);
});

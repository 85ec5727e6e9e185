/** Which state of a program is which of the checkpoint's, where its name is made of the one of the operator that stands for it. */
import t from 'tap';
import type { Fingerprint, OperatorPrint } from '../../../protocol/host.ts';
import { changeProgram, renameStates } from '../../../lib/recovery/book.ts';
import { givenUid, renamedStates } from '../../../lib/recovery/state-names.ts';
import { commitOf, contentOf, fold, identityOf } from '../../helpers/recovery-events.ts';

/** Operators in the order of making, each with the places of its parents. */
const programOf = (...operators: readonly (readonly [uid: string, kind: string, ...parents: number[]])[]): Fingerprint => ({
  hash: '',
  operators: operators.map(([uid, kind, ...parents]): OperatorPrint => ({ uid, kind, parameters: JSON.stringify({ parents }), functionHash: '' })),
});
const tracked = 'mapWithState-0123456789abcdef';
const windowed = 'reduceByKeyAndWindow-0123456789abcdef';
const named = (outer: string) => programOf(['in', 'socket'], [`${outer}/state`, 'mapWithState', 0], [outer, 'mapWithState.emitted', 1]);

t.test('a state that had its derived uid under an operator with a name is what is named after that operator now', (t) => {
  const before = programOf(['in', 'socket'], [tracked, 'mapWithState', 0], ['m', 'mapWithState.emitted', 1], [windowed, 'reduceByKeyAndWindow', 0], ['w', 'map', 3]);
  const now = programOf(['in', 'socket'], ['new', 'filter', 0], ['w/state', 'reduceByKeyAndWindow', 1], ['w', 'map', 2], ['m/state', 'mapWithState', 1], ['m', 'mapWithState.emitted', 4]);
  t.same([...renamedStates(before, now)], [[windowed, 'w/state'], [tracked, 'm/state']]);
  t.same([...renamedStates(now, now)], [], 'once it has that name nothing is renamed');
  t.same([...renamedStates(before, before)], []);
  t.end();
});

t.test('a derived uid that is given as the name brings its state back', (t) => {
  t.same([...renamedStates(programOf(['in', 'socket'], [tracked, 'mapWithState', 0], ['mapWithState.emitted-1', 'mapWithState.emitted', 1]), named(tracked))], [[tracked, `${tracked}/state`]]);
  t.end();
});

t.test('of two windows that had one derived uid the first has the state, in which only its own versions are', (t) => {
  const pair = (one: string, two: string) => programOf(['in', 'socket'], [one, 'reduceByKeyAndWindow', 0], ['a', 'map', 1], [two, 'reduceByKeyAndWindow', 0], ['b', 'map', 3]);
  t.same([...renamedStates(pair(windowed, windowed), pair('a/state', 'b/state'))], [[windowed, 'a/state']]);
  t.end();
});

t.test('nothing is taken from an operator that is still there, that a user has named, or of another kind', (t) => {
  const now = programOf(['in', 'socket'], ['w/state', 'reduceByKeyAndWindow', 0], ['w', 'map', 1], [windowed, 'reduceByKeyAndWindow', 0]);
  t.same([...renamedStates(programOf(['in', 'socket'], [windowed, 'reduceByKeyAndWindow', 0], ['w', 'map', 1]), now)], [], 'still there');
  const alone = programOf(['in', 'socket'], ['w/state', 'reduceByKeyAndWindow', 0], ['w', 'map', 1]);
  t.same([...renamedStates(programOf(['in', 'socket'], ['mine', 'reduceByKeyAndWindow', 0], ['w', 'map', 1]), alone)], [], 'named');
  t.same([...renamedStates(programOf(['in', 'socket'], ['w', 'reduceByKeyAndWindow', 0]), alone)], [], 'its own name, for another operator');
  t.same([...renamedStates(programOf(['in', 'socket'], [tracked, 'mapWithState', 0], ['w', 'map', 1]), alone)], [], 'of another kind');
  t.end();
});

t.test('the name to give is the operator\'s, where it stands for the state; a name that only looks like it is left', (t) => {
  t.equal(givenUid(named('m'), 'm/state'), 'm');
  t.equal(givenUid(programOf(['m', 'filter'], ['m/state', 'updateStateByKey', 0]), 'm/state'), 'm/state');
  t.equal(givenUid(undefined, 'm/state'), 'm/state');
  t.end();
});

t.test('what is kept goes along with the name, however often the program is told', (t) => {
  const fingerprint = programOf(['in', 'socket'], [tracked, 'mapWithState', 0], ['m', 'mapWithState.emitted', 1]);
  const book = () => fold([
    { event: { type: 'programStarted', identity: identityOf([], { fingerprint }) }, place: null },
    { event: { type: 'batchCompleted', time: 1_000 as never, states: [commitOf(tracked, 1_000, null, [true])], accumulators: null }, place: null },
  ]);
  const before = book();
  const state = before.states.get(tracked);
  const once = book();
  changeProgram(once, named('m'));
  t.same([...once.states], [['m/state', state]]);
  const again = book();
  renameStates(again, named('m'));
  renameStates(again, named('m'));
  changeProgram(again, named('m'));
  changeProgram(again, named('m'));
  t.same(contentOf(again), contentOf(once));
  t.end();
});

/**
 * Bug: the README's own command (`word-count-engine --seconds 5 --runs 1`) failed on a busy machine, since fewer than 15 batches were
 * complete in that time, and threw away those that were. Plan: as many batches as may come.
 */
import t from 'tap';
import { afterWarmUp } from '../../bench/word-count-engine.ts';

const times = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

t.test('the batches that were complete when the time ended are measured, without the first 5', async (t) => {
  t.same(afterWarmUp('ours', times(15), 15, 5), times(15).slice(5));
  t.same(afterWarmUp('ours', times(6), 15, 5), [5]);
  t.same(afterWarmUp('ours', times(2), 3, 5), [1], 'of 3, the first one is dropped');
});

t.test('where nothing but the first ones was complete, it says how many there were and what to do', async (t) => {
  t.throws(() => afterWarmUp('ours', times(5), 15, 5), { message: /^ours: 5 of 15 batches were complete within 5 s, and at least 6 are needed.*--lines/ });
  t.throws(() => afterWarmUp('ours', [], 15, 5), /0 of 15/);
});

/** Batches in a row that make no version of a state at their own time: what is made later, for all of them at once, is written down whole. */
import t from 'tap';
import type { StreamingContext } from '../../lib/streaming-context.ts';
import { Run } from '../helpers/going-on.ts';
import type { Outputs } from '../helpers/going-on.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const input: [string, number][][] = Array.from({ length: 40 }, () => [['k', 1]]);

const program = (failing: readonly number[]) => (ssc: StreamingContext) => {
  const source = ssc.batchesStream(input, 1).uid('in');
  const updated = source.updateStateByKey((values: readonly number[], total: number | undefined) => (total ?? 0) + values.length).uid('updated');
  const tracked = source.mapWithState({ fn: (_time: number, _key: string, value: number | undefined, state) => {
    const total = (state.exists() ? state.get() as number : 0) + (value ?? 0);
    state.update(total);
    return total;
  } }).uid('tracked');
  source.transform((rdd, time) => {
    if (failing.includes(Number(time))) throw new Error('As planned.');
    return rdd;
  }).foreachRDD(() => {});
  return { updated: updated.publish(), tracked: tracked.publish() };
};

/** Bug: only as many of them were written as the stream remembers, so the steps from there on led nowhere, and the state was empty after the next restart. */
for (const policy of ['continue', 'skip'] as const) {
  for (const failing of [[4_000], [4_000, 5_000], [4_000, 5_000, 6_000, 7_000, 8_000]]) {
    t.test(`${policy}: the state is whole after a restart behind ${failing.length} batches that could not be generated`, async (t) => {
      const directory = temporaryDirectory();
      const outputs: Outputs = new Map();
      const first = await Run.begin(t, directory, program(failing), outputs, { onBatchFailure: policy });
      for (let batch = 0; batch < 9; batch += 1) await first.ssc.clock.advance(1);
      await first.ended();
      const second = await Run.begin(t, directory, program([]), outputs, { onBatchFailure: policy });
      await second.advance(2);
      await second.stop();
      const at = (name: string, time: number): unknown => outputs.get(name)?.get(time);
      for (const time of [9_000, 10_000, 11_000]) t.same([at('updated', time), at('tracked', time)], [[`[["k",${time / 1_000}]]`], [`[${time / 1_000}]`]], `at ${time}`);
    });
  }
}

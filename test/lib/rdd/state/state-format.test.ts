/**
 * Steps and snapshots that an earlier release wrote stay readable: test/fixtures/state-format-1.json holds their bytes, of each kind of
 * state. `WRITE_STATE_FORMAT=1` writes the file anew: only for a new format, under a new name, while the old file stays.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { StateStore } from '../../../../lib/rdd/state/state-store.ts';
import { chainAt } from '../../../../lib/rdd/state/state-versions.ts';
import type { State } from '../../../../lib/rdd/state/keyed-state.ts';
import type { StreamingContext } from '../../../../lib/streaming-context.ts';
import { startTest } from '../../../../lib/testing.ts';
import { decodePairs, decodeRecords } from '../../../../protocol/codec.ts';
import { asRddId } from '../../../../protocol/ids.ts';
import type { BlockRef } from '../../../../protocol/rdd.ts';
import type { StateVersion } from '../../../../protocol/state.ts';
import { asBatchTime } from '../../../../protocol/time.ts';
import { projectRoot } from '../../../helpers/project.ts';
import { StateLog } from '../../../helpers/state-log.ts';

const path = join(projectRoot, 'test/fixtures/state-format-1.json');

interface Written {
  /** By kind of operator. */
  readonly versions: Readonly<Record<string, readonly StateVersion[]>>;
  readonly base64: string;
}

const batches: [string, number][][] = [[['a', 1], ['ä€', 2], ['c', 3]], [['a', 10], ['d', -1]], [['c', 1]]];
const kinds = ['updateStateByKey', 'mapWithState', 'reduceByKeyAndWindow'];

function program(ssc: StreamingContext) {
  const pairs = ssc.batchesStream(batches, 1);
  const updated = pairs.updateStateByKey((values, state: { readonly seen: readonly number[]; readonly last: Date } | undefined) => (values[0] === -1 || (state !== undefined && values[0] === 1) ? null : { seen: [...(state?.seen ?? []), ...values], last: new Date(5) }), { partitions: 1 });
  const tracked = pairs.mapWithState({ fn: (_time: number, _key: string, value: number | undefined, state: State<bigint>) => void (value === -1 ? state.exists() : state.update(BigInt(value ?? 0) + (state.getOption() ?? 0n))), timeoutMs: 60_000, partitions: 1 });
  const windowed = pairs.reduceByKeyAndWindow((a, b) => a + b, (a, b) => a - b, 2_000, 1_000, 1);
  return { updated: updated.publish(), tracked: tracked.publish(), states: tracked.stateSnapshots().publish(), windowed: windowed.publish() };
}

if (process.env['WRITE_STATE_FORMAT'] === '1') {
  t.test('writing', async (t) => {
    const test = await startTest(program, { checkpointDirectory: 'nothing' });
    t.after(() => test.stop());
    const log = new StateLog(join(t.testdir(), 'log'));
    const versions: Record<string, StateVersion[]> = {};
    for (let n = 1; n <= batches.length; n += 1) {
      await test.advance();
      for (const kind of kinds) {
        await log.note(test.ssc, kind, n * 1_000);
        (versions[kind] ??= []).push(log.versions.pop() as StateVersion);
      }
    }
    // The file has the name 'log', wherever it lay.
    const text = JSON.stringify({ versions, base64: readFileSync(log.file).toString('base64') } satisfies Written, null, 1);
    writeFileSync(path, `${text.replaceAll(JSON.stringify(log.file), '"log"')}\n`);
  });
}

const { versions, base64 } = JSON.parse(readFileSync(path, 'utf8')) as Written;
const bytes = new Uint8Array(Buffer.from(base64, 'base64'));
const placed = (block: BlockRef | null): Uint8Array => (block?.place == null || !('file' in block.place) ? new Uint8Array(0) : bytes.subarray(block.place.offset, block.place.offset + block.place.bytes));

/** The pairs at each time, and when the keys were touched last. */
function readAll(kind: string): { readonly pairs: unknown[][]; readonly touched: readonly number[] } {
  const byTime = new Map(versions[kind]!.map((version) => [version.time, version]));
  const tables = versions[kind]!.map(({ time }) =>
    new StateStore().tableAt({ rdd: asRddId(1), partition: 0, table: 1, time: asBatchTime(time), versionsKept: 0, chain: chainAt(byTime, time, 0) }, 1, 0, {
      pairs: ({ pairs }) => decodePairs(placed(pairs)),
      extra: ({ extra }) => decodeRecords(placed(extra)),
      migration: () => (_key, value) => value,
    }),
  );
  return { pairs: tables.map((table) => table.liveColumns().keys.map((key, index) => [key, table.liveColumns().values[index]])), touched: tables.at(-1)!.touchedColumn() };
}

const last = new Date(5);

t.test('update: a snapshot, and steps that change, add and end keys', async (t) => {
  t.same(readAll('updateStateByKey').pairs, [
    [['a', { seen: [1], last }], ['ä€', { seen: [2], last }], ['c', { seen: [3], last }]],
    [['a', { seen: [1, 10], last }], ['ä€', { seen: [2], last }], ['c', { seen: [3], last }]],
    [['a', { seen: [1, 10], last }], ['ä€', { seen: [2], last }]],
  ]);
});

t.test('track: with the times at which keys were touched last', async (t) => {
  t.same(readAll('mapWithState').pairs, [[['a', 1n], ['ä€', 2n], ['c', 3n]], [['a', 11n], ['ä€', 2n], ['c', 3n]], [['a', 11n], ['ä€', 2n], ['c', 4n]]]);
  t.same(readAll('mapWithState').touched, [2_000, 1_000, 3_000]);
});

t.test('window: results that enter and leave', async (t) => {
  t.same(readAll('reduceByKeyAndWindow').pairs, [[['a', 1], ['ä€', 2], ['c', 3]], [['a', 11], ['ä€', 2], ['c', 3], ['d', -1]], [['a', 10], ['ä€', 0], ['c', 1], ['d', -1]]]);
});

t.test('each fixture has a snapshot and a step', async (t) => {
  for (const kind of kinds) t.same(versions[kind]?.map(({ links }) => links[0]?.snapshot), [true, false, false], kind);
});

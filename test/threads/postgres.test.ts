/**
 * Exactly once into a real PostgreSQL server: batches that are run again, tasks that fail in the middle, two attempts at once, workers that die.
 *
 * A batch is run again by a second context with the same name, program, input and manual clock: its batch times are the same, as after a recovery.
 */
import t from 'tap';
import type pg from 'pg';
import { claimSql, createCommitTable } from '../../examples/postgres-sink.ts';
import { faults } from '../../lib/testing.ts';
import type exactlyOnce from '../fixtures/exactly-once.ts';
import { lockNumber } from '../fixtures/exactly-once.ts';
import type { Postgres } from '../helpers/postgres.ts';
import { noPostgres, startPostgres } from '../helpers/postgres.ts';
import { nextEvent, started } from '../helpers/running.ts';

t.test('exactly once into a real PostgreSQL server', async (t) => {
  const postgres = await startPostgres(t);
  if (postgres === null) return void t.plan(0, noPostgres);
  await t.test('a task that fails in the middle is tried again, and each record is there once', async (t) => {
    const { client, run } = await database(t, postgres);
    await client.query('INSERT INTO faults SELECT partition, 1000 * batch, \'throw\' FROM generate_series(0, 2) AS partition, generate_series(1, 3) AS batch');
    await run(4);
    t.equal((await client.query('SELECT FROM faults')).rowCount, 0, 'all nine have failed once');
    await writtenOnce(t, client, 4);
  });

  await t.test('batches that are run again write nothing, also older ones after newer ones', async (t) => {
    const { client, run } = await database(t, postgres);
    await run(5);
    await run(2);
    await run(5);
    await writtenOnce(t, client, 5);
    await run(7);
    await writtenOnce(t, client, 7);
    const { rows } = await client.query<{ output: string; partition: number; count: number }>('SELECT output, partition, cardinality(batch_times) AS count FROM millrace_commits ORDER BY partition');
    t.same(rows, [0, 1, 2].map((partition) => ({ output: 'exactly-once/numbers/foreachPartition', partition, count: 7 })));
    const { rows: ids } = await client.query<{ id: string }>('SELECT DISTINCT id FROM written WHERE number < 30 ORDER BY id');
    t.same(ids.map(({ id }) => id), [0, 1, 2].map((partition) => `exactly-once/numbers/foreachPartition/1000/${partition}`));
  });

  await t.test('a partition whose batch had failed for good is written when the batch is run again after newer ones', async (t) => {
    const { client, run } = await database(t, postgres);
    await client.query('INSERT INTO faults VALUES (1, 2000, \'throw\')');
    await run(4, { taskFailuresMax: 1, onBatchFailure: 'skip' });
    t.equal((await client.query('SELECT FROM written')).rowCount, 110, 'ten are missing: one partition of the second batch');
    await run(4);
    await writtenOnce(t, client, 4);
  });

  await t.test('a worker that dies in the middle of its transaction takes it with it; the task runs again', async (t) => {
    const { client, start, reached } = await database(t, postgres);
    await client.query('INSERT INTO faults VALUES (0, 1000, \'wait\'), (2, 2000, \'wait\')');
    const ssc = await start(3, { master: 'local[1]' });
    const done = nextEvent(ssc, 'batchCompleted', ({ batchTime }) => batchTime === 3_000);
    for (const place of ['1000/0', '2000/2']) {
      // The first call runs all batches, of which none can go on without the one before.
      if (place === '1000/0') void ssc.clock.advance(3).catch(() => {});
      await reached(place);
      const back = nextEvent(ssc, 'threadStarted');
      await faults(ssc).killThread('worker', 0);
      await back;
    }
    await done;
    await writtenOnce(t, client, 3);
  });

  await t.test('two attempts at the same time: the later one waits for the first one\'s transaction, then writes nothing', async (t) => {
    const { client, start, reached, release, someoneWaits } = await database(t, postgres);
    await client.query('INSERT INTO faults VALUES (0, 1000, \'wait\')');
    // An app that is thought to be dead, and isn't: the new one runs the same batch.
    const old = await start(1);
    const oldEnd = old.clock.advance(1);
    await reached('1000/0');
    const anew = await start(1);
    let newEnded = false;
    const newEnd = anew.clock.advance(1).then(() => (newEnded = true));
    await someoneWaits('transactionid');
    t.equal((await client.query('SELECT FROM written WHERE id LIKE \'%/0\'')).rowCount, 0, 'nothing of that partition can be seen yet');
    t.equal(newEnded, false, 'the new one waits');
    await release();
    await Promise.all([oldEnd, newEnd]);
    await writtenOnce(t, client, 1);
  });

  await t.test('two attempts at the same time, and the first one fails: the later one writes', async (t) => {
    const { client, start, reached, someoneWaits } = await database(t, postgres);
    await client.query('INSERT INTO faults VALUES (0, 1000, \'wait\')');
    const old = await start(1);
    const oldEnd = old.clock.advance(1).catch(() => {});
    await reached('1000/0');
    const anew = await start(1);
    const newEnd = anew.clock.advance(1);
    await someoneWaits('transactionid');
    await old.stop();
    await oldEnd;
    await newEnd;
    await writtenOnce(t, client, 1);
  });

  await t.test('the table of names doesn\'t grow with the batches', async (t) => {
    const { client, run } = await database(t, postgres);
    await run(25, { args: { batchesKept: 4 } });
    await run(25, { args: { batchesKept: 4 } });
    await writtenOnce(t, client, 25);
    const { rows } = await client.query<{ batch_times: string[] }>('SELECT batch_times FROM millrace_commits');
    t.same(rows.map(({ batch_times: times }) => times), Array.from({ length: 3 }, () => ['22000', '23000', '24000', '25000']));
  });

  await t.test('a claim takes batches in any order, each once; what is older than a full row keeps counts as there', async (t) => {
    const { client } = await database(t, postgres);
    const claim = async (time: number, kept = 3): Promise<boolean> => (await client.query(claimSql, ['o', 0, time, kept])).rowCount === 1;
    const seen: [number, boolean][] = [];
    for (const time of [5, 3, 5, 4, 3, 2, 7, 4, 3, 6, 6]) seen.push([time, await claim(time)]);
    t.same(seen, [[5, true], [3, true], [5, false], [4, true], [3, false], [2, false], [7, true], [4, false], [3, false], [6, true], [6, false]]);
    t.same((await client.query('SELECT batch_times FROM millrace_commits')).rows, [{ batch_times: ['5', '6', '7'] }]);
  });
});

interface Test {
  after(fn: () => unknown): void;
  same(found: unknown, wanted: unknown): boolean;
}

/** Empty tables, and contexts of one app that writes into them. */
async function database(t: Test, postgres: Postgres) {
  const [client, holder] = [await postgres.client(t), await postgres.client(t)];
  await client.query('DROP TABLE IF EXISTS written, faults, millrace_commits; CREATE TABLE written (number int, id text); CREATE TABLE faults (partition int, batch_time bigint, kind text)');
  await createCommitTable(client);
  await holder.query('SELECT pg_advisory_lock($1)', [lockNumber]);
  const places = new Set<string>();
  let wake: () => void = () => {};
  client.on('notification', ({ payload }) => {
    places.add(payload ?? '');
    wake();
  });
  await client.query('LISTEN middle');
  const start = (batches: number, { args = {}, ...options }: { args?: object; master?: string; taskFailuresMax?: number; onBatchFailure?: 'skip' } = {}) =>
    started<typeof exactlyOnce>(t, 'exactly-once', { appName: 'exactly-once', args: { connectionString: postgres.connectionString, batches, ...args }, clock: 'manual', batchInterval: 1_000, allowMultipleContexts: true, ...options });
  return {
    client,
    start,
    /** As many batches, and the end. */
    async run(batches: number, options: Parameters<typeof start>[1] = {}): Promise<void> {
      const ssc = await start(batches, options);
      await ssc.clock.advance(batches);
      await ssc.stop();
    },
    /** A task is in the middle of its transaction, `BATCH_TIME/PARTITION`. */
    async reached(place: string): Promise<void> {
      while (!places.has(place)) await new Promise<void>((resolve) => (wake = resolve));
    },
    /** Lets all that wait in the middle go on. */
    async release(): Promise<void> {
      await holder.query('SELECT pg_advisory_unlock_all()');
    },
    /** A backend waits for a lock of this type. The server tells nobody, so it is asked. */
    async someoneWaits(type: string): Promise<void> {
      for (;;) {
        const { rowCount } = await client.query('SELECT FROM pg_locks WHERE locktype = $1 AND NOT granted', [type]);
        if (rowCount !== null && rowCount > 0) return;
      }
    },
  };
}

/** Every number of the batches is in the table, once. */
async function writtenOnce(t: Test, client: pg.Client, batches: number): Promise<void> {
  const { rows } = await client.query<{ number: number }>('SELECT number FROM written ORDER BY number');
  t.same(rows.map(({ number }) => number), Array.from({ length: batches * 30 }, (_, number) => number));
}

/**
 * A sink for PostgreSQL: what a partition writes in a batch, and the name of it, are committed in one transaction. Copy it, and change it.
 *
 * Not a program by itself: programs/orders.ts uses it. The names lie in a table with one row for each output and partition,
 *
 *   millrace_commits    output ('orders-app/orders/foreachPartition'), partition, batch_times (the newest `batchesKept` of them)
 *
 * so it doesn't grow with the batches. A claim is one statement: it enters the batch time where it isn't there yet, and says whether it did.
 * The row is then locked until the transaction ends, so a second attempt at the same partition waits, and sees what the first has left.
 *
 * Several times are kept, not only the last one, since batches need not commit in the order of their times: one that failed may be run again
 * by a restarted app after newer ones. A time before the oldest of a full row counts as there.
 */
import pg from 'pg';
import { transactionalSink } from 'millrace';
import type { OutputTaskContext, TaskContext } from 'millrace';

export interface PostgresSinkOptions<T> {
  readonly connectionString: string;
  /** Writes the records, inside the transaction. It must not commit. */
  readonly write: (client: pg.ClientBase, records: Iterable<T>, context: OutputTaskContext) => Promise<void>;
  /** How many batch times a row keeps: more than batches may be run again. Default 1,000. */
  readonly batchesKept?: number;
  /** An attempt that waits longer for another one's transaction fails, and is tried again, in ms. Default 60 s. */
  readonly lockTimeoutMs?: number;
}

/** For `foreachPartition`. */
export function postgresSink<T>({ connectionString, write, batchesKept = 1_000, lockTimeoutMs = 60_000 }: PostgresSinkOptions<T>): (records: Iterable<T>, context: TaskContext) => Promise<void> {
  return transactionalSink<T, pg.PoolClient>({
    async begin() {
      const client = await poolOf(connectionString).connect();
      try {
        // Read committed, whatever the database's default is: the claim must see what the transaction that it waited for has committed.
        await client.query(`BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = ${Math.ceil(lockTimeoutMs)}`);
        return client;
      } catch (thrown) {
        client.release(true);
        throw thrown;
      }
    },
    async claim(client, { appName, outputUid, partition, batchTime }) {
      const { rowCount } = await client.query(claimSql, [`${appName}/${outputUid}`, partition, batchTime, batchesKept]);
      return rowCount === 1;
    },
    write,
    async commit(client) {
      await client.query('COMMIT');
      client.release();
    },
    async rollback(client, _context, cause) {
      // After an error nobody knows what state the connection is in: it goes, and the server rolls back by itself.
      if (cause !== undefined) return client.release(true);
      await client.query('ROLLBACK');
      client.release();
    },
  });
}

/** Call it once, before the stream starts. */
export async function createCommitTable(client: pg.ClientBase): Promise<void> {
  await client.query('CREATE TABLE IF NOT EXISTS millrace_commits (output text, partition int, batch_times bigint[] NOT NULL, PRIMARY KEY (output, partition))');
}

/** The oldest time of a row is its first. Where the times are as many as are kept, whatever is older than that counts as committed. */
export const claimSql = `
  INSERT INTO millrace_commits AS row (output, partition, batch_times) VALUES ($1, $2, ARRAY[$3::bigint])
  ON CONFLICT (output, partition) DO UPDATE
    SET batch_times = ARRAY(SELECT time FROM (SELECT unnest(row.batch_times || $3::bigint) AS time ORDER BY time DESC LIMIT $4) AS newest ORDER BY time)
    WHERE $3::bigint <> ALL (row.batch_times) AND (cardinality(row.batch_times) < $4 OR $3::bigint > row.batch_times[1])`;

/** One for each thread and database. A worker runs one task at a time, so it has mostly one connection. */
const pools = new Map<string, pg.Pool>();

function poolOf(connectionString: string): pg.Pool {
  const known = pools.get(connectionString);
  if (known !== undefined) return known;
  // With `allowExitOnIdle` a connection that nobody uses holds no process.
  const pool = new pg.Pool({ connectionString, max: 4, allowExitOnIdle: true });
  // An idle connection that breaks is made anew by the next task; without a listener it would end the thread.
  pool.on('error', () => {});
  pools.set(connectionString, pool);
  return pool;
}

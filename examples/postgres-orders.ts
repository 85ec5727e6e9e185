/**
 * Orders into PostgreSQL, each exactly once, while worker threads die in the middle of it.
 *
 *   DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres node dist/examples/postgres-orders.js
 *   DATABASE_URL=... node dist/examples/postgres-orders.js --batches 30
 *
 * It makes the tables `orders`, `spent` and `millrace_commits` anew, so give it a database that has none of these. A thread that dies takes its
 * transaction with it; the task runs again on another one, and writes what is not there yet.
 */
import pg from 'pg';
import { Milliseconds, StreamingContext } from 'millrace';
import { faults } from 'millrace/testing';
import { batchesAsked } from './feed.js';
import { createCommitTable } from './postgres-sink.js';
import type orders from './programs/orders.js';
import type { Order } from './programs/orders.js';

const connectionString = process.env['DATABASE_URL'];
if (connectionString === undefined) {
  console.error('Expected the address of a PostgreSQL database in DATABASE_URL.');
  process.exit(2);
}
const asked = batchesAsked();
const batches = Number.isFinite(asked) ? asked : 20;
const ordersPerBatch = 50;
const customers = ['ada', 'bob', 'cleo', 'dan', 'eve'];

const client = new pg.Client({ connectionString });
await client.connect();
await client.query('DROP TABLE IF EXISTS orders, spent, millrace_commits; CREATE TABLE orders (id int, customer text, cents int); CREATE TABLE spent (customer text PRIMARY KEY, cents bigint)');
await createCommitTable(client);

const ssc = await StreamingContext.create<typeof orders>(new URL('./programs/orders.js', import.meta.url), {
  master: 'local[2]',
  appName: 'orders-app',
  batchInterval: Milliseconds(100),
  args: { connectionString },
  logger: { log: () => {} },
});
let deaths = 0;
ssc.on('threadLost', () => void (deaths += 1));
await ssc.start();

for (let batch = 0; batch < batches; batch += 1) {
  const given = Array.from({ length: ordersPerBatch }, (_, index): Order => {
    const id = batch * ordersPerBatch + index;
    return { id, customer: customers[id % customers.length] as string, cents: 100 + id };
  });
  const next = new Promise((resolve) => {
    const off = ssc.on('batchCompleted', (info) => {
      off();
      resolve(info);
    });
  });
  await ssc.exports.incoming.push(given);
  // Now and then a worker dies, whatever it does.
  if (batch % 5 === 2) await faults(ssc).killThread('worker', batch % 2);
  await next;
}
// Graceful: what was pushed and is in no batch yet is written, too.
await ssc.stop({ graceful: true });

const total = batches * ordersPerBatch;
const { rows: [found] } = await client.query<{ all: number; different: number; cents: number; commits: number }>(
  'SELECT count(*)::int AS all, count(DISTINCT id)::int AS different, (SELECT sum(cents)::int FROM spent) AS cents, (SELECT count(*)::int FROM millrace_commits) AS commits FROM orders',
);
await client.end();
const cents = total * 100 + (total * (total - 1)) / 2;
console.log(`${found?.all} orders in the table, ${found?.different} different ones, of ${total}; ${found?.cents} cents spent, of ${cents}`);
console.log(`${deaths} worker threads died; ${found?.commits} rows name what was written`);
process.exitCode = found?.all === total && found.different === total && found.cents === cents ? 0 : 1;

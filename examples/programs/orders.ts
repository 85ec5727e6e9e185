/**
 * The program of examples/postgres-orders.ts: orders go into a table, and what each customer has spent into another, each order exactly once.
 */
import type { StreamingContext } from 'millrace';
import { postgresSink } from '../postgres-sink.js';

/** What has come in: its number, who has ordered, and for how much. */
export interface Order {
  readonly id: number;
  readonly customer: string;
  readonly cents: number;
}

export default function orders(ssc: StreamingContext, args: { readonly connectionString: string }) {
  const incoming = ssc.queue<Order>();
  ssc
    .queueStream(incoming)
    // Part of the name under which the output commits: so it stays the same when the program changes.
    .uid('orders')
    .foreachPartition(
      postgresSink<Order>({
        connectionString: args.connectionString,
        async write(client, records) {
          for (const { id, customer, cents } of records) {
            await client.query('INSERT INTO orders (id, customer, cents) VALUES ($1, $2, $3)', [id, customer, cents]);
            // What adds up shows a record that is written twice, where a key of its own would hide it.
            await client.query('INSERT INTO spent AS s (customer, cents) VALUES ($1, $2) ON CONFLICT (customer) DO UPDATE SET cents = s.cents + $2', [customer, cents]);
          }
        },
      }),
    );
  return { incoming };
}

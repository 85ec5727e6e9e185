/**
 * Sessions by mapWithState: a session begins with a user's first click, and ends when the user has been idle for longer than 500 ms.
 * Each session that ends is checked, click by click.
 *
 *   node dist/examples/sessions.js                   until Ctrl-C
 *   node dist/examples/sessions.js --batches 20      ends by itself
 *
 * State needs a checkpoint directory, as in Spark.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Milliseconds, StreamingContext } from 'millrace';
import { batchesAsked, feed } from './feed.js';
import type { Click } from './programs/sessions.js';
import type sessions from './programs/sessions.js';

const batchMs = 200;
const timeoutMs = 500;
const ssc = await StreamingContext.create<typeof sessions>(new URL('./programs/sessions.js', import.meta.url), {
  master: 'local[2]',
  appName: 'Sessions',
  batchInterval: Milliseconds(batchMs),
  // A directory belongs to one run; to go on from an earlier one, give its directory to StreamingContext.getOrCreate.
  checkpointDirectory: mkdtempSync(join(tmpdir(), 'millrace-sessions-')),
  args: { batchMs, timeoutMs },
});

/** User n clicks in n + 1 batches, one after another, and rests for 5; then once more. Somebody clicks in every batch. */
const users = ['ada', 'bob', 'cleo', 'dan'];
const restBatches = 5;
const clicksOf = (k: number): Click[] => [
  ...users.flatMap((user, n) => (k % (n + 1 + restBatches) <= n ? [{ user, page: `page-${k}` }] : [])),
  { user: 'robot', page: `page-${k}` },
];

/** The same by hand: user -> pages of the open session, and the batch of the last one. */
const open = new Map<string, { pages: string[]; last: number }>();
/** The first sweep after more than `timeoutMs` without a click. */
const idleBatches = Math.floor(timeoutMs / batchMs) + 1;

function eventsOf(k: number): string[] {
  const events: string[] = [];
  for (const { user, page } of clicksOf(k)) {
    const session = open.get(user);
    if (session === undefined) events.push(`${user} began`);
    open.set(user, { pages: [...(session?.pages ?? []), page], last: k });
  }
  for (const [user, { pages, last }] of open) {
    if (k - last < idleBatches) continue;
    events.push(`${user} ended: ${pages.join(' ')} in ${(pages.length - 1) * batchMs} ms`);
    open.delete(user);
  }
  return events.sort();
}

// The number of open sessions comes beside the events; this example shows it and checks it.
const opened = ssc.exports.open[Symbol.asyncIterator]();
let openAt = new Map<number, number>();

await feed(ssc, {
  queue: ssc.exports.clicks,
  output: ssc.exports.events,
  batches: batchesAsked(),
  inputOf: clicksOf,
  onBatch: async (events, k, time) => {
    while (!openAt.has(time)) {
      const { value, done } = await opened.next();
      if (done === true) return 'the numbers of open sessions have ended';
      openAt = new Map([[value.time, value.records[0] ?? 0]]);
    }
    const found = events.map((event) => (event.type === 'began' ? `${event.user} began` : `${event.user} ended: ${event.pages.join(' ')} in ${event.lastedMs} ms`)).sort();
    const expected = eventsOf(k);
    for (const event of found) console.log(`batch ${k + 1}: ${event}`);
    if (found.join() !== expected.join()) return `expected ${expected.join(', ') || 'no event'} in batch ${k + 1}`;
    return openAt.get(time) === open.size ? null : `${openAt.get(time)} sessions are open after batch ${k + 1}, expected ${open.size}`;
  },
});

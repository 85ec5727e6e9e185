/**
 * Filters messages by a list of spammers, which this app replaces every few batches, and checks that each batch was filtered by one edition
 * of the list alone.
 *
 *   node dist/examples/spam-filter.js                   until Ctrl-C
 *   node dist/examples/spam-filter.js --batches 10      ends by itself
 */
import { Milliseconds, StreamingContext } from 'millrace';
import { batchesAsked, feed, lineOf } from './feed.js';
import type spamFilter from './programs/spam-filter.js';
import type { Message } from './programs/spam-filter.js';

const senders = ['ada', 'bob', 'cleo', 'dan', 'eve'];
/** Edition n of the list, from 1: always one sender, each in turn. `ada` never is one. */
const spammersOf = (edition: number): string[] => [senders[1 + (edition % (senders.length - 1))] as string];
const messagesOf = (k: number): Message[] => senders.map((from, index) => ({ from, text: lineOf(k + index) }));

const ssc = await StreamingContext.create<typeof spamFilter>(new URL('./programs/spam-filter.js', import.meta.url), {
  master: 'local[2]',
  appName: 'SpamFilter',
  batchInterval: Milliseconds(200),
  args: { senders: spammersOf(1) },
});

const batchesPerEdition = 3;
let newest = 1;

await feed(ssc, {
  queue: ssc.exports.messages,
  output: ssc.exports.allowed,
  batches: batchesAsked(),
  inputOf: messagesOf,
  // So that the list is replaced between two batches with messages.
  oneByOne: true,
  onBatch: async (allowed, k) => {
    const editions = new Set(allowed.map(({ edition }) => edition));
    const [edition = 0] = editions;
    if (editions.size !== 1) return `batch ${k + 1} has seen the editions ${[...editions].join(', ')} of the list`;
    if (edition !== newest) return `batch ${k + 1} has seen edition ${edition}; ${newest} was set before`;
    console.log(`batch ${k + 1}, edition ${edition} (${spammersOf(edition).join(', ')}): ${allowed.map(({ from }) => from).sort().join(', ')}`);

    const expected = messagesOf(k).filter(({ from }) => !spammersOf(edition).includes(from));
    const same = expected.length === allowed.length && expected.every(({ from, text }) => allowed.some((other) => other.from === from && other.text === text));
    if (!same) return `batch ${k + 1} holds ${JSON.stringify(allowed)}`;

    if ((k + 1) % batchesPerEdition === 0) {
      newest += 1;
      // Settles when all batches from then on see it.
      await ssc.exports.spam.set({ edition: newest, senders: spammersOf(newest) });
    }
    return null;
  },
});

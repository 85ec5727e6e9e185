/**
 * What holds the process while a context is active on the app's own thread.
 *
 * Bug: under a manual clock nothing did: a process that waited for awaitTermination ended at once, though OPERATIONS.md says that
 * an active context keeps it alive. Plan: what Node itself counts as open work, over a context's life.
 */
import t from 'tap';
import { KeepAlive } from '../../lib/keep-alive.ts';
import { StreamingContext } from '../../lib/streaming-context.ts';
import { silent } from '../helpers/running.ts';

const open = (): number => process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length;
/** A port that was closed is gone after a turn of the loop. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

t.test('an inline context under a manual clock holds the process from its start to its stop, unless it was let go', async (t) => {
  const before = open();
  const ssc = await StreamingContext.create((context) => context.batchesStream([[1]]).foreach(() => {}), { master: 'inline', batchInterval: 100, clock: 'manual', logger: silent });
  t.equal(open(), before, 'not before its start');
  await ssc.start();
  t.equal(open(), before + 1);
  ssc.unref();
  t.equal(open(), before);
  ssc.ref();
  t.equal(open(), before + 1);
  await ssc.stop();
  await nextTurn();
  t.equal(open(), before);
});

t.test('it is held as long as anybody holds it', async (t) => {
  const before = open();
  const alive = new KeepAlive<string>();
  alive.setRef(true);
  alive.hold('a');
  alive.hold('b');
  alive.release('a');
  alive.release('a');
  await nextTurn();
  t.equal(open(), before + 1);
  alive.setRef(false);
  alive.release('b');
  alive.hold('c');
  await nextTurn();
  t.equal(open(), before, 'let go before it is held');
  alive.setRef(true);
  t.equal(open(), before + 1);
  alive.release('c');
  await nextTurn();
  t.equal(open(), before);
});

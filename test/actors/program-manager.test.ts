/** The life of a program: every start and stop is answered, and memory is given back only when nobody reads it any more. */
import t from 'tap';
import { programManager } from '../../actors/program-manager.ts';
import type { StreamingSpec } from '../../protocol/host.ts';
import { asHostId, asProgramId } from '../../protocol/ids.ts';
import { stubServices } from '../helpers/stub-services.ts';
import { Driven, wireError } from '../helpers/stub-turn.ts';

const program = asProgramId(0);

function manager(durability: unknown = null) {
  const spec = { descriptor: { program, url: null, args: null, batchIntervalMs: 1_000, appName: 'test' }, clock: 'system', outputNames: ['print', 'save'], durability } as unknown as StreamingSpec;
  const driven = new Driven(programManager(stubServices({}, 12_345), (_spec, { zeroTime, startTime }) => ({ id: `streaming-0 from ${zeroTime}, asked for at ${startTime}`, behavior: 'supervisor', args: null })), undefined);
  driven.send({ type: 'startProgram', spec, replyTo: driven.replyTo(1) });
  return driven;
}

function active(durability: unknown = null) {
  const driven = manager(durability);
  driven.answer({ io: [] }).answer(null);
  driven.take();
  return driven;
}

const asked = (driven: ReturnType<typeof manager>): string[] => driven.asked.map(({ message }) => message.type);

t.test('a start builds everywhere, then hangs the actors into the tree, from the grid point before now', (t) => {
  const driven = manager();
  t.same(asked(driven), ['loadEverywhere']);
  driven.answer({ io: [] });
  t.match(driven.asked, [{ message: { type: 'startChild', spec: { id: 'streaming-0 from 12000, asked for at 12345' } } }]);
  t.equal(driven.replies.size, 0);
  driven.answer(null);
  t.same(driven.replies.get(1), { zeroTime: 12_000 });
  t.end();
});

t.test('a program that can\'t be built is the answer of its start, and leaves nothing', (t) => {
  const driven = manager();
  driven.fail(wireError('It diverged.', 'ProgramDiverged'));
  t.match(driven.replies.get(1), { code: 'ProgramDiverged' });
  t.ok(driven.take().some(({ type }) => type === 'forgetProgram'));
  driven.send({ type: 'stopProgram', program, graceful: true, timeoutMs: 10, replyTo: driven.replyTo(2) });
  t.equal(driven.replies.get(2), null, 'a stop of what is gone is answered at once');
  t.end();
});

/** Bug: the memory of results was given back while the app had still to read them. */
t.test('a stop gives memory back only after the app has read what is on its way', (t) => {
  const driven = active();
  driven.send({ type: 'stopProgram', program, graceful: false, timeoutMs: 10, replyTo: driven.replyTo(2) });
  t.same(asked(driven), ['terminateChild']);
  driven.answer(null);
  t.same(asked(driven), ['flush']);
  t.same(driven.take('forgetProgram'), []);
  t.notOk(driven.replies.has(2));
  driven.answer(null);
  t.equal(driven.take('forgetProgram').length, 2, 'the scheduler gives it back, and the threads forget the program');
  t.equal(driven.replies.get(2), null);
  t.end();
});

t.test('a graceful stop ends intake, then the timer, runs a last batch where something is left, waits for it, and takes down', (t) => {
  const driven = active();
  driven.send({ type: 'stopProgram', program, graceful: true, timeoutMs: 5_000, replyTo: driven.replyTo(2) });
  const steps: string[][] = [];
  const nothing = { reads: 0, batchesMax: 0 };
  for (const answer of [{ unallocated: 3, running: 0 }, 13_000, nothing, 14_000, nothing, { error: null }, null, null]) {
    steps.push(asked(driven));
    driven.answer(answer);
  }
  t.same(steps, [['stopReceivers'], ['stopTimer'], ['countWaiting'], ['lastBatch'], ['countWaiting'], ['awaitBatch'], ['terminateChild'], ['flush']]);
  t.equal(driven.replies.get(2), null);
  t.end();
});

t.test('a graceful stop in which nothing is left has no batch more; one that fails on the way is taken down all the same', (t) => {
  const driven = active();
  driven.send({ type: 'stopProgram', program, graceful: true, timeoutMs: 5_000, replyTo: driven.replyTo(2) });
  driven.answer({ unallocated: 0, running: 0 }).answer(13_000).answer({ reads: 0, batchesMax: 0 });
  t.same(asked(driven), ['awaitBatch']);
  driven.fail(wireError('gone', 'ActorGone'));
  t.same(asked(driven), ['terminateChild']);
  driven.fail(wireError('gone', 'ActorGone')).fail(wireError('gone', 'ActorGone'));
  t.equal(driven.replies.get(2), null);
  t.end();
});

const receiver = { stream: 0, operator: { uid: 'lines', name: 'socketTextStream', place: 'two.js:1:1' } };
const under = { batch: 13_000, output: 1, held: false, waiting: 1, batches: [13_000, 14_000] };

/** The answers of those who know what is left: tracker, generator, scheduler. */
function tellLeft(driven: ReturnType<typeof manager>, ...answers: readonly unknown[]): void {
  for (const answer of answers) {
    if (asked(driven).join() === 'whatIsLeft' || asked(driven).join() === 'whatIsUnderWay') driven.answer(answer);
  }
}

for (const [name, durability, where] of [
  ['no checkpoint directory', null, /What was left is lost/],
  ['a log', { settings: { directory: '/ck', logsBlocks: true }, recovered: null }, /What was left is in the log in \/ck, and is processed after the next getOrCreate\.$/],
  ['a log without received data', { settings: { directory: '/ck', logsBlocks: false }, recovered: null }, /run at the next getOrCreate, but without what receivers had brought: writeAheadLog is false/],
] as const) {
  t.test(`a graceful stop whose time is over says exactly what was left, and where that is: ${name}`, (t) => {
    const driven = active(durability);
    driven.send({ type: 'stopProgram', program, graceful: true, timeoutMs: 5_000, replyTo: driven.replyTo(2) });
    t.match(driven.asked, [{ timeoutMs: 32_500, message: { timeoutMs: 2_500 } }], 'receivers have half of the time');
    driven.answer({ unallocated: 0, running: 1 }).answer(15_000).answer({ reads: 0, batchesMax: 0 }).fail(wireError('too slow', 'AskTimeout'));
    tellLeft(driven, { blocks: 2, records: 7, receivers: [receiver] }, { batches: [14_000, 15_000], queued: 1 }, under);
    while (driven.asked.length > 0) driven.answer(null);
    const error = driven.replies.get(2) as { readonly code: string; readonly message: string; readonly fields: { readonly details: object } };
    t.equal(error.code, 'StopTimeout');
    t.match(error.message, 'within timeoutMs (5000 ms); 3 batches are not complete: 13000, 14000, 15000 ms; output 1 (save) of the batch at 13000 ms has not ended; 2 blocks with 7 records are in no batch; 1 RDD in a queue is in no batch; the receiver of stream 0, socketTextStream at two.js:1:1 has not ended. The context is stopped all the same.');
    t.match(error.message, where);
    t.strictSame(error.fields.details, {
      timeoutMs: 5_000,
      batches: [13_000, 14_000, 15_000],
      output: { output: 1, batchTime: 13_000, held: false, name: 'save' },
      blocks: 2,
      records: 7,
      queued: 1,
      receivers: [{ stream: 0, uid: 'lines', name: 'socketTextStream', place: 'two.js:1:1' }],
      isLogged: name === 'a log',
    });
    t.end();
  });
}

t.test('a receiver that has not ended is told, also where all batches are complete', (t) => {
  const driven = active();
  driven.send({ type: 'stopProgram', program, graceful: true, timeoutMs: 5_000, replyTo: driven.replyTo(2) });
  driven.answer({ unallocated: 0, running: 1 }).answer(13_000).answer({ reads: 0, batchesMax: 0 }).answer({ error: null });
  tellLeft(driven, { blocks: 0, records: 0, receivers: [receiver] }, { batches: [], queued: 0 }, { batch: null, output: null, held: false, waiting: 0, batches: [] });
  while (driven.asked.length > 0) driven.answer(null);
  t.match(driven.replies.get(2), { code: 'StopTimeout', message: /; the receiver of stream 0, .* has not ended\. The context is stopped all the same\. Nothing that was stored is lost\.$/ });
  t.end();
});

t.test('a failed batch that ends all later ones is no timeout: what it leaves is logged', (t) => {
  const driven = active();
  driven.send({ type: 'stopProgram', program, graceful: true, timeoutMs: 5_000, replyTo: driven.replyTo(2) });
  driven.answer({ unallocated: 0, running: 0 }).answer(14_000).answer({ reads: 0, batchesMax: 0 }).answer({ error: wireError('It failed.') });
  tellLeft(driven, { blocks: 0, records: 0, receivers: [] }, { batches: [], queued: 0 }, { batch: null, output: null, held: false, waiting: 1, batches: [14_000] });
  while (driven.asked.length > 0) driven.answer(null);
  t.equal(driven.replies.get(2), null);
  t.match(driven.logs, [/^warn The graceful stop did not process everything, since a batch has failed: the batch at 14000 ms is not complete\.$/]);
  t.end();
});

/** Bug: a program that goes on, and is stopped before its first batch, was waited for until the time was over: for a batch of the run before. */
t.test('after a restart it waits for batches that run again, and for no other of the run before', (t) => {
  const book = (completed: number) => ({ identity: { zeroTime: 10_000, startTime: 10_000 }, generated: 12_000, completed, batches: new Map([[11_000, {}], [12_000, {}]]) });
  for (const [completed, waits] of [[11_000, 'awaitBatch'], [12_000, '']] as const) {
    const driven = active({ settings: { directory: '/ck', logsBlocks: true }, missedBatches: 'all', recovered: { book: book(completed) } });
    driven.send({ type: 'stopProgram', program, graceful: true, timeoutMs: 5_000, replyTo: driven.replyTo(2) });
    driven.answer({ unallocated: 0, running: 0 }).answer(12_000).answer({ reads: 0, batchesMax: 0 });
    t.equal(asked(driven).join(), waits, `complete up to ${completed}`);
    if (waits === '') t.match(driven.take('programStep'), [{ step: { type: 'lastBatchRun', late: false } }]);
    else t.match(driven.asked, [{ message: { time: 12_000 } }]);
  }
  t.end();
});

t.test('a graceful stop empties the queues that it found, and is not held up by who goes on pushing', (t) => {
  const driven = active();
  driven.send({ type: 'stopProgram', program, graceful: true, timeoutMs: 5_000, replyTo: driven.replyTo(2) });
  driven.answer({ unallocated: 0, running: 0 }).answer(13_000);
  for (const time of [14_000, 15_000]) {
    driven.answer({ reads: 2, batchesMax: 2 });
    t.same(asked(driven), ['lastBatch']);
    driven.answer(time);
  }
  driven.answer({ reads: 7, batchesMax: 7 });
  t.match(driven.asked, [{ message: { type: 'awaitBatch', time: 15_000 } }]);
  t.end();
});

t.test('a second stop is answered when the first is over, too; a stop during the start answers both', (t) => {
  const driven = manager();
  driven.send({ type: 'stopProgram', program, graceful: true, timeoutMs: 5_000, replyTo: driven.replyTo(2) });
  t.match(driven.replies.get(1), { code: 'ContextStopped' });
  driven.send({ type: 'stopProgram', program, graceful: false, timeoutMs: 5_000, replyTo: driven.replyTo(3) });
  driven.answer(null, ({ message }) => message.type === 'terminateChild');
  t.notOk(driven.replies.has(3));
  driven.answer(null, ({ message }) => message.type === 'flush');
  t.equal(driven.replies.get(2), null);
  t.equal(driven.replies.get(3), null);
  t.end();
});

t.test('actors that end by themselves are told to the app as a failure, once, and nothing is left', (t) => {
  const driven = active();
  const ref = { host: 1, cell: 100, path: '/driver/programs/streaming-0' } as never;
  const ended = { type: 'terminated', ref, reason: { type: 'error', error: wireError('The generator failed.') } } as const;
  driven.signal(ended).signal(ended);
  const told = driven.take().map(({ type, event }) => (type === 'emit' ? (event as { type: string }).type : type));
  t.same(told.filter((type) => type === 'failed' || type === 'programEnded' || type === 'forgetProgram'), ['failed', 'forgetProgram', 'forgetProgram', 'programEnded']);
  t.end();
});

/** Bug: where a new thread could not build a running program, all threads forgot it, and nobody was told. */
t.test('a program that a new thread can\'t build is told to the app as a failure, taken down and forgotten', (t) => {
  const driven = active();
  driven.send({ type: 'programBroken', program, error: wireError('gone', 'ProgramMissing') });
  const told = () => driven.take('emit').map(({ event }) => event as { type: string; info: { error: { code: string } } }).map(({ type, info }) => [type, info.error.code]);
  t.same(told(), [['failed', 'ProgramMissing']]);
  t.same(asked(driven), ['terminateChild']);
  driven.send({ type: 'stopProgram', program, graceful: false, timeoutMs: 10, replyTo: driven.replyTo(2) });
  driven.answer(null);
  t.notOk(driven.replies.has(2), 'the app\'s own stop waits, too');
  driven.answer(null);
  t.same(told(), [['programEnded', 'ProgramMissing']], 'not before nothing of it runs any more: its directory is free then');
  t.equal(driven.take('forgetProgram').length, 2);
  t.equal(driven.replies.get(2), null);
  driven.send({ type: 'stopProgram', program, graceful: false, timeoutMs: 10, replyTo: driven.replyTo(3) });
  t.equal(driven.replies.get(3), null, 'nor is one that comes later left without an answer');
  t.end();
});

t.test('the memory of an io thread is reclaimed when each program\'s tracker has answered, or is gone', (t) => {
  const driven = active();
  const other = { descriptor: { program: asProgramId(1), url: null, args: null, batchIntervalMs: 1_000, appName: 'other' }, clock: 'system' } as unknown as StreamingSpec;
  driven.send({ type: 'startProgram', spec: other, replyTo: driven.replyTo(5) }).answer({ io: [] }).answer(null);
  driven.send({ type: 'ioHostDown', host: asHostId(2), error: wireError('gone', 'HostGone'), entered: [] });
  t.same(asked(driven), ['ioHostDown']);
  driven.answer(null);
  t.same(asked(driven), ['ioHostDown'], 'the other one');
  t.same(driven.take('hostExited'), [], 'not before');
  driven.fail(wireError('It has ended.', 'ActorGone'));
  t.match(driven.take('hostExited'), [{ host: 2 }]);
  t.end();
});

/** Batches and their outputs, one after another, whatever becomes of one of them. */
import t from 'tap';
import { jobScheduler } from '../../actors/job-scheduler.ts';
import type { JobSchedulerArgs } from '../../actors/job-scheduler.ts';
import type { JobSet, OutputAction, ToJobScheduler } from '../../protocol/job.ts';
import type { BatchInfo } from '../../protocol/listener.ts';
import { asProgramId, asRddId } from '../../protocol/ids.ts';
import { asBatchTime } from '../../protocol/time.ts';
import { handle, stubServices } from '../helpers/stub-services.ts';
import { Driven, wireError } from '../helpers/stub-turn.ts';

const run: OutputAction = { kind: 'run', sink: { kind: 'count' } };

type DirectoryWork = (what: 'claimed' | 'completed', directory: string, overwrite?: boolean) => void;

function scheduler(args: Partial<JobSchedulerArgs> = {}, work: DirectoryWork = () => {}) {
  // What the stub performs is synchronous.
  const claimDirectory = (directory: string, overwrite: boolean): Promise<void> => work('claimed', directory, overwrite) as never;
  const completeDirectory = (directory: string): Promise<void> => work('completed', directory) as never;
  const services = { ...stubServices(), claimDirectory, completeDirectory };
  return new Driven(jobScheduler(services), { program: asProgramId(0), onBatchFailure: 'stop', outputTimeoutMs: 1_000, outputNames: ['first', 'second'], ...args });
}

type Scheduler = ReturnType<typeof scheduler>;

function batch(time: number, actions: readonly OutputAction[] = [run, run], partitions = 1): ToJobScheduler {
  const rdd = asRddId(time);
  const jobSet: JobSet = {
    time: asBatchTime(time),
    jobs: actions.map((action, output) => ({ output, action, rdd })),
    nodes: [{ kind: 'source', id: rdd, parents: [], partitions, partitioner: null, storage: null, operator: null, blocks: [] }],
    replays: [],
    broadcasts: [],
    inputRecords: 7,
    submittedAt: 0,
  };
  return { type: 'submitJobSet', jobSet };
}

/** `time/output` of the jobs that are under way. */
function underWay(scheduler: Scheduler): string[] {
  return scheduler.asked.map(({ message }) => {
    const request = message['request'] as { readonly batchTime: number; readonly resultScope: string } | undefined;
    return request === undefined ? `${String(message['time'])}/${String(message['output'])}` : request.resultScope.split('/').slice(2).join('/');
  });
}

function events(scheduler: Scheduler, type: string): BatchInfo[] {
  const emitted = scheduler.told.flatMap(({ message }) => (message.type === 'emit' ? [message['event'] as { type: string; info: BatchInfo }] : []));
  return emitted.flatMap((event) => (event.type === type ? [event.info] : []));
}

const completed = (scheduler: Scheduler): number[] => events(scheduler, 'batchCompleted').map(({ batchTime }) => batchTime);
const done = { ok: true, outputs: [{ kind: 'count', count: 1 }] };
const failure = { ok: false, error: wireError('It failed.') };

t.test('outputs run one at a time, in their order; the next batch begins after the last of them', (t) => {
  const s = scheduler();
  s.send(batch(1_000), batch(2_000));
  t.same(underWay(s), ['1000/0']);
  s.answer(done);
  t.same(underWay(s), ['1000/1']);
  t.same(completed(s), []);
  s.answer(done);
  t.same(completed(s), [1_000]);
  t.same(underWay(s), ['2000/0']);
  s.answer(done).answer(done);
  t.same(completed(s), [1_000, 2_000]);
  t.same(s.take('batchCompleted').map(({ time }) => time), [1_000, 2_000], 'the job generator is told, too');
  t.end();
});

t.test('records left out are told with their batch, each once; dead letters go to the app and to listeners', (t) => {
  const s = scheduler();
  const leftOut = (time: number, records: number, policy: 'skip' | 'deadLetter', origin = 'rdd-1'): ToJobScheduler => ({
    type: 'recordsLeftOut',
    leftOut: [{ program: asProgramId(0), origin, operator: null, batchTime: asBatchTime(time), partition: 0, policy, records, letters: policy === 'skip' ? [] : Array.from({ length: records }, (_, index) => ({ index, record: null, preview: '', error: wireError('no') })) }],
  });
  s.send(batch(1_000), batch(2_000));
  s.send(leftOut(1_000, 2, 'deadLetter'));
  s.answer(done);
  s.send(leftOut(1_000, 3, 'deadLetter'), leftOut(1_000, 3, 'deadLetter'), leftOut(1_000, 4, 'skip', 'rdd-2'));
  s.answer(done).answer(done).answer(done);
  t.same(events(s, 'batchCompleted').map((info) => info.leftOut.map(({ onError, records, deadLetters }) => [onError, records, deadLetters])), [[['deadLetter', 3, 3], ['skip', 4, 0]], []]);
  t.match(s.take('deadLetters').map(({ letters }) => letters), [{ records: 2, letters: [{ index: 0 }, { index: 1 }] }, { records: 1, letters: [{ index: 2 }] }]);
  t.same(events(s, 'deadLetters').map((info) => info.records), [2, 1]);
  t.end();
});

t.test('a batch without outputs completes at once, and so does a whole row of them', (t) => {
  const s = scheduler();
  s.send(batch(1_000, []), batch(2_000, []), batch(3_000));
  t.same(completed(s), [1_000, 2_000]);
  t.same(underWay(s), ['3000/0']);
  t.end();
});

t.test('stop: the failed batch\'s other outputs still run, then no batch begins', (t) => {
  const s = scheduler();
  s.send(batch(1_000), batch(2_000));
  s.answer(failure);
  t.same(underWay(s), ['1000/1']);
  s.answer(done);
  t.same(completed(s), [1_000]);
  t.same(underWay(s), [], 'nothing of the second batch');
  s.send(batch(3_000));
  t.same(underWay(s), []);
  t.match(events(s, 'failed'), [{ error: { message: 'It failed.' }, time: 1_000 }]);
  t.match(events(s, 'batchCompleted')[0]?.outputs, [{ output: 0, name: 'first', error: { message: 'It failed.' } }, { output: 1, name: 'second', error: null }]);
  t.end();
});

t.test('stop: with a log the failed batch is not told as complete, so that it runs again; what stops has given it back anyway', (t) => {
  for (const [isDurable, told] of [[true, [1_000]], [false, [1_000, 2_000]]] as const) {
    const s = scheduler({ isDurable });
    s.send(batch(1_000, [run])).answer(done);
    s.send(batch(2_000, [run])).answer(failure);
    t.same(s.take('batchCompleted').map(({ time }) => time), told);
  }
  t.end();
});

t.test('where the program is taken down the batch that runs is the last one, and it counts', (t) => {
  const s = scheduler({ isDurable: true });
  s.send(batch(1_000, [run]), batch(2_000, [run]), { type: 'endBatches' });
  s.answer(done);
  t.same(s.take('batchCompleted').map(({ time }) => time), [1_000]);
  t.same(underWay(s), []);
  t.end();
});

t.test('skip: the next batch runs, and nobody is told of a failure of the context', (t) => {
  const s = scheduler({ onBatchFailure: 'skip' });
  s.send(batch(1_000), batch(2_000));
  s.answer(failure).answer(done);
  t.same(underWay(s), ['2000/0']);
  t.same(events(s, 'failed'), []);
  t.match(s.logs, [/warn .*1000 ms failed and is skipped/]);
  t.match(s.take('outputSkipped'), [{ output: 0, time: 1_000, error: { message: 'It failed.' } }], 'a dead letter goes to the app');
  s.answer(done).answer(done).send({ type: 'generationFailed', time: asBatchTime(3_000), error: wireError('No RDD.') });
  t.match(s.take('outputSkipped'), [{ output: null, time: 3_000, error: { message: 'No RDD.' } }]);
  t.end();
});

t.test('continue: the failure is told, and the next batch runs', (t) => {
  const s = scheduler({ onBatchFailure: 'continue' });
  s.send(batch(1_000), batch(2_000));
  s.answer(failure).answer(done);
  t.same(underWay(s), ['2000/0']);
  t.equal(events(s, 'failed').length, 1);
  t.same(s.take('outputSkipped'), []);
  t.end();
});

/** Bug: a batch that could not be generated stopped the batches before it, which were still waiting to run. */
t.test('a batch that could not be generated fails when its turn comes: those before it run', (t) => {
  const s = scheduler();
  s.send(batch(1_000), batch(2_000), { type: 'generationFailed', time: asBatchTime(3_000), error: wireError('No RDD.') }, batch(4_000));
  t.same(events(s, 'failed'), []);
  s.answer(done).answer(done);
  t.same(underWay(s), ['2000/0']);
  s.answer(done).answer(done);
  t.same(completed(s), [1_000, 2_000, 3_000]);
  t.match(events(s, 'failed'), [{ time: 3_000 }]);
  t.same(underWay(s), [], 'and none after it');
  t.end();
});

t.test('who waits for a batch is answered when it is complete, and with the error when it will never be', (t) => {
  const s = scheduler();
  const waitFor = (time: number, ask: number): ToJobScheduler => ({ type: 'awaitBatch', time: asBatchTime(time), replyTo: s.replyTo(ask) });
  s.send(waitFor(1_000, 1), waitFor(2_000, 2), batch(1_000, [run]), batch(2_000, [run]), waitFor(9_000, 3));
  t.equal(s.replies.size, 0);
  s.answer(done);
  t.same([...s.replies], [[1, { error: null }]]);
  s.answer(failure);
  t.match([...s.replies], [[1, { error: null }], [2, { error: null }], [3, { error: { message: 'It failed.' } }]]);
  s.send(waitFor(2_000, 4), waitFor(9_000, 5));
  t.match([s.replies.get(4), s.replies.get(5)], [{ error: null }, { error: { message: 'It failed.' } }]);
  t.end();
});

t.test('an output that takes too long fails with the option\'s name; what comes of it later changes nothing', (t) => {
  const s = scheduler({ onBatchFailure: 'continue' });
  s.send(batch(1_000));
  t.equal(s.asked[0]?.timeoutMs, 1_000);
  s.fail(wireError('no answer', 'AskTimeout'));
  t.match(events(s, 'failed'), [{ error: { code: 'OutputTimeout', message: /outputTimeoutMs \(1000 ms\)/ } }]);
  s.send({ type: 'jobEnded', time: asBatchTime(1_000), output: 0, error: null });
  t.same(underWay(s), ['1000/1'], 'the end of output 0 does not end output 1');
  t.same(completed(s), []);
  t.end();
});

t.test('print reads the first partition alone where it gives enough, else the others too', (t) => {
  const records = (count: number, slab: number) => ({ ok: true, outputs: [{ kind: 'records', total: count, block: { id: 'b', codec: 'records', place: handle(slab), records: count } }] });
  const partitions = (s: Scheduler): unknown => (s.asked[0]?.message['request'] as { partitions: unknown } | undefined)?.partitions;
  const enough = scheduler();
  enough.send(batch(1_000, [{ kind: 'print', limit: 10 }], 4));
  t.same(partitions(enough), [0]);
  enough.answer(records(11, 0));
  t.same(enough.take('printBatch').map(({ records: blocks }) => (blocks as unknown[]).length), [1]);
  t.same(completed(enough), [1_000]);
  const few = scheduler();
  few.send(batch(1_000, [{ kind: 'print', limit: 10 }], 4));
  few.answer(records(3, 0));
  t.same(partitions(few), [1, 2, 3]);
  few.answer(records(2, 1));
  t.same(few.take('printBatch').map(({ records: blocks }) => (blocks as { records: number }[]).map((block) => block.records)), [[3, 2]]);
  t.end();
});

t.test('a reader that is as far behind as it may be holds the output, until it has taken a batch', (t) => {
  const s = scheduler();
  const publish: OutputAction = { kind: 'publish', outstandingMax: 1, mode: 'hold' };
  const nothing = { ok: true, outputs: [] };
  s.send(batch(1_000, [publish]), batch(2_000, [publish]), batch(3_000, [publish]));
  s.answer(nothing);
  t.same(completed(s), [1_000]);
  s.answer(nothing);
  t.same(completed(s), [1_000], 'the second has been sent, and its batch is held');
  t.same(s.take('publishBatch').map(({ time }) => time), [1_000, 2_000]);
  s.send({ type: 'publishedTaken', output: 0 });
  t.same(completed(s), [1_000, 2_000]);
  t.end();
});

/** Bug: each file was whole or not there, but nothing said whether a directory had all of its parts. */
t.test('an output directory is emptied before its job begins, and marked as complete when all parts are written and its output has not ended yet', (t) => {
  const worked: string[] = [];
  const s = scheduler({ onBatchFailure: 'skip' }, (what, directory, overwrite) => {
    worked.push(`${directory} ${what} after ${completed(s).length}${overwrite === true ? ', overwriting' : ''}, ${underWay(s).length} under way`);
  });
  const save = (directory: string): OutputAction => ({ kind: 'run', sink: { kind: 'saveText', directory } });
  s.send(batch(1_000, [save('out-1000')]), batch(2_000, [save('out-2000')]));
  const first = ['out-1000 claimed after 0, overwriting, 0 under way'];
  t.same(worked, first);
  t.same(underWay(s), ['1000/0']);
  s.answer(done);
  const second = [...first, 'out-1000 completed after 0, 0 under way', 'out-2000 claimed after 1, overwriting, 0 under way'];
  t.same(worked, second);
  t.same(completed(s), [1_000]);
  s.answer(failure);
  t.same(worked, second, 'a part is missing');
  t.same(completed(s), [1_000, 2_000]);
  s.send({ type: 'directoryClaimed', time: asBatchTime(1_000), output: 0 });
  t.same(underWay(s), [], 'late: nothing begins');
  t.end();
});

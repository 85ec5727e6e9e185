/** What the app asks of its driver, over the driver's deaths. */
import t from 'tap';
import { DriverQuestions } from '../../lib/driver-questions.ts';
import { decodeRecord, decodeRecords } from '../../protocol/codec.ts';
import { MillraceError } from '../../protocol/errors.ts';
import { asBatchTime } from '../../protocol/time.ts';

interface Asked {
  readonly what: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (thrown: unknown) => void;
}

const lost = (): MillraceError => new MillraceError('DriverRestarted', 'lost');

/** A driver that answers when the test says so. `log`: what its log has. */
class Driver {
  asked: Asked[] = [];
  readonly questions: DriverQuestions;

  constructor() {
    const ask = <R>(what: string): Promise<R> => new Promise<R>((resolve, reject) => this.asked.push({ what, resolve: resolve as never, reject }));
    this.questions = new DriverQuestions({
      batchIntervalMs: 1_000,
      generator: (make) => {
        const message = make({} as never) as { readonly type: string; readonly queue?: number; readonly partitions?: readonly { readonly bytes: Uint8Array }[]; readonly broadcast?: number; readonly value?: Uint8Array };
        if (message.type === 'queuePushed') return ask(`push ${message.queue} ${message.partitions?.flatMap(({ bytes }) => decodeRecords(bytes)).join()}`);
        return ask(message.type === 'broadcastSet' ? `set ${message.broadcast} ${String(decodeRecord(message.value as Uint8Array))}` : message.type);
      },
      timer: (make) => ask(`advance ${(make({} as never) as { readonly batches: number }).batches}`),
      batch: (time) => ask(`await ${time}`),
    });
  }

  open({ pushes = 0, sets = 0, completed = null, announced = 0 }: { readonly pushes?: number; readonly sets?: number; readonly completed?: number | null; readonly announced?: number } = {}): void {
    this.questions.open({ pushes: () => pushes, sets: () => sets, completed: completed === null ? null : asBatchTime(completed), announced: asBatchTime(announced) });
  }

  /** Its thread dies: what it has not answered it never will. */
  async die(): Promise<void> {
    this.questions.lost();
    for (const { reject } of this.asked.splice(0)) reject(lost());
    await settled();
  }

  get underWay(): readonly string[] {
    return this.asked.map(({ what }) => what);
  }

  async answer(what: string, value: unknown = null): Promise<void> {
    const at = this.asked.findIndex((one) => one.what === what);
    this.asked.splice(at, 1)[0]?.resolve(value);
    await settled();
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Which of them have settled, and how. */
function watch(promises: Readonly<Record<string, Promise<unknown>>>): Record<string, unknown> {
  const seen: Record<string, unknown> = {};
  for (const [name, promise] of Object.entries(promises)) {
    promise.then(
      (value) => (seen[name] = value ?? 'done'),
      (thrown: MillraceError) => (seen[name] = thrown.code),
    );
  }
  return seen;
}

t.test('pushes that the log has are answered by it; the others are sent again, in their order, before later ones', async (t) => {
  const driver = new Driver();
  driver.open({ pushes: 4 });
  const { questions } = driver;
  const seen = watch({ a: questions.push(0, [['a']], 1), b: questions.push(0, [['b']], 1), c: questions.push(0, [['c']], 1) });
  await settled();
  await driver.answer('push 0 a');
  await driver.die();
  const later = watch({ d: questions.push(0, [['d']], 1) });
  await settled();
  t.same(driver.underWay, [], 'nobody is there to be asked');
  driver.open({ pushes: 6 });
  await settled();
  t.same(seen, { a: 'done', b: 'done' });
  t.same(driver.underWay, ['push 0 c', 'push 0 d']);
  // Again: nothing of these has come into the log.
  await driver.die();
  driver.open({ pushes: 6 });
  await settled();
  t.same(driver.underWay, ['push 0 c', 'push 0 d']);
  await driver.answer('push 0 c');
  await driver.answer('push 0 d');
  t.same({ ...seen, ...later }, { a: 'done', b: 'done', c: 'done', d: 'done' });
});

t.test('a push that was refused is no answer for another one', async (t) => {
  const driver = new Driver();
  driver.open();
  const seen = watch({ a: driver.questions.push(0, [['a']], 1), b: driver.questions.push(0, [['b']], 1) });
  await settled();
  driver.asked.shift()?.reject(new MillraceError('BlockMemoryExhausted', 'full'));
  await settled();
  await driver.die();
  driver.open({ pushes: 1 });
  await settled();
  t.same(seen, { a: 'BlockMemoryExhausted', b: 'done' });
});

t.test('a first push while the driver is away counts from what the log had before', async (t) => {
  const driver = new Driver();
  driver.open({ pushes: 7 });
  await driver.die();
  const seen = watch({ a: driver.questions.push(0, [['a']], 1) });
  await settled();
  driver.open({ pushes: 7 });
  await settled();
  t.same(seen, {});
  t.same(driver.underWay, ['push 0 a']);
});

t.test('values of variables are set once each, the last one last', async (t) => {
  const driver = new Driver();
  driver.open({ sets: 2 });
  const seen = watch({ one: driver.questions.set(0, 1), two: driver.questions.set(0, 2) });
  await settled();
  await driver.die();
  driver.open({ sets: 3 });
  await settled();
  t.same(seen, { one: 'done' });
  t.same(driver.underWay, ['set 0 2']);
});

t.test('what only reads is asked again; a job is not', async (t) => {
  const driver = new Driver();
  driver.open();
  const seen = watch({ slice: driver.questions.read(() => ({ type: 'slice' }) as never, 1), job: driver.questions.job(() => ({ type: 'appJob' }) as never, 1) });
  await settled();
  await driver.die();
  t.same(seen, { job: 'DriverRestarted' });
  driver.open();
  await settled();
  t.same(driver.underWay, ['slice']);
  await driver.answer('slice', 'sliced');
  t.equal(seen['slice'], 'sliced');
});

t.test('advances come to their times: from where the log is, and one after another', async (t) => {
  const driver = new Driver();
  driver.open({ announced: 0 });
  const { questions } = driver;
  const seen = watch({ first: questions.advance(2), second: questions.advance(3) });
  await settled();
  t.same(driver.underWay, ['advance 2', 'advance 3']);
  await driver.die();
  const later = watch({ third: questions.advance(1) });
  driver.open({ completed: 1_000, announced: 3_000 });
  await settled();
  t.same(driver.underWay, ['await 2000', 'advance 2', 'advance 1']);
  await driver.answer('await 2000');
  await driver.answer('advance 2', asBatchTime(5_000));
  await driver.die();
  driver.open({ completed: 6_000, announced: 6_000 });
  await settled();
  t.same({ ...seen, ...later }, { first: 2_000, second: 5_000, third: 6_000 });
  void questions.advance(1);
  t.same(driver.underWay, ['advance 1']);
});

t.test('where no driver follows, all that waits rejects with why, and so does what comes later', async (t) => {
  const driver = new Driver();
  driver.open();
  const { questions } = driver;
  const seen = watch({ push: questions.push(0, [['a']], 1), advance: questions.advance(1) });
  await settled();
  await driver.die();
  const later = watch({ slice: questions.read(() => ({ type: 'slice' }) as never, 1) });
  questions.close(new MillraceError('ContextFailed', 'over'));
  const after = watch({ set: questions.set(0, 1), again: questions.advance(1) });
  await settled();
  t.same({ ...seen, ...later, ...after }, { push: 'ContextFailed', advance: 'ContextFailed', slice: 'ContextFailed', set: 'ContextFailed', again: 'ContextFailed' });
  driver.open();
  t.same(driver.underWay, [], 'it stays closed');
});

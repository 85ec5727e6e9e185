/** The table of errors, its page in the docs, and the form in which errors cross threads. */
import fc from 'fast-check';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { clauseOf, errorTable, fromWireError, MillraceError, previewOf, sentenceOf, toWireError } from '../../protocol/errors.ts';
import type { ErrorCode, ErrorEntry } from '../../protocol/errors.ts';
import { operatorError } from '../../lib/dstream/operator-error.ts';
import { noRecord, taskFailure } from '../../lib/rdd/task-failure.ts';
import type { TaskContext } from '../../lib/rdd/task-context.ts';
import { connectionEnd } from '../../lib/sources/connection-end.ts';
import { asBatchTime } from '../../protocol/time.ts';
import { filesBelow, textOf } from '../helpers/project.ts';

const codes = Object.keys(errorTable) as ErrorCode[];

t.test('docs/ERRORS.md lists every code, with the words of the table, and no other', (t) => {
  const rows = [...textOf('docs/ERRORS.md').matchAll(/^\| `(\w+)` \| (.+) \| (.+) \| (yes|no) \|$/gm)];
  const documented = rows.map(([, code, meaning, action, retryable]) => ({ code, meaning, action, retryable: retryable === 'yes' }));
  const expected = Object.entries<ErrorEntry>(errorTable).map(([code, entry]) => ({ code, ...entry }));
  t.strictSame(documented, expected);
  t.end();
});

t.test('every code is thrown or told somewhere', (t) => {
  const source = ['protocol', 'lib', 'actors'].flatMap((folder) => filesBelow(folder, '.ts')).filter((path) => path !== 'protocol/errors.ts').map(textOf).join('\n');
  t.strictSame(codes.filter((code) => !source.includes(`'${code}'`)), []);
  t.end();
});

t.test('texts are sentences, and codes are names', (t) => {
  for (const [code, { meaning, action }] of Object.entries<ErrorEntry>(errorTable)) {
    t.match(code, /^([A-Z][a-z]*)+$/);
    t.match(meaning, /^[A-Z].*\.$/, `the meaning of ${code}`);
    t.match(action, /^[A-Z].*(\.|\))$/, `the action of ${code}`);
  }
  t.end();
});

/**
 * Bug: texts that end in another error's message had two full stops ("It is tried again with back-off..").
 * Plan: every code's error through everything that puts a message into a text of its own; and no such text in the sources that
 * ends a quoted message with a full stop without taking off the one that it may have.
 */
t.test('an error that tells of another one has one full stop between sentences and one at its end', (t) => {
  const context = { batchTime: null, partition: 0, attempt: 0, stageId: 0 } as unknown as TaskContext;
  const wrapped: Record<string, (error: MillraceError) => string> = {
    itself: ({ message }) => message,
    'a connection': (error) => messageOf(connectionEnd('host', 1, error)),
    'a clause': (error) => `It ended: ${clauseOf(error)}. And`,
    'a clause of a text': ({ message }) => `It ended: ${clauseOf(message)}.`,
    'a sentence': ({ message }) => `${sentenceOf(message)} And`,
    'a task': (error) => taskFailure(error, null, noRecord, context).message,
    'a task, of another error': ({ message }) => taskFailure(new Error(message), null, noRecord, context).message,
    'an operator': (error) => operatorError(error, { uid: 'u', name: 'map', place: '' }, asBatchTime(1_000)).message,
  };
  for (const [code, { meaning, action }] of Object.entries<ErrorEntry>(errorTable)) {
    for (const [name, text] of Object.entries(wrapped)) t.notMatch(text(new MillraceError(code as ErrorCode, `${meaning} ${action}`)), /\.\.|\.\)\./, `${code}, ${name}`);
  }
  t.equal(clauseOf('and so on...'), 'and so on...', 'what is left out is no full stop');
  t.equal(clauseOf(Object.create(null)), previewOf(Object.create(null)));
  t.same(['Really?', 'It is', 'It is.'].map(sentenceOf), ['Really?', 'It is.', 'It is.']);
  const quoting = /(\.message|String\((thrown|cause|error|reason)\))\}(`\})?\./;
  const found = ['protocol', 'lib', 'actors'].flatMap((folder) => filesBelow(folder, '.ts')).flatMap((path) => textOf(path).split('\n').flatMap((line, at) => (quoting.test(line) ? [`${path}:${at + 1}`] : [])));
  t.strictSame(found, []);
  t.end();
});

function messageOf(event: ReturnType<typeof connectionEnd>): string {
  return 'message' in event ? event.message : '';
}

t.test('a MillraceError stays one on the other thread: code, text, details, causes, first stack', (t) => {
  const cause = Object.assign(new RangeError('too far'), { code: 'EFAR', distance: 12n });
  const error = new MillraceError('TaskFailed', 'It failed.', { cause, details: { partition: 3, when: [1, 2] } });
  const back = across(error) as MillraceError;
  t.ok(back instanceof MillraceError);
  t.equal(back.code, 'TaskFailed');
  t.equal(back.message, 'It failed.');
  t.equal(back.stack, error.stack);
  t.equal(back.retryable, false);
  t.strictSame({ ...back.details }, { partition: 3, when: [1, 2] });
  const second = back.cause as RangeError & { code: string; distance: bigint };
  t.strictSame([second.name, second.message, second.code, second.distance, second.stack], ['RangeError', 'too far', 'EFAR', 12n, cause.stack]);
  t.equal((across(new MillraceError('HostGone', 'Gone.')) as MillraceError).retryable, true);
  t.end();
});

t.test('one detail that can\'t be cloned costs only itself', (t) => {
  const back = across(new MillraceError('InvalidArgument', 'No.', { details: { argument: 'f', given: function given() {}, port: 1 } })) as MillraceError;
  t.strictSame({ ...back.details }, { argument: 'f', given: '[function given]', port: 1 });
  t.end();
});

t.test('causes are kept to a depth of 5, also where they go round in a circle', (t) => {
  let chain = new Error('cause 9');
  for (let depth = 8; depth >= 0; depth -= 1) chain = new Error(`cause ${depth}`, { cause: chain });
  t.strictSame(messagesOf(across(chain)), ['cause 0', 'cause 1', 'cause 2', 'cause 3', 'cause 4']);
  const round = new Error('round');
  round.cause = round;
  t.equal(messagesOf(across(round)).length, 5);
  t.end();
});

t.test('fields that can\'t cross become texts, and getters that throw cost nothing else', (t) => {
  const error = Object.assign(new Error('odd'), { callback: () => 1, symbol: Symbol('s'), nested: { deep: () => 2 }, plain: { a: [1] } });
  Object.defineProperty(error, 'broken', { enumerable: true, get: () => { throw new Error('never'); } });
  Object.defineProperty(error, 'cause', { get: () => { throw new Error('never'); } });
  const { fields, cause } = structuredClone(toWireError(error));
  t.strictSame(fields, { callback: '[function callback]', symbol: 'Symbol(s)', nested: '{"deep":"[function deep]"}', plain: { a: [1] }, broken: '[it threw when it was read]' });
  t.equal(cause, null);
  const back = fromWireError(structuredClone(toWireError(Object.defineProperty(new Error('x'), '__proto__', { enumerable: true, value: { evil: 1 } }))));
  t.ok(back instanceof Error, 'a field can\'t change what the error is');
  t.end();
});

t.test('what Node and other realms throw keeps its words', (t) => {
  const refused = new AggregateError([new Error('connect ECONNREFUSED ::1:1'), new Error('connect ECONNREFUSED 127.0.0.1:1')]);
  t.strictSame(structuredClone(toWireError(refused)).fields, { errors: ['connect ECONNREFUSED ::1:1', 'connect ECONNREFUSED 127.0.0.1:1'] });
  const foreign = across(runInNewContext('new TypeError("from elsewhere")'));
  t.strictSame([foreign.name, foreign.message], ['TypeError', 'from elsewhere']);
  t.strictSame([across('a text').message, across(undefined).message, across({ a: 1 }).message], ['"a text"', 'undefined', '{"a":1}']);
  t.end();
});

t.test('a code that is no code of ours is not taken for one', (t) => {
  const forged = Object.assign(new Error('x'), { name: 'MillraceError', code: 'toString' });
  const back = across(forged);
  t.notOk(back instanceof MillraceError);
  t.equal((back as { code?: string }).code, 'toString');
  t.end();
});

t.test('whatever is thrown crosses without a second failure', (t) => {
  fc.assert(
    fc.property(thrown(), (make) => {
      const back = across(make());
      return back instanceof Error && typeof back.message === 'string' && typeof back.stack === 'string' && typeof back.name === 'string';
    }),
    { numRuns: 500, seed: 20_240_501 },
  );
  t.end();
});

t.test('a preview is one bounded line, of any value, and quick for a large one', (t) => {
  fc.assert(
    fc.property(thrown(), fc.integer({ min: 1, max: 300 }), (make, charactersMax) => {
      const text = previewOf(make(), charactersMax);
      return text.length <= charactersMax + 1 && !text.includes('\n');
    }),
    { numRuns: 300, seed: 7 },
  );
  t.equal(previewOf({ key: 'a', bytes: new Uint8Array(3), many: new Map([[1n, 'x']]) }), '{"key":"a","bytes":"[Uint8Array of 3 bytes]","many":{"Map":[["1n","x"]]}}');
  t.equal(previewOf(new Array(1_000_000).fill('w'), 5_000).length, JSON.stringify([...new Array(20).fill('w'), '… 1000000 in all']).length);
  t.end();
});

/** As from one thread to another. */
function across(value: unknown): Error {
  return fromWireError(structuredClone(toWireError(value)));
}

function messagesOf(error: Error): string[] {
  const messages: string[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) messages.push(at.message);
  return messages;
}

/** Things that programs throw, and things that nobody should: made by a call, since some can't even be looked at. */
function thrown(): fc.Arbitrary<() => unknown> {
  const revoked = () => {
    const { proxy, revoke } = Proxy.revocable(new Error('revoked'), {});
    revoke();
    return proxy;
  };
  const trap = (): never => {
    throw new Error('trapped');
  };
  const hostile = () => new Proxy(new Error('hostile'), { get: trap, ownKeys: trap, getPrototypeOf: trap, has: trap });
  const odd = fc.constantFrom<() => unknown>(
    revoked,
    hostile,
    () => new Proxy({}, { get: trap, ownKeys: trap }),
    () => new Proxy(new Error('half'), { ownKeys: trap }),
    () => Object.create(null),
    () => Object.create(Error.prototype),
    () => Object.assign(new Error('names'), { name: { toString: null, valueOf: null }, stack: 5 }),
    () => Object.defineProperty(new Error('x'), 'message', { get: trap }),
    () => Object.defineProperty(new Error('x'), 'stack', { get: trap }),
    () => Object.defineProperty(new MillraceError('HostGone', 'x'), 'details', { enumerable: true, get: trap }),
    () => Object.assign(new Error('x'), { details: () => 1, toJSON: trap }),
    () => ({ get [Symbol.toStringTag]() { return trap(); }, toJSON: trap }),
    () => new Error('a\nb', { cause: 'text' }),
    () => Promise.resolve(1),
    () => new WeakMap(),
    () => ({ a: new SharedArrayBuffer(8), f: () => 1 }),
    () => Symbol('thrown'),
    () => new DOMException('dom', 'AbortError'),
    () => AbortSignal.abort().reason,
    () => function thrownFunction() {},
  );
  const error = fc.record({ message: fc.string(), fields: fc.dictionary(fc.string(), fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true, withNullPrototype: true })) })
    .map(({ message, fields }) => () => Object.assign(new Error(message), fields));
  return fc.oneof(odd, error, fc.anything({ withBigInt: true, withMap: true, withSet: true }).map((value) => () => value));
}

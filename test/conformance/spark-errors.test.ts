import t from 'tap';
import { MillraceError } from '../../protocol/errors.ts';
import { codesFor, codesIn, describeError, differenceOfError } from './spark-errors.ts';

t.test("Spark's words have our codes", async (t) => {
  const rows: readonly [string, string | null, readonly string[] | null][] = [
    ['IllegalArgumentException', 'requirement failed: No output operations registered, so nothing to execute', ['NoOutputOperation']],
    ['IllegalStateException', 'Adding new inputs, transformations, and output operations after starting a context is not supported', ['ContextAlreadyStarted']],
    ['IllegalStateException', 'Adding new inputs, transformations, and output operations after stopping a context is not supported', ['ContextStopped']],
    ['Exception', 'The window duration of windowed DStream (3 ms) must be a multiple of the slide duration of parent DStream (2 ms)', ['WindowNotMultiple']],
    ['IllegalArgumentException', 'requirement failed: The slide duration of ReducedWindowedDStream (3 ms) must be multiple of the slide duration of parent DStream (2 ms)', ['WindowNotMultiple']],
    ['SparkException', "Couldn't generate RDD from parent at time 2000 ms", ['NoRddFromParent']],
    ['SparkException', 'Could not generate RDD from a parent for unifying at time 2000 ms', ['NoRddFromParent']],
    ['UnsupportedOperationException', 'empty.head', ['NoStreams']],
    ['IllegalArgumentException', 'something that nobody has seen', null],
  ];
  for (const [errorClass, message, codes] of rows) t.strictSame(codesFor(errorClass, message), codes, message ?? '');
});

t.test("a user function's failure is known by its class alone", async (t) => {
  const thrown = new MillraceError('TaskFailed', 'failed 4 times', { cause: new MillraceError('UserFunctionFailed', 'map threw', { cause: new TypeError('no text') }) });
  t.equal(differenceOfError({ errorClass: 'ClassCastException', message: 'class java.lang.Long cannot be cast' }, thrown), null);
  t.equal(differenceOfError({ errorClass: 'ClassCastException', message: 'x' }, new TypeError('bare')), 'expected UserFunctionFailed or TaskFailed or OutputFailed, got TypeError: bare');
});

t.test('the code may be that of a cause, and the reason shows the whole chain', async (t) => {
  const thrown = new MillraceError('ProgramThrew', 'the program threw\nmore', { cause: new MillraceError('SlideMismatch', 'slides differ') });
  t.strictSame(codesIn(thrown), ['ProgramThrew', 'SlideMismatch']);
  t.equal(describeError(thrown), 'ProgramThrew: the program threw <- SlideMismatch: slides differ');
  t.equal(describeError('a text'), 'a text');
  t.equal(differenceOfError({ errorClass: 'IllegalArgumentException', message: 'requirement failed: Some of the DStreams have different slide durations' }, thrown), null);
  t.match(differenceOfError({ errorClass: 'IllegalArgumentException', message: 'Some of the DStreams have different contexts' }, thrown), /^expected ContextMismatch, got ProgramThrew/);
  t.match(differenceOfError({ errorClass: 'Strange', message: 'odd' }, thrown), /has no code in the table of errors/);
});

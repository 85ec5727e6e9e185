/** How the command shows an error: nothing twice, and of the stacks only what is the user's. */
import t from 'tap';
import { errorText } from '../../../lib/cli/error-text.ts';
import { MillraceError } from '../../../protocol/errors.ts';

const own = 'file:///app/node_modules/millrace/dist/';

function userError(message: string, frames: readonly string[]): Error {
  const error = new TypeError(message);
  error.stack = [`TypeError: ${message}`, ...frames.map((frame) => `    at ${frame}`)].join('\n');
  return error;
}

t.test('a code, its message, and the frames in the user\'s files', (t) => {
  const cause = userError('two is bad', [`file:///app/program.js:3:7`, `run (${own}lib/rdd/task-run.js:75:19)`, 'eval (eval at generateLoop (file:///x.js:1:1), <anonymous>:12:16)', 'node:internal/x:1:1']);
  const middle = new MillraceError('UserFunctionFailed', 'The function of map threw: TypeError: two is bad', { cause });
  const error = new MillraceError('TaskFailed', 'It failed 4 times. The last failure: The function of map threw: TypeError: two is bad', { cause: middle });
  t.equal(errorText(error, own), 'TaskFailed: It failed 4 times. The last failure: The function of map threw: TypeError: two is bad\n    at file:///app/program.js:3:7');
  t.end();
});

t.test('a cause that says something more is shown', (t) => {
  const error = new MillraceError('FileFailed', 'Expected to write the file.', { cause: Object.assign(userError('disk full', []), { code: 'ENOSPC' }) });
  t.equal(errorText(error, own), 'FileFailed: Expected to write the file.\n  caused by TypeError [ENOSPC]: disk full');
  t.end();
});

t.test('whatever was thrown has a text, and a circle of causes has an end', (t) => {
  t.equal(errorText('words', own), 'a thrown value that is no error: words');
  t.equal(errorText(undefined, own), 'a thrown value that is no error: undefined');
  const one = userError('one', []);
  const two = userError('two', []);
  one.cause = two;
  two.cause = one;
  t.match(errorText(one, own), /^TypeError: one\n {2}caused by TypeError: two\n/);
  t.end();
});

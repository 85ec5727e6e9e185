/** What is left of a context when it is over: nothing that holds its process, whatever ended it. */
import t from 'tap';
import { runChild } from '../helpers/child.ts';

for (const how of ['at once', 'graceful']) {
  t.test(`a process whose context was stopped (${how}) ends by itself, in good order`, async (t) => {
    t.same(await runChild('stopped', [how]), { code: 0, stdout: 'stopped\n', stderr: '' });
  });
}

for (const how of ['terminate', 'throw', 'exit', 'rejection']) {
  t.test(`a process whose driver thread died (${how}) hears of it and ends by itself`, async (t) => {
    const { code, stdout } = await runChild('driver-killed', [how]);
    t.same({ code, stdout }, { code: 0, stdout: 'ContextFailed\n' });
  });
}

t.test('a process whose context was let go ends although it is active', async (t) => {
  t.same(await runChild('unreferenced'), { code: 0, stdout: 'let go\n', stderr: '' });
});

/** Bug: the threads of a context that could not start ran on, and held the process. */
t.test('a process whose context could not start ends by itself', async (t) => {
  t.same(await runChild('failed-start'), { code: 0, stdout: 'NoOutputOperation\n', stderr: '' });
});

/** What the `millrace` command takes, and what it says to what it doesn't. */
import t from 'tap';
import { UsageError, parseCommand } from '../../../lib/cli/command-line.ts';

const run = (...args: string[]) => {
  const command = parseCommand(['run', 'p.js', ...args]);
  return command.type === 'run' ? command.run : null;
};

t.test('a program alone runs with the defaults', (t) => {
  t.strictSame(run(), { program: 'p.js', master: 'local[*]', batchIntervalMs: null, checkpoint: null, stopTimeoutMs: 60_000, args: undefined, batchesMax: null });
  t.end();
});

t.test('a batch interval is a number with a unit, or of ms', (t) => {
  for (const [text, ms] of [['1s', 1_000], ['200ms', 200], ['500', 500], ['0.5s', 500], ['0.07s', 70], ['2m', 120_000], ['1min', 60_000], ['0.001s', 1]] as const) {
    t.equal(run('--batch', text)?.batchIntervalMs, ms, text);
  }
  for (const text of ['0', '', 's', '-1s', '1h', '0.5', '0.0001s', '1e3', 'one']) {
    t.throws(() => run(`--batch=${text}`), { constructor: UsageError, message: /^Expected --batch to be a time of at least 1 ms/ }, JSON.stringify(text));
  }
  t.end();
});

t.test('arguments are JSON of any kind', (t) => {
  t.strictSame(run('--args', '{"port":9999}')?.args, { port: 9999 });
  t.equal(run('--args', 'null')?.args, null);
  t.throws(() => run('--args', '{port:1}'), { constructor: UsageError, message: /^Expected --args to be JSON.*got \{port:1\}/ });
  t.end();
});

t.test('batches are a whole number of 1 or more', (t) => {
  t.equal(run('--batches', '5')?.batchesMax, 5);
  for (const text of ['0', '1.5', 'x', '', '-1']) t.throws(() => run(`--batches=${text}`), { constructor: UsageError, message: /^Expected --batches to be a whole number/ }, JSON.stringify(text));
  t.end();
});

t.test('a checkpoint directory, and how long a stop may take', (t) => {
  t.equal(run('--checkpoint', 'a/b')?.checkpoint, 'a/b');
  t.throws(() => run('--checkpoint', ' '), { constructor: UsageError, message: /^Expected --checkpoint to name a directory; got " "/ });
  for (const [text, ms] of [['2m', 120_000], ['0.5s', 500], ['250', 250]] as const) t.equal(run('--stop-timeout', text)?.stopTimeoutMs, ms, text);
  for (const text of ['0', '', 'never', '-1s']) t.throws(() => run(`--stop-timeout=${text}`), { constructor: UsageError, message: /^Expected --stop-timeout to be a time of at least 1 ms, in whole ms, such as 30s/ }, JSON.stringify(text));
  t.end();
});

t.test('help and version come before everything else', (t) => {
  t.strictSame(parseCommand(['--help']), { type: 'help' });
  t.strictSame(parseCommand(['run', '-h']), { type: 'help' });
  t.strictSame(parseCommand(['--version']), { type: 'version' });
  t.end();
});

t.test('what is missing, too much or unknown is named', (t) => {
  const message = (...argv: string[]): string => {
    try {
      parseCommand(argv);
    } catch (thrown) {
      if (thrown instanceof UsageError) return thrown.message;
      throw thrown;
    }
    return 'nothing';
  };
  t.match(message(), /^Expected a command; got none/);
  t.match(message('walk', 'p.js'), /^Expected the command run; got walk/);
  t.match(message('run'), /^Expected the program's module/);
  t.match(message('run', 'p.js', 'q.js'), /^Expected one program; got also q\.js/);
  t.match(message('run', 'p.js', '--fast'), /--fast/);
  t.match(message('run', 'p.js', '--master'), /--master/);
  t.end();
});

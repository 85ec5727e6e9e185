/** The `millrace` command as a process: a real server, real signals, and what is left when it has ended. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import type { Test } from 'tap';
import { builtFile, printedCounts, startLineServer, startNode } from '../helpers/node-process.ts';
import type { Child } from '../helpers/node-process.ts';

const cli = builtFile('lib/bundle/cli.js');
const wordCount = builtFile('examples/word-count.js');

const portArgs = (port: number): string => JSON.stringify({ host: '127.0.0.1', port });

function millrace(t: Test, ...args: string[]): Child {
  return startNode(t, [cli, ...args]);
}

/** A program in the test's own folder. It may import nothing. */
function programFile(t: Test, text: string, name = 'program.mjs'): string {
  const file = join(t.testdirName, name);
  mkdirSync(t.testdirName, { recursive: true });
  t.teardown(() => rmSync(t.testdirName, { recursive: true, force: true }));
  writeFileSync(file, text);
  return file;
}

t.test('Ctrl-C in mid-stream: what was received is printed to the last line, and the process ends by itself with 0', async (t) => {
  const server = await startLineServer(t);
  const program = programFile(t, `export default (ssc, { port }) => { ssc.socketTextStream('127.0.0.1', port).print(1e6); };\n`);
  const child = millrace(t, 'run', program, '--master', 'local[2]', '--batch', '1s', '--args', portArgs(server.port));
  const connection = await server.connection();
  let sent = 0;
  const enough = new Promise<void>((resolve) => {
    const sending = setInterval(() => {
      sent += 1;
      connection.write(`line ${sent}\n`);
      if (sent === seenBefore + 100) resolve();
    }, 5);
    t.teardown(() => clearInterval(sending));
  });
  let seenBefore = Number.POSITIVE_INFINITY;
  await child.prints(/^line \d/m);
  seenBefore = sent;
  await enough;
  child.kill('SIGINT');
  t.strictSame(await child.ended, { code: 0, signal: null });
  const lines = [...child.stdout.matchAll(/^line (\d+)$/gm)].map(([, number]) => Number(number));
  t.strictSame(lines, Array.from({ length: lines.length }, (_, index) => index + 1), 'every line once, in order, with no hole');
  t.ok(lines.length > seenBefore, `the last batch is printed: more than the ${seenBefore} lines sent when the batch before it came out`);
  t.match(child.stderr, /^millrace: stopping: .*\n$/, 'a stop is no failure');
  t.match(child.stdout, /^(-{43}\nTime: \d+ ms\n-{43}\n(line \d+\n)*\n)+$/, 'nothing but batches on standard output');
});

t.test('the terminal\'s Ctrl-C, passed on by npm once more, is one Ctrl-C', async (t) => {
  const server = await startLineServer(t);
  const child = millrace(t, 'run', wordCount, '--master', 'local[1]', '--batch', '200', '--args', portArgs(server.port));
  (await server.connection()).write('a b a\n');
  await child.prints(/\(a,2\)/);
  child.kill('SIGINT');
  child.kill('SIGTERM');
  t.strictSame(await child.ended, { code: 0, signal: null });
  t.notMatch(child.stderr, /ended at once/);
});

t.test('a second Ctrl-C ends a stop that hangs', async (t) => {
  const program = programFile(t, `
    export default (ssc) => { ssc.batchesStream([[1], [2]], 1).foreachRDD(() => new Promise((resolve) => { console.log('waiting'); setTimeout(resolve, 1e9); })); };
  `);
  const child = millrace(t, 'run', program, '--master', 'local[1]', '--batch', '100');
  await child.prints(/waiting/);
  child.kill('SIGTERM');
  await child.says(/stopping/);
  // Signals so close to each other that they may be the same are one: a person is slower.
  await new Promise((resolve) => setTimeout(resolve, 500));
  child.kill('SIGINT');
  t.strictSame(await child.ended, { code: 130, signal: null });
  t.match(child.stderr, /second SIGINT: ended at once/);
});

t.test('npm\'s shell, killed in its stead, ends it as gracefully', async (t) => {
  const server = await startLineServer(t);
  const child = startNode(t, [cli, 'run', wordCount, '--master', 'local[1]', '--batch', '1s', '--args', portArgs(server.port)], { inNpmsShell: true });
  (await server.connection()).write('a b a\n');
  await child.prints(/\(a,2\)/);
  child.kill('SIGTERM');
  // The shell ends at once; what it had started holds the output until it has ended, too.
  t.strictSame(await child.ended, { code: null, signal: 'SIGTERM' });
  t.match(child.stdout, /\(a,2\)[\s\S]*\n\n$/, 'the last batch is whole');
  t.notMatch(child.stderr, /error|warn/);
});

const noPty = spawnSync('script', ['-qec', 'true', '/dev/null']).status === 0 ? false : 'needs the command `script` of util-linux, which makes a terminal';

t.test('Ctrl-C typed at a terminal, with npx\'s shell in between: graceful, and the shell sees exit code 0', { skip: noPty }, async (t) => {
  const server = await startLineServer(t);
  const quoted = [process.execPath, cli, 'run', wordCount, '--master', 'local[1]', '--batch', '200', '--args', portArgs(server.port)].map((word) => `'${word}'`);
  // The outer shell is the one that `script` starts; the inner one, as npx's, waits for its command.
  const command = `${quoted.join(' ')}; echo "code $?"; stty -a`;
  const terminal = spawn('script', ['-qec', `sh -c '${command.replaceAll("'", `'\\''`)}'`, '/dev/null'], { env: { ...process.env, npm_command: 'exec' }, stdio: ['pipe', 'pipe', 'ignore'] });
  t.teardown(() => terminal.kill('SIGKILL'));
  let shown = '';
  const sees = (pattern: RegExp): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => void (pattern.test(shown) && resolve());
      terminal.stdout.on('data', look);
      look();
    });
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text));
  (await server.connection()).write('a b a\n');
  await sees(/\(a,2\)/);
  terminal.stdin.write('\u0003');
  const [code] = (await once(terminal, 'close')) as [number];
  t.match(shown, /stopping: what was received[\s\S]*code 0\r?\n/);
  t.match(shown, /[^-]isig\b[\s\S]* icanon\b/, 'the terminal makes signals and lines again');
  t.equal(code, 0);
});

t.test('with --batches it ends by itself, on threads and inline', async (t) => {
  const program = programFile(t, 'export default (ssc) => { ssc.batchesStream([["a", "b"], ["c"]], 2).map((x) => x.toUpperCase()).print(); };\n');
  for (const master of ['local[2]', 'inline']) {
    const child = millrace(t, 'run', program, '--master', master, '--batch', '100', '--batches', '2');
    t.strictSame(await child.ended, { code: 0, signal: null }, master);
    t.match(child.stdout, /^-+\nTime: \d+00 ms\n-+\nA\nB\n\n-+\nTime: \d+00 ms\n-+\nC\n\n/, master);
    t.equal(child.stderr, '', master);
  }
});

t.test('a program\'s path is relative to where the command is called, and may hold anything', async (t) => {
  const folder = t.testdir({ 'ö x #1%': { 'prögram ?.mjs': 'export default (ssc, args) => { ssc.batchesStream([[args.word]], 1).print(); };\n' } });
  const child = startNode(t, [cli, 'run', 'prögram ?.mjs', '--master', 'local[1]', '--batch', '100', '--batches', '1', '--args', '{"word":"here"}'], { cwd: join(folder, 'ö x #1%') });
  t.strictSame(await child.ended, { code: 0, signal: null });
  t.match(child.stdout, /\nhere\n/);
  const byUrl = millrace(t, 'run', pathToFileURL(join(folder, 'ö x #1%', 'prögram ?.mjs')).href, '--master', 'inline', '--batch', '100', '--batches', '1', '--args', '{"word":"there"}');
  t.strictSame(await byUrl.ended, { code: 0, signal: null });
  t.match(byUrl.stdout, /\nthere\n/);
});

t.test('a reader that has gone ends the run quietly', async (t) => {
  const program = programFile(t, 'export default (ssc) => { ssc.batchesStream([], 1).print(); };\n');
  const child = startNode(t, ['--input-type=module', '-e', `
    import { spawn } from 'node:child_process';
    const child = spawn(process.execPath, [${JSON.stringify(cli)}, 'run', ${JSON.stringify(program)}, '--master', 'inline', '--batch', '50'], { stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.once('data', () => child.stdout.destroy());
    child.once('exit', (code) => console.log('exit', code));
  `]);
  await child.ended;
  t.equal(child.stdout, 'exit 0\n');
  t.equal(child.stderr, '');
});

t.test('a failure is told by code, operator and place in the user\'s file, and exit code 1', async (t) => {
  const program = programFile(t, `export default (ssc) => {
  ssc.batchesStream([[1, 2, 3]], 1)
    .map((x) => { if (x === 2) throw new TypeError('two is bad'); return x; })
    .print();
};
`);
  const child = millrace(t, 'run', program, '--master', 'local[1]', '--batch', '100');
  t.strictSame(await child.ended, { code: 1, signal: null });
  t.match(child.stderr, /^millrace: TaskFailed: .*map at .*program\.mjs:3:6/m);
  t.match(child.stderr, /^ {4}at .*program\.mjs:3:\d+/m, 'the user\'s own frame');
  t.notMatch(child.stderr, /node:internal|task-run\.js/, 'and none of ours');
});

t.test('what can\'t start says why', async (t) => {
  const cases: readonly { readonly args: readonly string[]; readonly code: number; readonly says: RegExp }[] = [
    { args: [], code: 2, says: /^millrace: Expected a command; got none.*\n\nmillrace run PROGRAM/ },
    { args: ['run', wordCount, '--batch', '0'], code: 2, says: /^millrace: Expected --batch/ },
    { args: ['run', wordCount, '--master', 'spark://host'], code: 2, says: /^millrace: UnknownMaster: .*"spark:\/\/host"\.\n$/ },
    { args: ['run', 'not-there.js'], code: 1, says: /^millrace: ProgramMissing: .*not-there\.js/ },
    { args: ['run', programFile(t, 'export const x: number = 1;\n', 'program.ts')], code: 1, says: /^millrace: ProgramNeedsBuild: .*Compile it/ },
    { args: ['run', programFile(t, 'export const count = 1;\n', 'no-default.mjs')], code: 1, says: /^millrace: ProgramHasNoDefault: .*It does export count/ },
    { args: ['run', programFile(t, 'export default (ssc) => { ssc.batchesStream([], 1).map((x) => x); };\n', 'no-output.mjs'), '--master', 'inline'], code: 1, says: /^millrace: NoOutputOperation: / },
    { args: ['run', wordCount, '--master', 'inline'], code: 1, says: /--args was not given[\s\S]*ProgramThrew: / },
  ];
  for (const { args, code, says } of cases) {
    const child = millrace(t, ...args);
    t.strictSame(await child.ended, { code, signal: null }, args.join(' '));
    t.match(child.stderr, says);
    t.equal(child.stdout, '', 'standard output stays empty');
  }
});

t.test('help goes to standard output, and so does the version', async (t) => {
  const help = millrace(t, '--help');
  t.strictSame(await help.ended, { code: 0, signal: null });
  t.match(help.stdout, /--master local\[n\]/);
  const version = millrace(t, '--version');
  t.strictSame(await version.ended, { code: 0, signal: null });
  t.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
});

/** What `npm test` makes of a file's output: above all, that no bad end passes for a good one. */
import t from 'tap';
import { readTap } from '../helpers/tap-output.ts';
import type { FileEnd } from '../helpers/tap-output.ts';

const well: FileEnd = { code: 0, signal: null, timedOutMs: null };
const passing = 'TAP version 14\n# Subtest: a\n    ok 1 - yes\n    1..1\nok 1 - a # time=1ms\n\n1..1\n';

const failing = [
  'TAP version 14',
  '# Subtest: first',
  '    ok 1 - yes',
  '    1..1',
  'ok 1 - first # time=1ms',
  '',
  '# Subtest: outer',
  '    # Subtest: inner',
  '        ok 1 - yes',
  '        not ok 2 - they match',
  '          ---',
  '          diff: |',
  '            -  1',
  '            +  2',
  '          ...',
  '        1..2',
  '    not ok 1 - inner # time=2ms',
  '      ---',
  '      at: here',
  '      ...',
  '    1..1',
  'not ok 2 - outer # time=3ms',
  '',
  'ok 3 - later # SKIP not yet',
  '1..3',
].join('\n');

t.test('tests at the top level are counted, assertions are not', (t) => {
  t.strictSame(readTap(passing, well), { passed: 1, failed: 0, skipped: 0, failures: [] });
  t.end();
});

t.test('a failure is shown once, where it happened, with its diagnostics', (t) => {
  t.strictSame(readTap(failing, { ...well, code: 1 }), {
    passed: 1,
    failed: 1,
    skipped: 1,
    failures: [{ path: ['outer', 'inner', 'they match'], diagnostics: ['diff: |', '  -  1', '  +  2'] }],
  });
  t.end();
});

t.test('a file that ends badly has failed, whatever its tests said', (t) => {
  const failedOf = (output: string, end: Partial<FileEnd> = {}) => readTap(output, { ...well, ...end });
  t.match(failedOf(passing, { code: 3 }), { passed: 1, failed: 1, failures: [{ path: [/ended with code 3/] }] });
  t.match(failedOf(passing, { code: null, signal: 'SIGSEGV' }), { failed: 1, failures: [{ path: [/ended by SIGSEGV/] }] });
  t.match(failedOf(passing, { code: null, signal: 'SIGKILL', timedOutMs: 5 }), { failed: 1, failures: [{ path: [/not done after 5 ms/] }] });
  t.match(failedOf(passing.replace('1..1\n', '').replace(/\n1\.\.1\n$/, '\n')), { failed: 1, failures: [{ path: [/ended before its tests did/] }] });
  t.match(failedOf(''), { passed: 0, failed: 1 });
  t.match(failedOf('TAP version 14\n1..0\n'), { passed: 0, failed: 1, failures: [{ path: [/has no test/] }] });
  t.end();
});

/** A short form of `npm run chaos -- --process`: a real process, killed a few times; and what its verifier tells. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { killRun } from './process/kill-run.ts';

t.test('killed five times under load, nothing is lost and the state is right', async (t) => {
  const { delivered, verdict, counts } = await killRun({ seed: 1, kills: 5, say: (line) => t.comment(line) });
  t.ok(delivered, verdict);
  t.ok(counts.records > 1_000, `${counts.records} records`);
});

t.test('the verifier tells what is missing, doubled or wrong', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'millrace-verifier-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const verdictOf = (files: Readonly<Record<string, unknown>>): { readonly code: number | null; readonly text: string } => {
    const output = mkdtempSync(join(root, 'output-'));
    for (const [name, content] of Object.entries(files)) writeFileSync(join(output, name), JSON.stringify(content));
    writeFileSync(join(root, 'sent'), 'a\nb\na\n');
    const { status, stdout } = spawnSync(process.execPath, [fileURLToPath(new URL('./process/verifier.js', import.meta.url)), join(root, 'sent'), output], { encoding: 'utf8' });
    return { code: status, text: stdout };
  };
  const right = { 'received-200-0': [[0, 'a']], 'state-200-0': [['a', 1]], 'received-400-0': [[1, 'b'], [2, 'a']], 'state-400-0': [['a', 2], ['b', 1]] };
  t.match(verdictOf(right), { code: 0, text: /ALL-RECORDS-DELIVERED\n$/ });
  t.match(verdictOf({ ...right, 'received-400-0': [[1, 'b']], 'state-400-0': [['a', 1], ['b', 1]] }), { code: 1, text: /1 records are missing: 2/ });
  t.match(verdictOf({ ...right, 'state-400-0': [['a', 1], ['b', 1]] }), { code: 1, text: /the state of a is 1, and 2 have come/ });
  t.match(verdictOf({ ...right, 'received-400-0': [[1, 'b'], [2, 'a'], [7, 'c']] }), { code: 1, text: /record 7 came as c, and was sent as nothing/ });
  t.match(verdictOf({ ...right, 'conflict-received-400-0': [] }), { code: 1, text: /has given something else/ });
  const { 'received-400-0': _lost, 'state-400-0': _too, ...first } = right;
  t.match(verdictOf({ ...first, 'received-600-0': [[1, 'b'], [2, 'a']], 'state-600-0': [['a', 2], ['b', 1]] }), { code: 1, text: /no output of the batches between 200 and 600/ });
});

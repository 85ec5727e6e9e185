/**
 * Verifies a process run from outside: what the source has sent against the files that the outputs have left.
 *
 *   node verifier.js SENT OUTPUT        SENT: a file with one word a line, line n being record n
 *
 * Prints ALL-RECORDS-DELIVERED and ends with 0, or says what is wrong and ends with 1. It knows nothing of the runtime.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const [sentFile = '', output = ''] = process.argv.slice(2);
const sent = readFileSync(sentFile, 'utf8').split('\n').slice(0, -1);
const names = readdirSync(output).filter((name) => !name.endsWith('.writing')).sort();
const problems: string[] = [];
const problem = (text: string): void => void problems.push(text);

for (const name of names) if (name.startsWith('conflict-')) problem(`${name}: a batch that ran again has given something else`);

interface Batch {
  readonly received: (readonly [number, string])[];
  readonly state: (readonly [string, number])[];
  readonly kinds: Set<string>;
}
const batches = new Map<string, Batch>();
for (const name of names) {
  const [kind = '', time = ''] = name.split('-');
  if (kind !== 'received' && kind !== 'state') continue;
  let batch = batches.get(time);
  if (batch === undefined) batches.set(time, (batch = { received: [], state: [], kinds: new Set() }));
  batch.kinds.add(kind);
  batch[kind].push(...(JSON.parse(readFileSync(join(output, name), 'utf8')) as never[]));
}

const times = [...batches.keys()].sort();
const seen = new Map<number, number>();
const counts = new Map<string, number>();
let lastTime = 0;
for (const time of times) {
  const { received, state, kinds } = batches.get(time)!;
  if (lastTime !== 0 && Number(time) !== lastTime + 200) problem(`there is no output of the batches between ${lastTime} and ${Number(time)}`);
  lastTime = Number(time);
  for (const [sequence, word] of received) {
    seen.set(sequence, (seen.get(sequence) ?? 0) + 1);
    counts.set(word, (counts.get(word) ?? 0) + 1);
    if (sent[sequence] !== word) problem(`batch ${time}: record ${sequence} came as ${word}, and was sent as ${sent[sequence] ?? 'nothing'}`);
  }
  // The state is written in each batch, also where nothing came.
  if (!kinds.has('state') && counts.size > 0) problem(`batch ${time}: there is no state`);
  const got = new Map(state);
  if (got.size !== state.length) problem(`batch ${time}: a word has two states`);
  for (const [word, count] of counts) if (got.get(word) !== count) problem(`batch ${time}: the state of ${word} is ${String(got.get(word))}, and ${count} have come`);
  if (got.size !== counts.size) problem(`batch ${time}: ${got.size} words have a state, and ${counts.size} have come`);
}
const missing = sent.flatMap((_, sequence) => (seen.has(sequence) ? [] : [sequence]));
if (missing.length > 0) problem(`${missing.length} records are missing: ${missing.slice(0, 20).join(', ')}${missing.length > 20 ? ', ...' : ''}`);

const twice = [...seen.values()].filter((count) => count > 1).length;
process.stdout.write(`${sent.length} records sent, ${times.length} batches, ${twice} records came more than once (a source that got no acknowledgement gives them again)\n`);
for (const text of problems.toReversed().slice(0, 20)) process.stdout.write(`${text}\n`);
process.stdout.write(problems.length === 0 ? 'ALL-RECORDS-DELIVERED\n' : `${problems.length} problems\n`);
process.exitCode = problems.length === 0 ? 0 : 1;

/** The lock of a directory: one living holder, over processes, and none that is dead stands in the way. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { nodeDisk } from '../../../lib/storage/node-disk.ts';
import { builtFile, startNode } from '../../helpers/node-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-lock-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

let made = 0;
const newPath = (): string => join(folder, `lock-${(made += 1)}`);
const filesOf = (path: string): string[] => readdirSync(folder).filter((name) => name.startsWith(`${path.split('/').at(-1)}`) && (name.length === path.split('/').at(-1)!.length || name[path.split('/').at(-1)!.length] === '.'));
const holds = builtFile('test/fixtures/children/holds-lock.js');

t.test('a second holder is refused, in the same process too, and told who holds it', async (t) => {
  const path = newPath();
  const lock = await nodeDisk.lock(path);
  await t.rejects(nodeDisk.lock(path), { code: 'LogLocked', details: { pid: process.pid } });
  await t.rejects(nodeDisk.lock(path, { owner: 'b' }), { code: 'LogLocked' });
  await lock.release();
  t.strictSame(filesOf(path), [], 'nothing is left');
  const next = await nodeDisk.lock(path, { owner: 'a' });
  await lock.release();
  await t.rejects(nodeDisk.lock(path, { owner: 'b' }), { code: 'LogLocked' }, 'one that was released releases nobody else\'s');
  const again = await nodeDisk.lock(path, { owner: 'a' });
  await next.release();
  await t.rejects(nodeDisk.lock(path, { owner: 'b' }), { code: 'LogLocked' }, 'the same owner has taken it over');
  await again.release();
  t.strictSame(filesOf(path), []);
});

t.test('a lock that was released while its directory was somewhere else binds nobody when that comes back', async (t) => {
  const [directory, away] = [newPath(), newPath()];
  mkdirSync(directory);
  const path = join(directory, 'lock');
  const lock = await nodeDisk.lock(path);
  renameSync(directory, away);
  await lock.release();
  renameSync(away, directory);
  await (await nodeDisk.lock(path)).release();
  t.strictSame(readdirSync(directory), []);
});

t.test('the lock of a process that was killed is taken over', async (t) => {
  const path = newPath();
  const child = startNode(t, [holds, path]);
  await child.prints(/held/);
  await t.rejects(nodeDisk.lock(path), { code: 'LogLocked', message: /End that process/ });
  child.kill('SIGKILL');
  await child.ended;
  const lock = await nodeDisk.lock(path);
  const other = startNode(t, [holds, path]);
  await other.prints(/LogLocked/);
  t.equal(filesOf(path).length, 1, 'nothing else is left');
  await lock.release();
});

t.test('a process of the same number that began at another time, or before the machine started, is not the holder', async (t) => {
  for (const change of [{ began: '1' }, { boot: 'before' }, { space: 'pid:[1]' }]) {
    const path = newPath();
    await nodeDisk.lock(path);
    writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), ...change, token: 'old' }));
    await (await nodeDisk.lock(path)).release();
    t.strictSame(filesOf(path), []);
  }
});

t.test('whether a holder on another host lives can\'t be known: it is not taken over', async (t) => {
  const path = newPath();
  await nodeDisk.lock(path);
  writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), host: 'elsewhere', pid: 1 }));
  await t.rejects(nodeDisk.lock(path), { code: 'LogLocked', message: /remove/, details: { host: 'elsewhere' } });
  writeFileSync(path, 'no lock');
  await t.rejects(nodeDisk.lock(path), { code: 'LogLocked', message: /can't be read/ });
});

t.test('of many that find the same dead holder one gets it, also where one of them died on the way', async (t) => {
  for (let round = 0; round < 20; round += 1) {
    const path = newPath();
    await nodeDisk.lock(path);
    const dead = { ...(JSON.parse(readFileSync(path, 'utf8')) as object), began: '1' };
    writeFileSync(path, JSON.stringify({ ...dead, token: 'one' }));
    if (round % 2 === 1) writeFileSync(`${path}.one`, JSON.stringify({ ...dead, token: 'two' }));
    if (round % 4 === 3) writeFileSync(`${path}.one.two`, JSON.stringify({ ...dead, token: 'three' }));
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => nodeDisk.lock(path)));
    const held = outcomes.filter(({ status }) => status === 'fulfilled');
    t.equal(held.length, 1);
    for (const outcome of outcomes) if (outcome.status === 'rejected') t.match(outcome.reason, { code: 'LogLocked' });
    t.equal(filesOf(path).length, 1);
  }
});

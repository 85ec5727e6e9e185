/** The synchronous calls of tasks and the sessions of a simulated disk see the same files. */
import t from 'tap';
import { SimulatedDisk } from '../../../lib/storage/simulated-disk.ts';

t.test('what a session wrote can be read at once, what is missing is an error, and scratch files go with the power', async (t) => {
  const disk = new SimulatedDisk({ seed: 1 });
  await disk.makeDirectory('/log');
  const file = await disk.create('/log/a');
  await file.append([Buffer.from('hello world')]);
  t.equal(Buffer.from(disk.files.readRange('/log/a', 6, 99)).toString(), 'world');
  t.equal(disk.files.size('/log/a'), 11);
  t.throws(() => disk.files.readRange('/log/b', 0, 1), { code: 'FileFailed' });
  disk.files.writeScratch('/scratch/x/1', Buffer.from('spilled'));
  t.equal(Buffer.from(disk.files.readRange('/scratch/x/1', 0, 7)).toString(), 'spilled');
  t.strictSame(disk.filesBelow(''), ['/log/a', '/scratch/x/1']);
  disk.files.remove(['/scratch/x/1', '/nowhere/2']);
  t.strictSame(disk.filesBelow(''), ['/log/a']);
  disk.files.writeAtomically('/out/part', Buffer.from('whole'));
  t.equal(Buffer.from(await disk.read('/out/part', 0, 5)).toString(), 'whole');
});

t.test('whoever schedules a session\'s calls says when they are carried out', async (t) => {
  const disk = new SimulatedDisk({ seed: 1 });
  const calls: (() => void)[] = [];
  const session = disk.session((_call, fire) => void calls.push(fire));
  let made = false;
  const making = session.makeDirectory('/log').then(() => (made = true));
  await new Promise((resolve) => setImmediate(resolve));
  t.notOk(made);
  calls[0]?.();
  await making;
  t.ok(made);
});

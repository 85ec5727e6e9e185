/**
 * A lock over processes: a file that says who holds it.
 *
 *   DIR/lock                     the holder: host, process, when that process began, a token of this lock alone
 *   DIR/lock.(token)             the right to replace a lock whose holder is dead, itself such a lock
 *
 * A file appears with all that it says, by a hard link, which fails where the name is taken. A dead holder's lock is replaced in one
 * step, by renaming the right to replace it; since only one process can have that right, and only for the lock of that very token, two
 * that find the same dead holder can't both become the next one, and one that is killed on the way leaves nothing that has to be mended by hand.
 *
 * Invariant: of one path there is at most one living holder. Who is alive is known for processes of the same host; a lock of another
 * host is never taken over.
 */
import { randomBytes } from 'node:crypto';
import { link, open, readFile, readlink, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { MillraceError } from '../../protocol/errors.ts';
import { systemCodeOf } from './disk.ts';
import type { Lock } from './disk.ts';

/** What a lock's file says, as JSON. */
interface Holder {
  readonly token: string;
  readonly owner: string | null;
  readonly host: string;
  /** Of the machine's start, and of the container's space of process ids; null where the platform doesn't tell. */
  readonly boot: string | null;
  readonly space: string | null;
  readonly pid: number;
  /** When the process began, in the kernel's ticks since the machine's start; null where the platform doesn't tell. */
  readonly began: string | null;
}

/** Tokens of this thread's locks that were released while another file, or none, was at their path: their directory had been moved. Where it comes back, they bind nobody. */
const strayed = new Set<string>();

/** Rounds of looking again, where holders come and go meanwhile. */
const roundsMax = 100;

export async function takeLock(path: string, { owner }: { readonly owner?: string } = {}): Promise<Lock> {
  const me: Holder = {
    token: randomBytes(12).toString('hex'),
    owner: owner ?? null,
    host: hostname(),
    boot: await textAt('/proc/sys/kernel/random/boot_id'),
    space: await readlink('/proc/self/ns/pid').catch(() => null),
    pid: process.pid,
    began: await beganAt(process.pid),
  };
  await hold(path, me);
  let held = true;
  return {
    path,
    release: async () => {
      if (!held) return;
      held = false;
      if ((await holderAt(path))?.token === me.token) await rm(path, { force: true });
      else strayed.add(me.token);
    },
  };
}

async function hold(path: string, me: Holder): Promise<void> {
  for (let round = 0; round < roundsMax; round += 1) {
    if (await appears(path, me)) return;
    const holder = await holderAt(path);
    if (holder === null) continue;
    if (!(await mayReplace(holder, me))) throw locked(path, holder);
    const right = `${path}.${holder.token}`;
    await hold(right, me);
    // Only who has the right changes it, so nothing comes between looking and replacing.
    if ((await holderAt(path))?.token === holder.token) {
      await rename(right, path);
      return;
    }
    await rm(right, { force: true });
  }
  throw new MillraceError('LogLocked', `Expected to find out who holds ${path} within ${roundsMax} looks; it changed hands each time. Start one process at a time.`, { details: { path } });
}

/** False: the name is taken. */
async function appears(path: string, me: Holder): Promise<boolean> {
  const draft = `${path}.${me.token}.new`;
  const file = await open(draft, 'wx');
  try {
    await file.writeFile(JSON.stringify(me));
    // Synced, as an empty file of that name after a power cut would tell nobody that it may be replaced.
    await file.sync().finally(() => file.close());
    await link(draft, path);
    return true;
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'EEXIST') return false;
    throw thrown;
  } finally {
    await rm(draft, { force: true });
  }
}

async function mayReplace(holder: Holder, me: Holder): Promise<boolean> {
  if (strayed.has(holder.token)) return true;
  if (holder.host !== me.host) return false;
  // The machine, or the container of that host name, was started again: nothing of before lives.
  if (holder.boot !== me.boot || holder.space !== me.space) return true;
  if (!isAlive(holder.pid)) return true;
  // A process of that number that began at another time is another one; one that ended, and that nobody has buried yet, has none.
  if (holder.began !== (await beganAt(holder.pid))) return true;
  return holder.pid === me.pid && holder.owner !== null && holder.owner === me.owner;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    // EPERM: it lives, and is somebody else's.
    return systemCodeOf(thrown) !== 'ESRCH';
  }
}

/** The 22nd field of /proc/PID/stat; the 2nd is the command in brackets and may hold anything. Null for a zombie (the 3rd field). */
async function beganAt(pid: number): Promise<string | null> {
  const text = await textAt(`/proc/${pid}/stat`);
  const [state, ...fields] = text?.slice(text.lastIndexOf(')') + 2).split(' ') ?? [];
  return state === 'Z' || state === 'X' ? null : (fields[18] ?? null);
}

async function textAt(path: string): Promise<string | null> {
  return await readFile(path, 'utf8').then((text) => text.trim(), () => null);
}

/** Null: there is none (any more). */
async function holderAt(path: string): Promise<Holder | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT') return null;
    throw thrown;
  }
  try {
    const { token, owner, host, boot, space, pid, began } = JSON.parse(text) as Partial<Holder>;
    if (typeof token === 'string' && /^\w+$/.test(token) && typeof host === 'string' && typeof pid === 'number') {
      return { token, owner: owner ?? null, host, boot: boot ?? null, space: space ?? null, pid, began: began ?? null };
    }
  } catch {
    // Falls through: what is no JSON says as little as JSON of another form.
  }
  throw new MillraceError('LogLocked', `Expected ${path} to say who holds it; it can't be read. Make sure that no other process uses the directory, then remove ${path}.`, { details: { path } });
}

function locked(path: string, { host, pid }: Holder): MillraceError {
  const whose = host === hostname() ? 'End that process, or give this one another directory' : `Whether it lives can't be seen from here: if it does not, remove ${path}`;
  return new MillraceError('LogLocked', `Expected to be the only one that writes beside ${path}; process ${pid} of host ${host} holds it. ${whose}.`, { details: { path, host, pid } });
}

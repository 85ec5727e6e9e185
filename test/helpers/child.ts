/** An app in a process of its own: what it says, and whether it ends by itself. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface ChildEnd {
  /** Null: it did not end by itself in time, and was killed. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built `test/fixtures/children/<name>`. */
export function runChild(name: string, args: readonly string[] = [], timeoutMs = 20_000): Promise<ChildEnd> {
  const file = fileURLToPath(new URL(`../fixtures/children/${name}.js`, import.meta.url));
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => void (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => void (stderr += text));
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
  });
}

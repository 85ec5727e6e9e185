/**
 * The terminal's Ctrl-C under npx, as a key instead of a signal.
 *
 * npx runs a command in a shell, and the terminal sends Ctrl-C to all of them. Where sh is dash, the shell then dies of the signal as
 * soon as its command has ended, and npx reports 130, whatever the command's own exit code. So where npx stands in between and
 * this process has the terminal, the terminal is asked to hand its keys over instead of making signals of them.
 *
 *   terminal --^C--> npx, sh, millrace: SIGINT each              (as usual: npx reports 130)
 *   terminal --0x03--> millrace alone                            (here: npx reports what millrace exits with)
 *
 * Invariant: the terminal is as it was when `forget` has been called, and while the process is stopped by Ctrl-Z.
 */
import { readFileSync } from 'node:fs';

const keys = { interrupt: '\u0003', suspend: '\u001a', quit: '\u001c' } as const;

/** Calls `onInterrupt` for each Ctrl-C that is typed. Does nothing, and leaves it at signals, where npx or the terminal is missing. */
export function watchKeyboard(onInterrupt: () => void): { readonly forget: () => void } {
  const { stdin } = process;
  if (process.env['npm_command'] !== 'exec' || !stdin.isTTY || !inForeground()) return { forget: () => {} };
  const onKeys = (typed: string): void => {
    for (const key of typed) {
      if (key === keys.interrupt) onInterrupt();
      if (key === keys.quit) {
        forget();
        process.kill(process.pid, 'SIGQUIT');
      }
      if (key === keys.suspend) {
        stdin.setRawMode(false);
        // The whole group, as the terminal would have.
        process.kill(0, 'SIGTSTP');
      }
    }
  };
  const onContinued = (): void => {
    if (inForeground()) stdin.setRawMode(true);
  };
  const forget = (): void => {
    stdin.off('data', onKeys).pause();
    stdin.setRawMode(false);
    process.off('SIGCONT', onContinued);
  };
  stdin.setRawMode(true);
  stdin.setEncoding('latin1').on('data', onKeys);
  process.on('SIGCONT', onContinued);
  return { forget };
}

/** Only who has the terminal may change it: a background process would be stopped for trying. Linux alone says so in a file; others' sh is no dash. */
function inForeground(): boolean {
  try {
    // pid (command) state ppid pgrp session tty tpgid ...; the command may hold spaces and brackets.
    const [, , group, , , foreground] = readFileSync('/proc/self/stat', 'utf8').replace(/^.*\) /s, '').split(' ');
    return group === foreground;
  } catch {
    return false;
  }
}

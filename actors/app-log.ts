/**
 * Log lines of all threads, on the app's thread, to the app's logger.
 *
 * Owns: nothing. A crash loses the line at hand; beyond the mailbox's bound lines are dropped, and counted as dead letters.
 */
import type { Behavior } from '../lib/actor/behavior.ts';
import type { Logger } from '../lib/actor/logger.ts';
import type { LogLine } from '../protocol/log.ts';

export function appLog(logger: Logger): Behavior<null, LogLine> {
  return {
    name: 'app-log',
    mailbox: { messagesMax: 10_000, overflow: 'deadLetter' },
    init: () => null,
    receive(state, line, turn) {
      turn.perform('log', () => logger.log(line.level, line.text, line.fields === null ? undefined : { ...line.fields }), () => null);
      return state;
    },
  };
}

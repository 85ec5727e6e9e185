/** Where actors' logs go: injected, so that the library itself writes nowhere. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Takes the log lines of all threads: the option `logger`. */
export interface Logger {
  log(level: LogLevel, text: string, fields?: Record<string, unknown>): void;
}

export const silentLogger: Logger = { log: () => undefined };

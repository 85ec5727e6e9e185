/** A line of the log on its way from any thread to the app's logger. News: lost ones cost nothing else. */
export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>> | null;
}

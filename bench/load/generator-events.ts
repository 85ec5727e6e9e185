/**
 * What the load generator says on its stdout: one JSON object a line.
 *
 * `due` lines should have been written by now, `lines` were taken by the kernel, `lag` is the difference: it grows where the
 * reader is slower than the rate, since what is due is never dropped. Without a rate, `lag` is 0.
 */
export type GeneratorEvent = GeneratorListening | GeneratorTick;

export interface GeneratorListening {
  readonly event: 'listening';
  readonly epochMs: number;
  readonly port: number;
}

/** `open`: someone has connected; `tick`: once a second; `written`: the last line is written; `close`: the connection is over. */
export interface GeneratorTick {
  readonly event: 'open' | 'tick' | 'written' | 'close';
  readonly connection: number;
  readonly epochMs: number;
  readonly elapsedSeconds: number;
  readonly lines: number;
  readonly bytes: number;
  readonly lag: number;
}

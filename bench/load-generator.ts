/**
 * The load generator: a process of its own that serves lines of text over TCP on 127.0.0.1 to whoever connects.
 *
 * Invariant: the lines, their pace and their number depend on the options alone; every connection gets the same ones, from
 * the first line on, or with --resumable from that line on whose number the reader has sent as its first line. It ends on SIGTERM or SIGINT, when its stdin ends (its parent is gone), or after --connections.
 *
 *   node load-generator.js [--port 0] [--rate LINES_PER_SECOND | --steps r:s,r:s,...] [--lines N [--hold]] [--stamped] [--resumable]
 *                          [--connections N] [--tick-ms 2] [--seed 42] [--dump N]
 *
 * Without a rate it sends as fast as it is read. --hold keeps the connection open after the last line. --dump writes N lines to
 * stdout and ends. Else stdout carries the lines of load/generator-events.ts.
 */
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { Feeder, parsePace } from './load/feeder.ts';
import type { PaceStep } from './load/feeder.ts';
import type { GeneratorEvent, GeneratorTick } from './load/generator-events.ts';
import { defaultSeed, makeLines, poolLines } from './load/zipf-lines.ts';
import { epochMs, epochUs, monotonicMs } from './wall-clock.ts';

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    rate: { type: 'string' },
    steps: { type: 'string' },
    lines: { type: 'string' },
    hold: { type: 'boolean', default: false },
    stamped: { type: 'boolean', default: false },
    resumable: { type: 'boolean', default: false },
    connections: { type: 'string', default: '0' },
    'tick-ms': { type: 'string', default: '2' },
    seed: { type: 'string', default: String(defaultSeed) },
    dump: { type: 'string' },
  },
});
const tickEventMs = 1_000;

if (options.dump === undefined) serve();
else process.stdout.write(makeLines(number('dump'), number('seed')));

function serve(): void {
  const pool = makeLines(poolLines, number('seed'));
  const pace = paceOf();
  const connectionsMax = number('connections') || Infinity;
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    if (connections === connectionsMax) server.close();
    const connection = connections;
    if (options.resumable) whenAsked(socket, (firstLine) => feed(socket, connection, pool, pace, firstLine));
    else feed(socket, connection, pool, pace, 0);
  });
  server.listen(number('port'), '127.0.0.1', () => {
    const address = server.address();
    say({ event: 'listening', epochMs: epochMs(), port: typeof address === 'object' && address !== null ? address.port : 0 });
  });
  const end = (): void => process.exit(0);
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
  process.stdin.resume().once('end', end);
  server.once('close', end);
}

/** Lines are numbered from 0. */
function whenAsked(socket: Socket, ask: (firstLine: number) => void): void {
  let text = '';
  const take = (chunk: Buffer): void => {
    text += chunk.toString('latin1');
    if (!text.includes('\n')) return;
    socket.off('data', take);
    ask(Number.parseInt(text, 10) || 0);
  };
  socket.on('data', take).on('error', () => socket.destroy());
}

function feed(socket: Socket, connection: number, pool: Uint8Array, pace: readonly PaceStep[], firstLine: number): void {
  socket.setNoDelay(true);
  const feeder = new Feeder({
    pool,
    pace,
    firstLine,
    linesMax: options.lines === undefined ? Infinity : number('lines'),
    stamped: options.stamped,
    monotonicMs,
    epochUs,
    // A write that the kernel takes at once calls back before any timer could run: one that a fast reader has always taken would keep them all waiting.
    write: (chunk, flushed) => socket.write(chunk, (error) => void (error ?? setImmediate(flushed))),
    ended: () => {
      say(tick('written'));
      if (!options.hold) socket.end();
    },
  });
  const tick = (event: GeneratorTick['event']): GeneratorTick => ({
    event,
    connection,
    epochMs: epochMs(),
    elapsedSeconds: Number(feeder.elapsedSeconds.toFixed(3)),
    lines: feeder.linesWritten,
    bytes: feeder.bytesWritten,
    lag: Math.round(feeder.lag),
  });
  const pacing = setInterval(() => feeder.turn(), number('tick-ms'));
  const reporting = setInterval(() => say(tick('tick')), tickEventMs);
  socket.resume();
  // A reader that goes away is the normal end of a run; what it had not read counts as written.
  socket.on('error', () => socket.destroy());
  socket.once('close', () => {
    clearInterval(pacing);
    clearInterval(reporting);
    say(tick('close'));
  });
  say(tick('open'));
  feeder.turn();
}

function paceOf(): PaceStep[] {
  if (options.rate === undefined && options.steps === undefined) return [];
  const pace = parsePace(options.steps ?? String(options.rate));
  if (pace !== null) return pace;
  process.stderr.write(`--rate must be lines per second and --steps r:s,r:s, got ${options.steps ?? options.rate}\n`);
  process.exit(2);
}

function number(name: 'port' | 'lines' | 'connections' | 'tick-ms' | 'seed' | 'dump'): number {
  const value = Number(options[name]);
  if (Number.isFinite(value) && value >= 0) return value;
  process.stderr.write(`--${name} must be a number, got ${options[name]}\n`);
  process.exit(2);
}

function say(event: GeneratorEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

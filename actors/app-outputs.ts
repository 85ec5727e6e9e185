/**
 * The outputs of one program on the app's thread: bodies of foreachRDD, printing, readers of published streams.
 *
 * Owns: the order of what is printed and published. Invariant: a body is run once for each request and answered when its
 * promise has settled; records are read, and their memory given back, before the next message is handled.
 * Talks to: the job scheduler of its program, block manager master.
 * A crash loses: the answer to a body under way; the output then times out.
 */
import type { Behavior } from '../lib/actor/behavior.ts';
import type { ToAppOutputs } from '../protocol/job.ts';
import type { BlockRef, RddNode, SharedHandle } from '../protocol/rdd.ts';
import type { AccumulatorUpdate, LeftOutRecords } from '../protocol/task.ts';
import type { BatchTime } from '../protocol/time.ts';
import type { ProgramId } from '../protocol/ids.ts';
import type { WireError } from '../protocol/errors.ts';
import { unreachable } from '../lib/base/assert.ts';
import { places } from './places.ts';

/** What the façade does with what comes. */
export interface AppOutputPorts {
  runBody(output: number, time: BatchTime, rdd: RddNode): Promise<void>;
  print(output: number, time: BatchTime, limit: number, records: readonly unknown[]): void;
  publish(output: number, time: BatchTime, records: readonly unknown[]): void;
  accumulated(updates: readonly AccumulatorUpdate[]): void;
  deadLetters(letters: LeftOutRecords): void;
  outputSkipped(output: number | null, time: BatchTime, error: WireError): void;
  /** Reads one block's records. */
  read(block: BlockRef): unknown[];
}

export interface AppOutputsArgs {
  readonly program: ProgramId;
}

export function appOutputs(ports: AppOutputPorts): Behavior<null, ToAppOutputs, AppOutputsArgs> {
  return {
    name: 'app-outputs',
    mailbox: { messagesMax: 1_000_000, overflow: 'fail' },
    init: () => null,
    receive(state, message, turn) {
      switch (message.type) {
        case 'runBody': {
          const { output, time, rdd, replyTo } = message;
          turn.perform('foreachRDD', () => ports.runBody(output, time, rdd), (outcome) => ({ type: 'bodyEnded', replyTo, error: outcome.ok ? null : outcome.error }));
          return state;
        }
        case 'bodyEnded':
          turn.reply(message.replyTo, { error: message.error });
          return state;
        case 'printBatch':
        case 'publishBatch': {
          const { records, scope } = message;
          const all = records.flatMap((block) => ports.read(block));
          const handles = records.flatMap(({ place }): SharedHandle[] => (place !== null && 'slab' in place ? [place] : []));
          if (handles.length > 0) turn.tell(places.blockManagerMaster, { type: 'release', scope, handles });
          if (message.type === 'printBatch') turn.perform('print', () => ports.print(message.output, message.time, message.limit, all), () => null);
          else turn.perform('publish', () => ports.publish(message.output, message.time, all), () => null);
          return state;
        }
        case 'accumulated':
          turn.perform('accumulate', () => ports.accumulated(message.updates), () => null);
          return state;
        case 'deadLetters':
          turn.perform('deadLetters', () => ports.deadLetters(message.letters), () => null);
          return state;
        case 'outputSkipped':
          turn.perform('outputSkipped', () => ports.outputSkipped(message.output, message.time, message.error), () => null);
          return state;
        case 'flush':
          turn.reply(message.replyTo, null);
          return state;
        default:
          return unreachable(message);
      }
    },
  };
}

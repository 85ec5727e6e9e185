/**
 * Which source runs a receiver: made of its spec, on the io thread.
 *
 * Invariant: every kind of receiver is one line here; a user's factory is called here and nowhere else.
 */
import { DecoderSink, FrameSink } from '../lib/sources/byte-sinks.ts';
import { ReceiverSource } from '../lib/sources/receiver-source.ts';
import { reportRefused } from '../lib/sources/refused-records.ts';
import { SocketBytesSource } from '../lib/sources/socket-bytes-source.ts';
import { SocketTextSource } from '../lib/sources/socket-text-source.ts';
import type { Emit, Source } from '../lib/sources/source.ts';
import { taskShareOfMemory } from '../lib/storage/eviction.ts';
import type { Receiver } from '../lib/dstream/receiver.ts';
import type { StreamDecoder } from '../lib/dstream/input.ts';
import { decodeRecords } from '../protocol/codec.ts';
import type { ReceiverSpec } from '../protocol/receiver.ts';
import { unreachable } from '../lib/base/assert.ts';
import type { HostServices } from './services.ts';

/** A block of records is cut at this many, whatever the block interval says. */
const blockRecordsMax = 65_536;

export function sourceFor(services: HostServices, spec: ReceiverSpec, emit: Emit): Source {
  const { pool, net, options } = services;
  const { host, port, recordBytesMax, stream } = spec;
  const { slabBytes } = options;
  // Receivers leave a part of the memory to the tasks: else a backlog of blocks could keep them from being processed.
  const taskSlabs = Math.ceil(pool.slabs * taskShareOfMemory);
  const hasRoom = (bytes: number): boolean => pool.freeSlabs - Math.ceil(bytes / slabBytes) >= taskSlabs;
  /** More than all that receivers may have would wait for ever. */
  const receivedBytesMax = (pool.slabs - taskSlabs) * slabBytes;
  const allocate = (bytes: number) => (hasRoom(bytes) ? pool.allocate(bytes) : null);
  const ofRecords = { allocate, recordsMax: blockRecordsMax, blockBytesMax: slabBytes, recordBytesMax: receivedBytesMax };
  const factory = (): unknown => services.programs.get(spec.program)?.factory(stream);
  switch (spec.kind) {
    case 'socketText':
      return new SocketTextSource({
        host, port, recordBytesMax, blockBytesMax: slabBytes, net, emit,
        // With its last bytes a receiver can't wait: it borrows from the tasks, and gives the slab back at once.
        open: (last) => (last || hasRoom(slabBytes) ? pool.openSlab() : null),
        // Slabs that wait for a read are at most half of what receivers may have: the rest goes round.
        mayReadAhead: () => pool.freeSlabs > taskSlabs + (pool.slabs - taskSlabs) / 2,
        isShort: () => !hasRoom(slabBytes),
      });
    case 'rawSocket':
      return new SocketBytesSource({ host, port, net, emit, sink: new FrameSink(allocate, receivedBytesMax, (block) => decodeRecords(block).length) });
    case 'socketDecoder': {
      const decoder = (factory() as () => StreamDecoder<unknown>)();
      return new SocketBytesSource({ host, port, net, emit, sink: new DecoderSink(decoder, { ...ofRecords, onRefused: reportRefused(emit) }) });
    }
    case 'custom':
      return new ReceiverSource({ stream, make: factory() as () => Receiver<unknown>, emit, ...ofRecords });
    default:
      return unreachable(spec.kind);
  }
}

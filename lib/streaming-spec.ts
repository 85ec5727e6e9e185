/**
 * What the driver is told of a context: plain data, made of the checked options and the built graph.
 */
import type { Durability, ProgramDescriptor, StreamingSpec } from '../protocol/host.ts';
import type { ProgramBuilder } from './program/program-builder.ts';
import type { CheckedStreamingOptions } from './options.ts';

export function streamingSpec(builder: ProgramBuilder, url: string | null, options: CheckedStreamingOptions, durability: Durability | null): StreamingSpec {
  const { batchIntervalMs, checkpointDirectory, appName, args, ...rest } = options;
  const descriptor: ProgramDescriptor = { program: builder.program, url, args: args ?? null, batchIntervalMs, checkpointDirectory, appName, defaultParallelism: builder.sc.defaultParallelism };
  return {
    descriptor,
    fingerprint: builder.fingerprint(),
    clock: rest.clock,
    blockIntervalMs: rest.blockIntervalMs,
    outputTimeoutMs: rest.outputTimeoutMs,
    advanceTimeoutMs: rest.advanceTimeoutMs,
    receiverRestartDelayMs: rest.receiverRestartDelayMs,
    receiverRestartsMax: rest.receiverRestartsMax,
    receiverRestartsMs: rest.receiverRestartsMs,
    receiverTimeoutMs: rest.receiverTimeoutMs,
    blocksInFlightMax: rest.blocksInFlightMax,
    onBatchFailure: rest.onBatchFailure,
    outputNames: builder.graph.outputs.map(({ operator }) => operator.name),
    receivers: builder.receiverInputs.map(({ stream, source, storage, operator }) => ({ stream, kind: source.kind, host: 'host' in source ? source.host : '', port: 'port' in source ? source.port : 0, copies: storage?.replication ?? null, operator })),
    uids: Object.fromEntries(builder.graph.inputs.map((input) => [input.streamId, input.operatorUid])),
    durability,
  };
}

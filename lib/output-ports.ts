/**
 * What becomes of a program's outputs on the app's thread: bodies of foreachRDD are run, text is printed, published streams and the app's accumulators
 * get what is theirs.
 *
 * Invariant: made anew for each driver, since an answer goes to the driver that has asked; the app's own objects stay.
 */
import type { AppOutputPorts } from '../actors/app-outputs.ts';
import { programPlaces } from '../actors/places.ts';
import type { HostServices } from '../actors/services.ts';
import { decodeRecords } from '../protocol/codec.ts';
import type { RddNode } from '../protocol/rdd.ts';
import type { BatchTime } from '../protocol/time.ts';
import type { Logger } from './actor/logger.ts';
import type { AppRdds } from './app-rdds.ts';
import type { OutputContext } from './dstream/output.ts';
import { printedBatch } from './dstream/print-text.ts';
import type { CheckedStreamingOptions } from './options.ts';
import { outputFailure } from './output-bodies.ts';
import type { OutputBodies } from './output-bodies.ts';
import { printTo } from './print-sink.ts';
import type { ContributionLedger } from './program/contribution-ledger.ts';
import type { ProgramBuilder } from './program/program-builder.ts';
import { outputId } from './rdd/output-id.ts';
import { RDD } from './rdd/rdd.ts';

interface AppOutputs {
  readonly builder: ProgramBuilder;
  readonly options: CheckedStreamingOptions;
  readonly services: HostServices;
  readonly logger: Logger;
  readonly bodies: OutputBodies;
  readonly rdds: AppRdds;
  readonly contributions: ContributionLedger;
}

export function outputPorts(app: AppOutputs): AppOutputPorts {
  const { builder, options, services, logger, contributions } = app;
  const { graph, deadLetterStreams } = builder;
  return {
    runBody: (output, time, node) => runBody(app, output, time, node),
    print: (_output, time, limit, records) => {
      const text = printedBatch(time, records, limit);
      if (options.print !== null) options.print(text);
      else printTo(process.stdout, text, logger);
    },
    publish: (output, time, records) => {
      const operation = graph.outputs[output]?.operation;
      if (operation?.kind !== 'publish') return;
      const taken = (): void => services.tell(programPlaces(builder.program).jobScheduler, { type: 'publishedTaken', output });
      void operation.published.deliver({ time, records }, taken);
    },
    accumulated: (updates) => contributions.take(builder.sc.accumulators, updates),
    deadLetters: (letters) => deadLetterStreams.forEach((stream) => stream.post(letters)),
    outputSkipped: (output, time, error) => deadLetterStreams.forEach((stream) => stream.postBatch(output === null ? null : (graph.outputs[output]?.operator ?? null), time, error)),
    read: (block) => (block.place !== null && 'slab' in block.place ? decodeRecords(services.pool.view(block.place)) : []),
  };
}

async function runBody({ builder, options, bodies, rdds }: AppOutputs, output: number, time: BatchTime, node: RddNode): Promise<void> {
  const { operation, operator } = builder.graph.outputs[output] ?? {};
  if (operation?.kind !== 'foreachRDD' || operator === undefined) return;
  const { uid, place } = operator;
  const context: OutputContext<unknown> = { app: options.app, time, batchTime: time, outputUid: uid, id: outputId(builder.appName, uid, time) };
  const body = () => builder.rdds.body.run(time, uid, () => operation.body(new RDD<unknown>(builder.rdds, node.id), time, context));
  await bodies.run(body, async (bounded) => {
    rdds.define(node);
    // Inline, the driver's sweep after another batch must leave alone what this body makes.
    const letGo = builder.rdds.holdWhatIsMade();
    try {
      await bounded();
    } catch (thrown) {
      throw outputFailure(thrown, output, time, place);
    } finally {
      letGo();
      rdds.forget(node.id, builder.rdds.made);
    }
  });
}

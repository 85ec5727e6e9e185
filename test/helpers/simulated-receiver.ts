/**
 * A run of a receiver in the simulator, with io threads that die at steps of the seed's choice or of the test's.
 *
 * Invariant: equal settings give equal runs.
 */
import { StreamingContext } from '../../lib/streaming-context.ts';
import { SimulatedCluster } from '../../lib/simulated-cluster.ts';
import type { FaultOptions } from '../../lib/actor/faults.ts';
import { Receiver } from '../../lib/dstream/receiver.ts';
import { StorageLevel } from '../../lib/rdd/storage-level.ts';
import { createPrng } from '../../lib/base/prng.ts';

/** A source that keeps what it has, and can be read from any place, as a partition of Kafka. */
export class Log {
  readonly records: number[] = [];
  /** All before it must be in the output, whatever dies. */
  acknowledged = 0;
  refusals = 0;
  starts: (number | null)[] = [];
  #waiting: (() => void)[] = [];

  push(count: number): void {
    for (let index = 0; index < count; index += 1) this.records.push(this.records.length);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  more(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/** Goes on behind its last position; several batches are under way at a time. */
export class FromPosition extends Receiver<number, number> {
  readonly #log: Log;

  constructor(log: Log) {
    super(StorageLevel.MEMORY_AND_DISK_SER_2);
    this.#log = log;
  }

  override async onStart(): Promise<void> {
    const log = this.#log;
    log.starts.push(this.lastAcknowledged);
    // The life before may have died between the storing and its acknowledgement.
    log.acknowledged = Math.max(log.acknowledged, this.lastAcknowledged ?? 0);
    for (let at = this.lastAcknowledged ?? 0; !this.isStopped(); ) {
      const batch = log.records.slice(at, at + 3);
      if (batch.length === 0) {
        await log.more();
        continue;
      }
      at += batch.length;
      const position = at;
      const stored = this.storeBatch(batch, { position }).then(() => void (log.acknowledged = Math.max(log.acknowledged, position)));
      stored.catch(() => void (log.refusals += 1));
      if (position % 2 === 0) await stored;
    }
  }

  override onStop(): void {}
}

/** Keeps no position: what its source has not had acknowledged, it gives again. */
export class FromAcknowledged extends Receiver<number> {
  readonly #log: Log;

  constructor(log: Log, level: StorageLevel) {
    super(level);
    this.#log = log;
  }

  override async onStart(): Promise<void> {
    const log = this.#log;
    log.starts.push(log.acknowledged);
    while (!this.isStopped()) {
      const batch = log.records.slice(log.acknowledged, log.acknowledged + 2);
      if (batch.length === 0) {
        await log.more();
        continue;
      }
      const upTo = log.acknowledged + batch.length;
      await this.storeBatch(batch);
      log.acknowledged = Math.max(log.acknowledged, upTo);
    }
  }

  override onStop(): void {}
}

export interface Run {
  readonly log: Log;
  readonly output: readonly number[];
  readonly heldHandles: number;
  readonly liveHandles: number;
  readonly restarts: number;
}

export interface Setting {
  readonly seed: number;
  readonly ioThreads: number;
  readonly make: (log: Log) => Receiver<number>;
  /** Before which step of the run an io thread dies; by the seed where it is left out. */
  readonly killAt?: number;
  readonly faults?: FaultOptions;
}

export async function run({ seed, ioThreads, make, killAt, faults }: Setting): Promise<Run> {
  const cluster = new SimulatedCluster({ seed, workers: 1, ioThreads, logger: { log: () => {} }, slabBytes: 65_536, blockMemoryBytesMax: 2_097_152, recordBytesMax: 1_024, ...(faults === undefined ? {} : { faults }) });
  const { simulator } = cluster;
  const prng = createPrng(`receivers ${seed}`);
  const log = new Log();
  const io = new Set<number>();
  const ssc = await StreamingContext.create((context: StreamingContext) => ({ seen: context.receiverStream(() => make(log)).publish({ bound: 10_000 }) }), {
    sparkContext: cluster.sparkContext,
    batchInterval: 1_000,
    blockIntervalMs: 200,
    clock: 'manual',
    allowMultipleContexts: true,
  });
  ssc.on('threadStarted', ({ host, role }) => void (role === 'io' && io.add(host)));
  const output: number[] = [];
  void (async () => {
    for await (const { records } of ssc.exports.seen) output.push(...(records as readonly number[]));
  })();
  let steps = 0;
  let kills = 0;
  const kill = (): void => {
    const victims = simulator.hosts.filter((host) => io.has(host));
    if (victims.length > 0 && kills < 4) {
      simulator.killHost(prng.pick(victims));
      kills += 1;
    }
  };
  const stepAWhile = async (count: number, killing: boolean): Promise<void> => {
    for (let step = 0; step < count; step += 1) {
      if (killAt === steps || (killing && killAt === undefined && prng.int(60) === 0)) kill();
      steps += 1;
      // The receiver's own promises go on between any two steps.
      await Promise.resolve();
      if (!simulator.step()) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await cluster.run(ssc.start());
  for (let batch = 0; batch < 4; batch += 1) {
    log.push(1 + prng.int(6));
    await stepAWhile(60, true);
    const done = ssc.clock.advance(1);
    await stepAWhile(30, true);
    await cluster.run(done);
  }
  for (let batch = 0; batch < 60 && log.acknowledged < log.records.length; batch += 1) {
    // Back-off takes its time.
    await cluster.run(new Promise<void>((resolve) => void simulator.clock.setTimer(500, resolve)));
    await cluster.run(ssc.clock.advance(1));
  }
  await cluster.run(ssc.clock.advance(2));
  await cluster.run(ssc.stop({ stopSparkContext: false }));
  const { heldHandles, liveHandles } = await cluster.run(cluster.sparkContext.blockStats());
  await cluster.sparkContext.stop();
  return { log, output, heldHandles, liveHandles, restarts: log.starts.length - 1 };
}

export const replayed = (seed: number) => (thrown: unknown): never => {
  throw new Error(`SIM_SEED=${seed} SIM_SEEDS=1 replays this`, { cause: thrown });
};

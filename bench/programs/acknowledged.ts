/**
 * A reliable receiver that is its own source: so many calls of storeBatch a second, each timed until its promise resolves.
 *
 * Invariant: what was measured comes out by the same way as the data: as a record of a later call. A call is made when it is due, however
 * many are still waited for, so that a slow acknowledgement does not lower the rate.
 */
import { Receiver } from 'millrace';
import type { StreamingContext } from 'millrace';
import { makeLineStrings } from '../load/zipf-lines.ts';
import { monotonicMs } from '../wall-clock.ts';

export interface AcknowledgedArgs {
  readonly storesPerSecond: number;
  readonly recordsPerStore: number;
}

/** `options.app` of the contexts that run it. */
export interface AcknowledgedApp {
  readonly onLatencies: (ms: readonly number[]) => void;
}

export default function acknowledged(ssc: StreamingContext, { storesPerSecond, recordsPerStore }: AcknowledgedArgs) {
  ssc
    .receiverStream(() => new TimedReceiver(storesPerSecond, recordsPerStore))
    .filter((record) => typeof record === 'number')
    .foreachRDD<AcknowledgedApp>(async (rdd, _time, { app }) => app.onLatencies((await rdd.collect()) as number[]));
}

class TimedReceiver extends Receiver<string | number, number> {
  readonly #storesPerSecond: number;
  readonly #records: readonly string[];
  #latencies: number[] = [];
  #timer: NodeJS.Timeout | null = null;

  constructor(storesPerSecond: number, recordsPerStore: number) {
    super();
    this.#storesPerSecond = storesPerSecond;
    this.#records = makeLineStrings(recordsPerStore);
  }

  override onStart(): void {
    const startMs = monotonicMs();
    const first = this.lastAcknowledged ?? 0;
    let made = 0;
    this.#timer = setInterval(() => {
      for (const due = Math.floor(((monotonicMs() - startMs) * this.#storesPerSecond) / 1_000); made < due; made += 1) this.#store(first + made + 1);
    }, 2);
  }

  override onStop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  #store(position: number): void {
    const records = [...this.#records, ...this.#latencies.splice(0)];
    const startMs = monotonicMs();
    this.storeBatch(records, { position }).then(
      () => void this.#latencies.push(monotonicMs() - startMs),
      (error: unknown) => this.isStopped() || this.reportError('A batch was not stored.', error),
    );
  }
}

/**
 * A receiver of one's own: readings of three sensors, and the mean of each in every batch.
 *
 *   npx millrace run dist/examples/custom-receiver.js --batches 3
 *
 * An unreliable one: a sensor reads nothing twice, so it stores without asking what became of it. For a source that can send again see
 * programs/file-lines.ts. The factory given to receiverStream is called on the io thread and nowhere else, so a receiver may open there whatever it needs.
 */
import { Receiver } from 'millrace';
import type { StreamingContext } from 'millrace';

interface Reading {
  readonly sensor: string;
  readonly celsius: number;
}

const sensors = ['north', 'east', 'south'];

class SensorReceiver extends Receiver<Reading> {
  #timer: NodeJS.Timeout | undefined;
  #readings = 0;

  onStart(): void {
    this.#timer = setInterval(() => {
      for (const [index, sensor] of sensors.entries()) {
        void this.store({ sensor, celsius: 10 * index + (this.#readings % 5) });
      }
      this.#readings += 1;
    }, 20);
  }

  onStop(): void {
    clearInterval(this.#timer);
  }
}

export default function meanTemperatures(ssc: StreamingContext) {
  ssc
    .receiverStream(() => new SensorReceiver())
    .map(({ sensor, celsius }) => [sensor, { sum: celsius, readings: 1 }])
    .reduceByKey((a, b) => ({ sum: a.sum + b.sum, readings: a.readings + b.readings }))
    .mapValues(({ sum, readings }) => (sum / readings).toFixed(1))
    .print();
}

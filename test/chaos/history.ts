/**
 * What the world outside of the process has seen: what was sent and acknowledged, and what outputs have written. It outlives
 * every process of a run.
 *
 * Invariant: an output's batch has one content, whoever writes it and how often; what contradicts that is a problem, noted at once.
 */
import { equalValues, previewValue } from '../conformance/values.ts';
import type { Value } from '../conformance/values.ts';
import type { Envelope } from './chaos-program.ts';

export type Partitions = readonly (readonly Value[])[];

export class History {
  readonly problems: string[] = [];
  /** By input and batch time: envelopes, partition by partition. */
  readonly allocations = new Map<string, Map<number, readonly (readonly Envelope[])[]>>();
  readonly outputs = new Map<string, Map<number, Partitions>>();
  /** An exactly-once sink: by output, batch time and partition. */
  readonly committed = new Map<string, Map<number, Map<number, readonly Value[]>>>();
  readonly sent = new Set<string>();
  readonly acknowledged = new Set<string>();
  /** Batches that were written more than once. */
  rewritten = 0;
  /** Of the broadcast variable: what was set, and (once that was confirmed) may not be undone. */
  settings: { readonly value: number; confirmed: boolean }[] = [{ value: 0, confirmed: true }];
  readonly #settingsSeen = new Map<number, number>();

  problem(text: string): void {
    if (this.problems.length < 20 && !this.problems.includes(text)) this.problems.push(text);
  }

  allocated(input: string, time: number, partitions: readonly (readonly Envelope[])[]): void {
    this.#once(this.allocations as unknown as Map<string, Map<number, Partitions>>, `what ${input} was given`, input, time, partitions as unknown as Partitions);
  }

  wrote(output: string, time: number, partitions: Partitions): void {
    this.#once(this.outputs, `output ${output}`, output, time, partitions);
  }

  /** One transaction: all of the partition's records with their key, or nothing, where the key is there already. */
  commit(output: string, time: number, partition: number, records: readonly Value[]): void {
    const times = entry(this.committed, output, () => new Map<number, Map<number, readonly Value[]>>());
    const partitions = entry(times, time, () => new Map<number, readonly Value[]>());
    const known = partitions.get(partition);
    if (known === undefined) partitions.set(partition, records);
    else if (!equalValues(known as Value, records as Value)) this.problem(`sink of ${output} at ${time} ms, partition ${partition}: ${previewValue(known as Value, 200)} was committed, and comes again as ${previewValue(records as Value, 200)}`);
  }

  settingSeen(time: number, values: readonly number[]): void {
    for (const value of values) {
      const known = entry(this.#settingsSeen, time, () => value);
      if (known !== value) this.problem(`the batch at ${time} ms has seen the broadcast value ${known}, and sees ${value}`);
      if (!this.settings.some((setting) => setting.value === value)) this.problem(`the batch at ${time} ms sees the broadcast value ${value}, which nobody has set`);
    }
  }

  /** Values never go back from one batch to a later one. */
  checkSettings(): void {
    let last = 0;
    for (const [time, value] of [...this.#settingsSeen].sort(([a], [b]) => a - b)) {
      if (value < last) this.problem(`the batch at ${time} ms sees the broadcast value ${value}, after ${last}`);
      last = Math.max(last, value);
    }
  }

  #once(all: Map<string, Map<number, Partitions>>, what: string, name: string, time: number, partitions: Partitions): void {
    const times = entry(all, name, () => new Map<number, Partitions>());
    const known = times.get(time);
    if (known === undefined) {
      times.set(time, partitions);
      return;
    }
    this.rewritten += 1;
    if (!equalValues(known as Value, partitions as Value)) this.problem(`${what} at ${time} ms was ${previewValue(known as Value, 200)}, and is ${previewValue(partitions as Value, 200)} when the batch runs again`);
  }
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}

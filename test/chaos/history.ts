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
  /** By batch time: what a function has taken, and what it has refused (a dead letter: at least once, and once for each process). */
  readonly #taken = new Map<number, readonly string[]>();
  readonly #letters = new Map<number, Map<string, number>>();
  /** Of a state, by batch time and key; and those at which its function has failed. */
  readonly #sums = new Map<number, ReadonlyMap<string, number>>();
  readonly #failedSums = new Set<number>();
  /** Batches that were written more than once. */
  rewritten = 0;
  /** Of the broadcast variable: what was set, and (once that was confirmed) the batches from then on see: those behind `fromMs`. */
  settings: { readonly value: number; fromMs: number | null }[] = [{ value: 0, fromMs: 0 }];
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

  /** The function of a state: the sum, or, of ten sums that it comes to so many, once, an error. */
  summed(more: number, before: number, failuresOfTen: number): number {
    const sum = more + before;
    if (more > 0 && sum % 10 < failuresOfTen && !this.#failedSums.has(sum)) {
      this.#failedSums.add(sum);
      throw new Error('chaos: a state that fails');
    }
    return sum;
  }

  sumsWritten(time: number, sums: readonly (readonly [string, number])[]): void {
    this.#sums.set(time, new Map(sums));
  }

  /** `given`: by batch time, to the input of which the sums are. */
  checkSums(given: ReadonlyMap<number, readonly (readonly Envelope[])[]>, lastMs: number, keyOf: (envelope: string) => string): void {
    const expected = new Map<string, number>();
    for (const [time, partitions] of [...given].sort(([a], [b]) => a - b)) {
      if (time > lastMs) continue;
      for (const [envelope] of partitions.flat(1)) expected.set(keyOf(envelope), (expected.get(keyOf(envelope)) ?? 0) + 1);
      const text = (sums: ReadonlyMap<string, number>): string => [...sums].map(([key, sum]) => `${key}: ${sum}`).sort().join(', ');
      const came = text(this.#sums.get(time) ?? new Map());
      if (came !== text(expected)) this.problem(`the sums at ${time} ms should be ${text(expected)}, and are ${came}`);
    }
  }

  taken(input: string, time: number, envelopes: readonly string[]): void {
    const known = entry(this.#taken, time, () => envelopes);
    if (!equalValues([...known].sort() as Value, [...envelopes].sort() as Value)) this.problem(`of ${input} at ${time} ms ${known.join(' ')} were taken, and ${envelopes.join(' ')} when the batch runs again`);
  }

  /** What a process has read of its dead letters, by batch time. */
  lettersRead(letters: readonly (readonly [time: number, envelope: string])[]): void {
    const read = new Map<number, Map<string, number>>();
    for (const [time, envelope] of letters) {
      const times = entry(read, time, () => new Map<string, number>());
      times.set(envelope, (times.get(envelope) ?? 0) + 1);
    }
    for (const [time, counts] of read) {
      const known = entry(this.#letters, time, () => new Map<string, number>());
      for (const [envelope, count] of counts) known.set(envelope, Math.max(count, known.get(envelope) ?? 0));
    }
  }

  /** `given`: by batch time, to the input of which the letters are. */
  checkLetters(given: ReadonlyMap<number, readonly (readonly Envelope[])[]>, lastMs: number, isRefused: (envelope: string) => boolean): void {
    for (const [time, partitions] of given) {
      if (time > lastMs) continue;
      const all = partitions.flat(1).map(([envelope]) => envelope);
      const [refused, taken] = [all.filter((envelope) => isRefused(envelope)), all.filter((envelope) => !isRefused(envelope))];
      if (!equalValues(taken.sort() as Value, [...(this.#taken.get(time) ?? [])].sort() as Value)) this.problem(`at ${time} ms ${taken.join(' ')} should have been taken, and ${(this.#taken.get(time) ?? []).join(' ')} were`);
      const letters = [...(this.#letters.get(time) ?? [])].flatMap(([envelope, count]) => Array.from({ length: count }, () => envelope));
      if (!equalValues(refused.sort() as Value, letters.sort() as Value)) this.problem(`at ${time} ms ${refused.join(' ')} were refused, and the dead letters of one process are ${letters.join(' ')}`);
    }
  }

  /** Values never go back from one batch to a later one, nor behind what was confirmed before it. */
  checkSettings(): void {
    let last = 0;
    for (const [time, value] of [...this.#settingsSeen].sort(([a], [b]) => a - b)) {
      const confirmed = this.settings.findLast(({ fromMs }) => fromMs !== null && fromMs < time)?.value ?? 0;
      if (value < confirmed) this.problem(`the batch at ${time} ms sees the broadcast value ${value}, and ${confirmed} was confirmed before it`);
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

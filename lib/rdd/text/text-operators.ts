/**
 * Operators on lines, as an RDD has them: its words, its parts, its fields, the value that it is the JSON of.
 *
 *   words()             line.match(/\S+/g) ?? []      runs of what is no whitespace; none is empty
 *   splitBy(',')        line.split(',')               empty parts too, as `split` gives them
 *   fields(',')         [line.split(',')]             the parts as one record
 *   parseJson()         JSON.parse(line)
 *
 * Invariant: each gives what that closure gives, for every string. That the first two work on bytes where they can is a matter of the task (word-plan.ts).
 */
import type { FunctionRef } from '../../../protocol/rdd.ts';
import { previewOf } from '../../../protocol/errors.ts';
import { callError } from '../../base/caller-place.ts';
import type { ExplainOptions } from '../explain.ts';
import { explainRdd } from '../explain.ts';
import type { UserFunction } from '../fuse.ts';
import type { RDD } from '../rdd.ts';
import { builtin, derivedFunction, encodedValue } from '../rdd-base.ts';
import type { RecordOptions } from '../record-options.ts';
import { policyOf } from '../record-options.ts';

/** What RDDs of strings have beside all others; and how any RDD explains itself. */
export abstract class TextRdd {
  /** The words of each line: runs of characters that are no whitespace (as `\s` of a regular expression has it). */
  words(this: RDD<string>, options?: RecordOptions): RDD<string> {
    return onLines<string>(this, 'words', 'flatMap', builtin('words'), options);
  }

  /** The parts of each line between separators, as `line.split(separator)`: empty ones too, and one empty part of an empty line. */
  splitBy(this: RDD<string>, separator: string, options?: RecordOptions): RDD<string> {
    return onLines<string>(this, 'splitBy', 'flatMap', splitter('splitBy', separator), options);
  }

  /** As `splitBy`, the parts of a line being one record. */
  fields(this: RDD<string>, separator: string, options?: RecordOptions): RDD<string[]> {
    return onLines<string[]>(this, 'fields', 'map', splitter('fields', separator), options);
  }

  /** The value of each line, which is JSON. A line that is none fails the task, or is left out by `options.onError`. */
  parseJson<V = unknown>(this: RDD<string>, options?: RecordOptions): RDD<V> {
    return onLines<V>(this, 'parseJson', 'map', builtin('parseJson'), options);
  }

  /** How it will be computed: stages, their operators, which functions are known as common ones, and the form in which each stage runs. Runs nothing. */
  explain(this: RDD<unknown>, { recognizeClosures = true }: ExplainOptions = {}): string {
    const { context } = this;
    return explainRdd(this.id, {
      node: (id) => context.node(id),
      functionOf: (ref) => (context.functionOf?.(ref) ?? null) as UserFunction | null,
      recognizes: recognizeClosures,
    });
  }
}

/** Throws InvalidArgument. */
export function checkSeparator(method: string, separator: unknown): string {
  if (typeof separator === 'string' && separator !== '') return separator;
  throw callError('InvalidArgument', method, `${method} expects a text that separates, of one character or more, and got ${previewOf(separator)}. For a regular expression use flatMap((line) => line.split(…)).`);
}

function splitter(method: string, separator: string): FunctionRef {
  return derivedFunction('split', [], encodedValue(checkSeparator(method, separator)));
}

function onLines<U>(rdd: RDD<string>, method: string, kind: 'map' | 'flatMap', fn: FunctionRef, options: RecordOptions | undefined): RDD<U> {
  return rdd.derive(method, { kind, parents: [rdd.id], partitions: rdd.getNumPartitions(), partitioner: null, fn, ...policyOf(method, options) });
}

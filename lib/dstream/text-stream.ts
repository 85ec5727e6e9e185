/**
 * Operators on streams of lines, and how a stream explains itself: `words`, `splitBy`, `fields`, `parseJson`, with the meaning that they have on RDDs (lib/rdd/text/text-operators.ts).
 *
 * Invariant: they hand over no function, so they are the same on all threads; the separator is a part of the operator's name.
 */
import type { RecordOptions } from '../rdd/record-options.ts';
import { checkSeparator } from '../rdd/text/text-operators.ts';
import type { ExplainOptions } from '../rdd/explain.ts';
import type { DStream } from './dstream.ts';
import { explainStream } from './explain-stream.ts';
import { narrow, withPolicy } from './narrow.ts';
import { StreamNode } from './stream-node.ts';

/** What streams of strings have beside all others; and how any stream explains itself. */
export abstract class TextStream<T> extends StreamNode<T> {
  /** The words of each line: runs of characters that are no whitespace (as `\s` of a regular expression has it). Faster than a closure that does it. */
  words(this: DStream<string>, options?: RecordOptions): DStream<string> {
    return this.derive(withPolicy('words', options, narrow(this, 'words', [], {}, (rdd) => rdd.words(options))));
  }

  /** The parts of each line between separators, as `line.split(separator)`: empty ones too. Faster than that closure where the separator is one character of ASCII. */
  splitBy(this: DStream<string>, separator: string, options?: RecordOptions): DStream<string> {
    checkSeparator('splitBy', separator);
    return this.derive(withPolicy('splitBy', options, narrow(this, 'splitBy', [], { separator }, (rdd) => rdd.splitBy(separator, options))));
  }

  /** As `splitBy`, the parts of a line being one record. */
  fields(this: DStream<string>, separator: string, options?: RecordOptions): DStream<string[]> {
    checkSeparator('fields', separator);
    return this.derive(withPolicy('fields', options, narrow(this, 'fields', [], { separator }, (rdd) => rdd.fields(separator, options))));
  }

  /** The value of each line, which is JSON. A line that is none fails the task, or is left out by `options.onError`. */
  parseJson<V = unknown>(this: DStream<string>, options?: RecordOptions): DStream<V> {
    return this.derive(withPolicy('parseJson', options, narrow(this, 'parseJson', [], {}, (rdd) => rdd.parseJson<V>(options))));
  }

  /**
   * How a batch of this stream will be computed: stages, their operators, which functions are known as common ones (and then not called), and
   * the form in which each stage runs. `recognizeClosures`: as the option of the context, true by default.
   */
  explain(options: ExplainOptions = {}): string {
    return explainStream(this as unknown as DStream<unknown>, options);
  }
}

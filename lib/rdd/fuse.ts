/**
 * Fused loops: what a chain of narrow operators between one source and one sink looks like, and the cache of the code for it.
 *
 *   source form            operators (steps 0, 1, ...)              sink form (last step)
 *   text | array | pairs | words -> map, filter, flatMap, mapValues, ... -> collect | combine | route | ...
 *
 * Invariant: a loop is code over a shape alone. Functions, operators' names, counters and whatever the sink gathers come in
 * with a `LoopState`, so a cached loop serves every batch. Both makers of loops (compile.ts, compile-closures.ts) do the same.
 */
import type { FunctionRef, OperatorPlace, RecordPolicy } from '../../protocol/rdd.ts';
import type { FunctionScope } from './function-scope.ts';
import { hasPolicy } from './loop-state.ts';
import type { LoopState } from './loop-state.ts';
import type { Meaning } from './text/meaning.ts';
import type { Words } from './text/tokenizer.ts';
import { generateLoop, generationWorks } from './compile.ts';
import { closureLoop } from './compile-closures.ts';

/**
 * How a source hands over records: lines in a text, an array of records, keys and values side by side; or words, which are what the first
 * operator, a flatMap, makes of lines: it is no part of the loop then, though it keeps its place among the steps (text/word-plan.ts).
 */
export type SourceForm = 'text' | 'array' | 'pairs' | 'words';

/** A portion of a source, in the form that the shape names. */
export type Feed = string | readonly unknown[] | PairColumns | Words;

export interface PairColumns {
  readonly keys: readonly unknown[];
  readonly values: readonly unknown[];
}

export type OpKind = 'map' | 'filter' | 'flatMap' | 'mapValues' | 'flatMapValues' | 'zipWithIndex';

/** One operator of a chain. */
export interface Op {
  readonly kind: OpKind;
  /** Null for `zipWithIndex`. */
  readonly ref: FunctionRef | null;
  readonly fn: UserFunction | null;
  readonly operator: OperatorPlace | null;
  /** A record whose function throws is left out; absent: the task fails. */
  readonly onError?: RecordPolicy | null;
  /** Where there is a policy, or the program has accumulators. */
  readonly scope?: FunctionScope | null;
  /** What is known of the function. */
  readonly meaning?: Meaning | null;
  /** `zipWithIndex` only: the next index. It goes on over all pieces that share this operator. */
  next: number;
}

/**
 * What a loop does with what comes out of the operators. `functions` of the state, in this order:
 * reduce, aggregate: [f]; foreach: [f]; combine: [create, merge]; merge: [merge]; none otherwise.
 */
export type SinkForm =
  /** `out.push(record)`; with a limit, ends when `out` has so many. */
  | 'collect' | 'collectLimit'
  /** Pairs into `keys` and `values`. */
  | 'columns'
  | 'count'
  | 'reduce'
  | 'aggregate'
  | 'foreach'
  /** Pairs into `table`, values made by `create` and `merge`. */
  | 'combine'
  /** As combine, the first value of a key being taken as it is. */
  | 'merge'
  /** Pairs into `bucketKeys[b]`, `bucketValues[b]`, b by key hash. */
  | 'route'
  /** `put(record)`, `putPair(key, value)`. */
  | 'put' | 'putPair';

export type UserFunction = (...args: unknown[]) => unknown;

/** Runs the operators over one feed. True: the sink wants no more. */
export type Loop = (feed: Feed, state: LoopState) => boolean;

export interface LoopShape {
  readonly source: SourceForm;
  readonly ops: readonly Op[];
  readonly sink: SinkForm;
  /** The sink's functions. */
  readonly refs: readonly FunctionRef[];
  /** foreach, combine: a record whose function throws is left out. */
  readonly sinkOnError?: boolean;
  /** The program has accumulators: the loop notes which function runs. Else it costs nothing. */
  readonly tracked?: boolean;
}

/** Compiled loops kept per thread: more than the stage shapes of any program seen, and some megabytes at most. */
export const loopsMaxDefault = 512;

/** The code for shapes, least recently used out first. */
export class LoopCache {
  readonly #loopsMax: number;
  readonly #generate: boolean;
  readonly #loops = new Map<string, Loop>();

  /** `generate` false: closures, also where code generation is allowed. */
  constructor(options: { readonly loopsMax?: number; readonly generate?: boolean } = {}) {
    this.#loopsMax = options.loopsMax ?? loopsMaxDefault;
    this.#generate = (options.generate ?? true) && generationWorks();
  }

  get size(): number {
    return this.#loops.size;
  }

  /** True where loops are compiled from text, false where they are chains of closures. */
  get generates(): boolean {
    return this.#generate;
  }

  loopOf(shape: LoopShape): Loop {
    const key = keyOf(shape);
    let loop = this.#loops.get(key);
    if (loop === undefined) {
      loop = this.#generate ? generateLoop(shape) : closureLoop(shape);
      if (this.#loops.size >= this.#loopsMax) {
        const [oldest] = this.#loops.keys();
        if (oldest !== undefined) this.#loops.delete(oldest);
      }
    } else {
      this.#loops.delete(key);
    }
    this.#loops.set(key, loop);
    return loop;
  }
}

/** One cache for a thread's environments that bring none. Holds code only, never a program's closures or data. */
export const sharedLoops = new LoopCache();

/** True where a shape's records leave the operators as a key and a value, with no array made of the two. */
export function endsAsPair(source: SourceForm, ops: readonly Op[]): boolean {
  for (let step = ops.length - 1; step >= 0; step -= 1) {
    const kind = ops[step]!.kind;
    if (kind === 'filter') continue;
    return kind === 'mapValues' || kind === 'flatMapValues' || kind === 'zipWithIndex';
  }
  return source === 'pairs';
}

/**
 * Equal for loops that run the same functions. The functions are part of it though the code does not depend on them: loops that share code would share V8's
 * type feedback, and with it each other's slow paths. The batch time of a function made in a transform is left out, since it is the same function each time.
 */
function keyOf(shape: LoopShape): string {
  let key: string = `${shape.source}${shape.tracked === true ? '~' : ''}`;
  for (const op of shape.ops) key += `|${op.kind}${hasPolicy(op) ? '!' : ''}${op.ref === null ? '' : `:${nameOf(op.ref)}`}`;
  key += `|>${shape.sink}${shape.sinkOnError === true ? '!' : ''}`;
  for (const ref of shape.refs) key += `:${nameOf(ref)}`;
  return key;
}

function nameOf(ref: FunctionRef): string {
  switch (ref.kind) {
    case 'builtin': return ref.over === undefined ? `b.${ref.name}` : `b.${ref.name}(${ref.over.map(nameOf).join(',')})`;
    case 'program': return `p.${ref.program}.${ref.index}`;
    case 'batch': return `t.${ref.program}.${ref.operator}.${ref.index}`;
    case 'local': return `l.${ref.index}`;
  }
}

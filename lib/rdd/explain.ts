/**
 * How an RDD will be computed, as text: its stages, the operators of each, what is known of their functions, and the form in which they run.
 *
 *   stage 1, for reduceByKey
 *     from socketTextStream: lines, as bytes
 *     flatMap  (line) => line.split(' ')   known: the parts between " "
 *     map  (word) => [word, 1]   known: pairs with 1
 *     combined by  (a, b) => a + b   known: a sum, where both are numbers
 *     runs as: bytes -> words -> byte table -> 2 partitions by key
 *
 * Invariant: it asks those who decide (word-plan.ts), and decides nothing. It runs nothing and keeps nothing.
 */
import type { AggregatorSpec, FunctionRef, RddNode } from '../../protocol/rdd.ts';
import type { RddId } from '../../protocol/ids.ts';
import type { Op, OpKind, SinkForm, SourceForm, UserFunction } from './fuse.ts';
import type { Meaning } from './text/meaning.ts';
import { meaningOfBuiltin } from './text/meaning.ts';
import { meaningOfClosure } from './text/recognize.ts';
import { wordPlanOf } from './text/word-plan.ts';

/** What is explained with. */
export interface ExplainOptions {
  /** As the option of a context. Default true. */
  readonly recognizeClosures?: boolean;
}

export interface Explained {
  node(id: RddId): RddNode;
  /** The function behind a reference that is none of our own; null: it is not known here. */
  functionOf(ref: FunctionRef): UserFunction | null;
  readonly recognizes: boolean;
}

/** Code of a function that is shown. */
const codeCharactersMax = 60;
const opKinds: ReadonlySet<string> = new Set<OpKind>(['map', 'filter', 'flatMap', 'mapValues', 'flatMapValues', 'zipWithIndex']);

/** The sink of a stage whose records go through a shuffle. */
interface ShuffleEnd {
  readonly name: string;
  readonly aggregator: AggregatorSpec | null;
  readonly partitions: number;
}

export function explainRdd(target: RddId, explained: Explained): string {
  const plan = new Plan(explained);
  plan.stage(target, null);
  return plan.stages.map(({ title, lines }, index) => [`stage ${index + 1}${title}`, ...lines.map((line) => `  ${line}`)].join('\n')).join('\n');
}

class Plan {
  readonly stages: { readonly title: string; readonly lines: readonly string[] }[] = [];
  readonly #explained: Explained;
  readonly #seen = new Set<RddId>();

  constructor(explained: Explained) {
    this.#explained = explained;
  }

  /** The stages that a stage needs come before it. */
  stage(root: RddId, end: ShuffleEnd | null): void {
    const lines: string[] = [];
    this.#chain(root, [], end, lines);
    this.stages.push({ title: end === null ? '' : `, for ${end.name}`, lines });
  }

  /** From a node down to where its records come from; `ops` are those met on the way, last first. */
  #chain(id: RddId, ops: readonly RddNode[], end: ShuffleEnd | null, lines: string[]): void {
    const node = this.#explained.node(id);
    const [parent] = node.parents;
    if (node.storage !== null && ops.length > 0) {
      // Computed by a loop of its own where it is not there.
      this.#chain(id, [], null, lines);
      this.#run('array', `persisted ${nameOf(node)}`, ops, end, lines);
      return;
    }
    if (opKinds.has(node.kind)) return this.#chain(parent!, [...ops, node], end, lines);
    switch (node.kind) {
      case 'union':
        for (const member of node.parents) this.#chain(member, ops, end, lines);
        return;
      case 'coalesce': return this.#chain(parent!, ops, end, lines);
      case 'source': {
        const isText = node.blocks.some((blocks) => blocks.some(({ codec }) => codec === 'text'));
        return this.#run(isText ? 'text' : 'array', nameOf(node), ops, end, lines);
      }
      case 'textFile': return this.#run('text', nameOf(node), ops, end, lines);
      case 'shuffled': {
        if (node.narrow) this.#chain(parent!, [], null, lines);
        else this.#shuffle(parent!, { name: nameOf(node), aggregator: node.mapSideCombine ? node.aggregator : null, partitions: node.partitions });
        const merged = node.aggregator === null ? '' : `, merged by ${this.#shown(node.mapSideCombine ? node.aggregator.mergeCombiners : node.aggregator.mergeValue)}`;
        return this.#run(node.spec.kind === 'roundRobin' ? 'array' : 'pairs', `${nameOf(node)}${merged}`, ops, end, lines);
      }
      case 'coGrouped':
        node.parents.forEach((one, index) => {
          if (node.shuffles[index] === null) this.#chain(one, [], null, lines);
          else this.#shuffle(one, { name: nameOf(node), aggregator: null, partitions: node.partitions });
        });
        return this.#run('pairs', nameOf(node), ops, end, lines);
      case 'state':
      case 'emitted': return this.#run('pairs', nameOf(node), ops, end, lines);
      default:
        // Whole partitions: what comes before ends there, and another loop begins.
        for (const one of node.parents) this.#chain(one, [], null, lines);
        return this.#run(node.kind === 'zip' || node.kind === 'cartesian' ? 'pairs' : 'array', `${nameOf(node)}, which takes whole partitions`, ops, end, lines);
    }
  }

  #shuffle(parent: RddId, end: ShuffleEnd): void {
    if (this.#seen.has(parent)) return;
    this.#seen.add(parent);
    this.stage(parent, end);
  }

  /** One loop: its source, its operators, its end, and how it runs. */
  #run(form: SourceForm, from: string, lastFirst: readonly RddNode[], end: ShuffleEnd | null, lines: string[]): void {
    const nodes = lastFirst.toReversed();
    lines.push(`from ${from}: ${forms[form]}`);
    for (const node of nodes) lines.push(`${nameOf(node)}${'fn' in node ? `  ${this.#shown(node.fn)}` : ''}${'onError' in node && node.onError !== undefined ? `  (onError: ${node.onError})` : ''}`);
    const aggregator = end?.aggregator ?? null;
    if (aggregator !== null) lines.push(`combined by  ${this.#shown(aggregator.mergeValue)}`);
    const ops = nodes.map((node): Op => ({ kind: node.kind as OpKind, ref: null, fn: null, operator: null, meaning: 'fn' in node ? this.#meaning(node.fn) : null, next: 0 }));
    const sink: SinkForm = end === null ? 'collect' : aggregator === null ? 'route' : 'combine';
    const meanings = aggregator === null ? [] : [this.#meaning(aggregator.createCombiner), this.#meaning(aggregator.mergeValue)];
    const plan = wordPlanOf(form, ops, sink, meanings, aggregator?.onError !== undefined);
    const loop = plan === null ? ['one loop'] : [form === 'text' ? 'bytes' : 'strings as bytes', 'words', plan.counted === null ? 'one loop over strings that come again' : 'byte table'];
    lines.push(`runs as: ${[...loop, ...(end === null ? [] : [`${end.partitions} partition${end.partitions === 1 ? '' : 's'}${aggregator === null ? '' : ' by key'}`])].join(' -> ')}`);
  }

  #meaning(ref: FunctionRef): Meaning | null {
    if (ref.kind === 'builtin') return meaningOfBuiltin(ref);
    const fn = this.#explained.recognizes ? this.#explained.functionOf(ref) : null;
    return fn === null ? null : meaningOfClosure(fn);
  }

  #shown(ref: FunctionRef): string {
    const meaning = this.#meaning(ref);
    const known = meaning === null ? '' : `   known: ${wordsFor(meaning)}`;
    if (ref.kind === 'builtin') return `${ref.name}${known}`;
    const fn = this.#explained.functionOf(ref);
    if (fn === null) return 'a function';
    const code = Function.prototype.toString.call(fn).replace(/\s+/g, ' ');
    return `${code.length > codeCharactersMax ? `${code.slice(0, codeCharactersMax - 1)}…` : code}${known}`;
  }
}

const forms: Readonly<Record<SourceForm, string>> = { text: 'lines, as bytes', array: 'records', pairs: 'pairs', words: 'words' };

function nameOf({ operator, kind }: RddNode): string {
  return operator === null ? kind : operator.name;
}

function wordsFor(meaning: Meaning): string {
  switch (meaning.kind) {
    case 'split': return `the parts between ${JSON.stringify(meaning.separator)}`;
    case 'words': return 'what is between whitespace';
    case 'pairWith': return `pairs with ${Object.is(meaning.value, -0) ? '-0' : meaning.value}`;
    case 'add': return 'a sum, where both are numbers';
    case 'identity': return 'the record itself';
    case 'pure': return 'depends on a string alone';
  }
}

/**
 * Common closures by their text: `(line) => line.split(' ')`, `(word) => [word, 1]`, `(a, b) => a + b`, `(w) => w.trim().length > 0`.
 *
 *   text   one parameter or two, by any name; an expression, or a block that returns one:
 *
 *     p => E     (p) => E     (p, q) => E     (p) => { return E; }     function name(p) { return E; }
 *
 *     E   p                                            identity
 *         p.split('text')                              split
 *         [p, 1]                                       pairWith
 *         p + q                                        add
 *         p.trim().toLowerCase().length > 0            pure: methods without arguments, then a length, then a comparison with a literal; all optional
 *
 * Invariant: a closure is recognised only where its text says all that it does. It names nothing but its parameters, literals and methods of strings
 * (natives.ts), so there is nothing that it could have captured; whatever else a text may hold (a comment, a template, a default, `async`, `this`) is
 * no token here. It says nothing about records that are no strings, for which the closure itself is called.
 */
import type { UserFunction } from '../fuse.ts';
import type { Meaning } from './meaning.ts';
import { nativeMethods } from './natives.ts';

/** What is longer is not looked at. */
const textMax = 200;

const known = new WeakMap<UserFunction, Meaning | null>();

/** Null: it is not known what the function does. */
export function meaningOfClosure(fn: UserFunction): Meaning | null {
  let meaning = known.get(fn);
  if (meaning === undefined) known.set(fn, (meaning = meaningOfText(Function.prototype.toString.call(fn))));
  return meaning;
}

/** Of a function's text, as `Function.prototype.toString` gives it. */
export function meaningOfText(text: string): Meaning | null {
  const tokens = text.length > textMax ? null : tokensOf(text);
  const parts = tokens === null ? null : partsOf(tokens);
  if (parts === null) return null;
  const { parameters, expression } = parts;
  const shape = shapeOf(parameters, expression);
  if (parameters.length === 2) return shape === 'p + q' ? { kind: 'add' } : null;
  const literal = expression.at(-2);
  switch (shape) {
    case 'p': return { kind: 'identity' };
    case '[ p , number ]': return { kind: 'pairWith', value: Number(literal!.text) };
    case '[ p , - number ]': return { kind: 'pairWith', value: -Number(literal!.text) };
    case 'p . split ( string )': return literal!.text === '' ? null : { kind: 'split', separator: literal!.text };
    default: return shape === null ? null : pureOf(shape);
  }
}

/** The expression with its parameters as p and q, and literals by their kind; null where it names anything else but what strings have. */
function shapeOf(parameters: readonly string[], expression: readonly Token[]): string | null {
  const words: string[] = [];
  for (const { kind, text } of expression) {
    const parameter = kind === 'name' ? parameters.indexOf(text) : -1;
    const isMember = words.at(-1) === '.';
    if (parameter >= 0 && !isMember) words.push(parameter === 0 ? 'p' : 'q');
    else if (kind === 'name' && !(isMember && (text === 'length' || nativeMethods.some((method) => method === text)))) return null;
    else words.push(kind === 'string' || kind === 'number' ? kind : text);
  }
  return words.join(' ');
}

const pureShape = /^p((?: \. (?:trim|trimStart|trimEnd|toLowerCase|toUpperCase) \( \))*)( \. length)?( (?:===|!==|==|!=) string| (?:===|!==|==|!=|<|>|<=|>=) number)?$/;

function pureOf(shape: string): Meaning | null {
  const match = pureShape.exec(shape);
  return match === null ? null : { kind: 'pure', gives: match[2] === undefined && match[3] === undefined ? 'string' : 'other' };
}

interface Token {
  readonly kind: 'name' | 'number' | 'string' | 'mark';
  /** A string's own text, without its quotes. */
  readonly text: string;
  readonly afterLineEnd: boolean;
}

const space = /[ \t\r\n]+/y;
const name = /[A-Za-z_$][A-Za-z0-9_$]*/y;
/** In decimal, and nothing behind it that would make it another one: `1n`, `1_000`, `0x10`, `010`. */
const number = /(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_$.])/y;
const string = /'((?:[^'\\\r\n\u2028\u2029]|\\[tnr\\'"])*)'|"((?:[^"\\\r\n\u2028\u2029]|\\[tnr\\'"])*)"/y;
const mark = /=>|===|!==|==|!=|<=|>=|[()[\]{},;.+\-<>]/y;

/** Null where the text has something in it that no recognised closure has. */
function tokensOf(text: string): Token[] | null {
  const tokens: Token[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  while (at < text.length) {
    const afterLineEnd = take(space)?.[0].includes('\n') ?? false;
    if (at === text.length) break;
    let match: RegExpExecArray | null;
    if ((match = take(name)) !== null) tokens.push({ kind: 'name', text: match[0], afterLineEnd });
    else if ((match = take(number)) !== null) tokens.push({ kind: 'number', text: match[0], afterLineEnd });
    else if ((match = take(string)) !== null) tokens.push({ kind: 'string', text: unescaped(match[1] ?? match[2] ?? ''), afterLineEnd });
    else if ((match = take(mark)) !== null) tokens.push({ kind: 'mark', text: match[0], afterLineEnd });
    else return null;
  }
  return tokens;
}

const escapes: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r' };

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_all, character: string) => escapes[character] ?? character);
}

interface Parts {
  readonly parameters: readonly string[];
  readonly expression: readonly Token[];
}

function partsOf(tokens: readonly Token[]): Parts | null {
  let at = 0;
  const isMark = (index: number, text: string): boolean => tokens[index]?.kind === 'mark' && tokens[index]!.text === text;
  const isName = (index: number, text: string): boolean => tokens[index]?.kind === 'name' && tokens[index]!.text === text;
  const isFunction = isName(0, 'function');
  if (isFunction) at = tokens[1]?.kind === 'name' ? 2 : 1;
  const parameters: string[] = [];
  if (!isFunction && tokens[0]?.kind === 'name') {
    parameters.push(tokens[0].text);
    at = 1;
  } else {
    if (!isMark(at, '(')) return null;
    do {
      at += 1;
      if (tokens[at]?.kind !== 'name') return null;
      parameters.push(tokens[at]!.text);
      at += 1;
    } while (isMark(at, ',') && parameters.length < 2);
    if (!isMark(at, ')')) return null;
    at += 1;
  }
  if (parameters.length === 2 && parameters[0] === parameters[1]) return null;
  if (!isFunction) {
    if (!isMark(at, '=>')) return null;
    at += 1;
  }
  if (!isMark(at, '{')) return isFunction ? null : { parameters, expression: tokens.slice(at) };
  // `return` at the end of a line returns nothing.
  if (!isName(at + 1, 'return') || tokens[at + 2]?.afterLineEnd !== false || !isMark(tokens.length - 1, '}')) return null;
  const end = isMark(tokens.length - 2, ';') ? tokens.length - 2 : tokens.length - 1;
  return { parameters, expression: tokens.slice(at + 2, end) };
}

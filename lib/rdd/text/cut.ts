/**
 * How lines are cut into words, byte by byte.
 *
 * A cut says by the class of each byte what it is: a part of a word, a separator, or the end of a line.
 *
 * Invariant: only bytes of ASCII are separators, and these are no part of any other character in utf8, not even where the bytes around them are no
 * utf8: so cutting bytes and decoding the parts gives what decoding all and cutting the text gives.
 */

/** How lines are cut. */
export interface Cut {
  /** By byte: see `byteClass`. */
  readonly classes: Uint8Array;
  /** The byte that ends a line. */
  readonly lineEnd: number;
  /** A \r before a line's end is no part of the line. */
  readonly stripsReturn: boolean;
  /** What lies between two separators is a word though it is empty, as with `split`; else words are what is not empty. */
  readonly keepsEmpty: boolean;
  /** Whitespace beyond ASCII is looked for in what is no ASCII. */
  readonly unicodeSpaces: boolean;
  /** No byte that ends a word is greater than a space. */
  readonly isLow: boolean;
}

const byteClass = { word: 0, separator: 1, lineEnd: 2 } as const;
const newline = 0x0a;
export const carriageReturn = 0x0d;
const space = 0x20;

/** Where lines come from. Texts: they end with \n or \r\n. Strings: with a byte that ends nothing else, since a string may hold anything. */
export type LineSource = 'text' | 'strings';

/** Ends a string's bytes. Strings that have it in them are not cut as bytes. */
export const stringEnd = '\0';

/** As `line.split(separator)`; null for a separator that can't be found byte by byte: a `\r` may be a part of a line's end. */
export function cutAt(separator: string, source: LineSource): Cut | null {
  const code = separator.charCodeAt(0);
  const lineEnd = lineEndOf(source);
  if (separator.length !== 1 || code > 0x7f || code === lineEnd || (source === 'text' && code === carriageReturn)) return null;
  const classes = new Uint8Array(256);
  classes[code] = byteClass.separator;
  classes[lineEnd] = byteClass.lineEnd;
  return { classes, lineEnd, stripsReturn: source === 'text', keepsEmpty: true, unicodeSpaces: false, isLow: code <= space };
}

/** As `line.match(/\S+/g) ?? []`. */
export function cutAtSpaces(source: LineSource): Cut {
  const classes = new Uint8Array(256);
  const lineEnd = lineEndOf(source);
  for (const byte of [0x09, newline, 0x0b, 0x0c, carriageReturn, space]) classes[byte] = byteClass.separator;
  classes[lineEnd] = byteClass.lineEnd;
  return { classes, lineEnd, stripsReturn: false, keepsEmpty: false, unicodeSpaces: true, isLow: true };
}

function lineEndOf(source: LineSource): number {
  return source === 'text' ? newline : stringEnd.charCodeAt(0);
}

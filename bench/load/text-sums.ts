/**
 * What a running count of the generator's text must come to after any number of its lines.
 *
 * Invariant: for the same lines the same three numbers as bench/programs/running-count.ts makes of its state; a line that is missing, or
 * counted twice, changes `words`, and another one in its place changes `weighted` (but for a line whose words' numbers have the same sum).
 */
import { defaultSeed, makeLines, poolLines, lineBytes, vocabularyWords, wordsPerLine } from './zipf-lines.ts';

export interface TextSums {
  readonly words: number;
  /** The sum of counts times the words' numbers. */
  readonly weighted: number;
  /** How many different words there are. */
  readonly distinct: number;
}

/** Reads the text once; what it returns answers for any number of lines at once. */
export function textSums(lines = poolLines, seed = defaultSeed): (count: number) => TextSums {
  const text = makeLines(lines, seed);
  const weighted = new Float64Array(lines + 1);
  const distinct = new Int32Array(lines + 1);
  const seen = new Uint8Array(vocabularyWords);
  const wordBytes = lineBytes / wordsPerLine;
  for (let line = 0; line < lines; line += 1) {
    weighted[line + 1] = weighted[line]!;
    distinct[line + 1] = distinct[line]!;
    for (let at = line * lineBytes; at < (line + 1) * lineBytes; at += wordBytes) {
      const number = digits(text, at + 1);
      weighted[line + 1]! += number;
      distinct[line + 1]! += 1 - seen[number]!;
      seen[number] = 1;
    }
  }
  return (count) => ({
    words: count * wordsPerLine,
    weighted: Math.floor(count / lines) * weighted[lines]! + weighted[count % lines]!,
    distinct: distinct[Math.min(count, lines)]!,
  });
}

function digits(text: Uint8Array, at: number): number {
  let number = 0;
  for (let index = at; index < at + 4; index += 1) number = number * 10 + text[index]! - 0x30;
  return number;
}

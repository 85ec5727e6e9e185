/**
 * The code blocks of a page that are more than pictures.
 *
 * Invariant: what a page marks as code is what is checked; nothing is added to it. The words behind the language say what is
 * done with a block:
 *
 *   ts check                  its types are checked
 *   ts file=word-count.ts     the same; other blocks of the page can import it, or start it, as ./word-count.js
 *   ts run, js run            the same, and it is run by itself; it must end by itself, with exit code 0
 *   text output               what the block above it, a `run`, prints on standard output
 */
export interface DocBlock {
  readonly page: string;
  /** Of the fence. */
  readonly line: number;
  readonly language: 'ts' | 'js';
  /** In the page's own folder. */
  readonly file: string;
  readonly code: string;
  readonly runs: boolean;
  /** What it must print; null: anything. */
  readonly output: string | null;
}

interface Fence {
  readonly line: number;
  readonly info: string;
  readonly body: string;
}

export function blocksOf(page: string, text: string): DocBlock[] {
  const blocks: DocBlock[] = [];
  for (const { line, info, body } of fencesOf(text)) {
    const [language = '', ...words] = info.split(/\s+/);
    if (language === 'text' && words.includes('output')) {
      const above = blocks.pop();
      if (above === undefined || !above.runs) throw new Error(`${page}:${line} is the output of a block, and there is none above it that runs.`);
      blocks.push({ ...above, output: body });
      continue;
    }
    if (language !== 'ts' && language !== 'js') continue;
    const named = words.find((word) => word.startsWith('file='))?.slice(5);
    const runs = words.includes('run');
    if (named === undefined && !runs && !words.includes('check')) continue;
    blocks.push({ page, line, language, file: named ?? `block-at-line-${line}.${language}`, code: body, runs, output: null });
  }
  return blocks;
}

/** All fenced blocks, whatever is in them. A fence may be indented, as in a list. */
export function fencesOf(text: string): Fence[] {
  const fences: Fence[] = [];
  let open: { line: number; info: string; indent: number; body: string[] } | null = null;
  text.split('\n').forEach((content, index) => {
    const fence = /^(\s*)```(.*)$/.exec(content);
    if (fence === null) open?.body.push(content.slice(open.indent));
    else if (open === null) open = { line: index + 1, info: (fence[2] ?? '').trim(), indent: (fence[1] ?? '').length, body: [] };
    else {
      fences.push({ line: open.line, info: open.info, body: `${open.body.join('\n')}\n` });
      open = null;
    }
  });
  return fences;
}

/** The page with its fenced blocks blanked out, line by line. */
export function proseOf(text: string): string {
  let inside = false;
  return text
    .split('\n')
    .map((line) => {
      const isFence = /^\s*```/.test(line);
      if (isFence) inside = !inside;
      return inside || isFence ? '' : line;
    })
    .join('\n');
}

/** docs/spark-differences.md names all that our streams and contexts have, and says of nothing that it is ours which isn't. */
import t from 'tap';
import ts from 'typescript';
import { DStream, MapWithStateDStream, StreamingContext } from 'millrace';
import { proseOf } from './helpers/doc-blocks.ts';
import { textOf } from './helpers/project.ts';

const page = proseOf(textOf('docs/spark-differences.md'));
const classes = [DStream, MapWithStateDStream, StreamingContext];
/** Where those classes and what they extend are written. */
const sources = ['lib/dstream/dstream.ts', 'lib/dstream/text-stream.ts', 'lib/dstream/stream-node.ts', 'lib/streaming-context.ts', 'lib/program/program-builder.ts'];

/** The names that a user of an object or of the class itself finds. */
function namesOf(cls: Function): string[] {
  const names = Object.getOwnPropertyNames(cls).filter((name) => !['length', 'name', 'prototype'].includes(name));
  for (let prototype: object = cls.prototype as object; prototype !== Object.prototype; prototype = Object.getPrototypeOf(prototype) as object) {
    names.push(...Object.getOwnPropertyNames(prototype).filter((name) => name !== 'constructor'));
  }
  return names;
}

/** Members that are none of a user's business: protected, or `@internal` by their docstring. */
function hiddenMembers(): Set<string> {
  const hidden = new Set<string>();
  for (const path of sources) {
    const tree = ts.createSourceFile(path, textOf(path), ts.ScriptTarget.ES2023, true);
    for (const cls of tree.statements.filter(ts.isClassDeclaration)) {
      for (const member of cls.members) {
        const isProtected = ts.canHaveModifiers(member) && (ts.getModifiers(member) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ProtectedKeyword);
        const isInternal = ts.getJSDocTags(member).some(({ tagName }) => tagName.text === 'internal');
        if ((isProtected || isInternal) && member.name !== undefined) hidden.add(member.name.getText(tree));
      }
    }
  }
  return hidden;
}

/** `name`, `name()`, `x.name(...)` and so on: the identifiers in a page's code. */
function namedIn(text: string): Set<string> {
  return new Set([...text.matchAll(/`([^`]+)`/g)].flatMap(([, code = '']) => code.match(/[A-Za-z_]\w*/g) ?? []));
}

t.test('every public method of ours is in the page', (t) => {
  const hidden = hiddenMembers();
  t.ok(hidden.has('getOrCompute') && !hidden.has('map'), 'what is hidden was found');
  const named = namedIn(page);
  for (const cls of classes) {
    const names = namesOf(cls).filter((name) => !hidden.has(name));
    t.ok(names.length > 10, `${cls.name} has methods`);
    t.strictSame(names.filter((name) => !named.has(name)), [], `of ${cls.name}`);
  }
  t.end();
});

t.test('what the tables of methods call ours is there', (t) => {
  const known = new Set([...classes.flatMap(namesOf), ...sources.flatMap((path) => [...textOf(path).matchAll(/^ {2}readonly (\w+)[:=]/gm)].map(([, name = '']) => name))]);
  const sections = new Map(page.split(/^## /m).map((section) => [section.split('\n')[0] ?? '', section]));
  const missing: string[] = [];
  let rows = 0;
  for (const title of ['StreamingContext', 'DStream', 'PairDStreamFunctions']) {
    for (const [, ours = ''] of (sections.get(title) ?? '').matchAll(/^\| `[^|]*\| ([^|]*)\|/gm)) {
      rows += 1;
      for (const [, name = ''] of ours.matchAll(/`(?:StreamingContext\.)?(\w+)(?:\([^`]*\))?`/g)) if (!known.has(name)) missing.push(`${title}: ${name}`);
    }
  }
  t.ok(rows > 60, `${rows} rows were found`);
  t.strictSame(missing, []);
  t.end();
});

t.test('options that stand for a setting of Spark\'s exist', (t) => {
  const settings = [...page.matchAll(/^\| `spark\.streaming[^|]*\| ([^|]*)\|/gm)].map(([, ours = '']) => ours);
  t.ok(settings.length > 20, 'the table was found');
  const options = textOf('lib/options.ts') + textOf('lib/streaming-context.ts') + textOf('lib/dstream/file-input.ts');
  const missing = settings.flatMap((ours) => [...ours.matchAll(/\b([a-z]\w*Ms|checkpointDirectory|graceful|stopSparkContext)\b/g)].map(([, name = '']) => name)).filter((name) => !new RegExp(`readonly ${name}\\?:`).test(options));
  t.strictSame(missing, []);
  t.end();
});

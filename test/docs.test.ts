/** The documentation is true: its code runs, its links lead somewhere, its tables name what the source has. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import t from 'tap';
import ts from 'typescript';
import { blocksOf, fencesOf, proseOf } from './helpers/doc-blocks.ts';
import type { DocBlock } from './helpers/doc-blocks.ts';
import { filesBelow, projectRoot, textOf } from './helpers/project.ts';

// What `npm run docs` makes is held by api-docs.test.ts.
const pages = [...['README.md', 'CHANGELOG.md', 'bench/README.md'].filter((path) => existsSync(join(projectRoot, path))), ...filesBelow('docs', '.md').filter((path) => !path.startsWith('docs/api/'))];
const blocks = pages.flatMap((page) => blocksOf(page, textOf(page)));
/** Where this test was built to: dist/. */
const built = dirname(dirname(fileURLToPath(import.meta.url)));

t.test('links lead to files and headings that exist', (t) => {
  const broken: string[] = [];
  for (const page of pages) {
    for (const [, link = ''] of proseOf(textOf(page)).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : posix.normalize(posix.join(posix.dirname(page), path));
      if (!existsSync(join(projectRoot, target))) broken.push(`${page}: ${link}: there is no ${target}`);
      else if (anchor !== undefined && !headingsOf(target).includes(anchor)) broken.push(`${page}: ${link}: ${target} has no such heading`);
    }
  }
  t.strictSame(broken, []);
  t.end();
});

t.test('files and scripts that pages name exist', (t) => {
  const missing: string[] = [];
  const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> };
  for (const page of pages) {
    for (const [, path = ''] of textOf(page).matchAll(/`((?:protocol|lib|actors|test|docs|examples|bench)\/[\w./-]*\.(?:ts|md|json))`/g)) {
      if (!existsSync(join(projectRoot, path))) missing.push(`${page}: ${path}`);
    }
    for (const [, script = ''] of textOf(page).matchAll(/\bnpm run (?:--silent )?([a-z][\w:-]*)/g)) {
      if (scripts[script] === undefined) missing.push(`${page}: npm run ${script}`);
    }
  }
  t.strictSame(missing, []);
  t.end();
});

t.test('docs/ARCHITECTURE.md draws the tree that actors/tree.ts draws', (t) => {
  const drawing = [...textOf('actors/tree.ts').matchAll(/^ \* {3}(.*)$/gm)].map(([, line = '']) => line.trimEnd());
  t.ok(drawing.length > 10, 'the drawing was found');
  const drawn = fencesOf(textOf('docs/ARCHITECTURE.md')).map(({ body }) => body.trimEnd());
  t.ok(drawn.includes(drawing.join('\n')), 'copy the drawing of actors/tree.ts into docs/ARCHITECTURE.md');
  t.end();
});

t.test('docs/PROTOCOL.md has every message of protocol/, and no other', (t) => {
  const spoken = filesBelow('protocol', '.ts').flatMap((path) => [...textOf(path).matchAll(/\breadonly type: '(\w+)'/g)].map(([, name = '']) => name));
  const documented = [...textOf('docs/PROTOCOL.md').matchAll(/^\| `(\w+)`/gm)].map(([, name = '']) => name);
  compare(t, documented, spoken);
  t.end();
});

t.test('docs/OPERATIONS.md has every option and every event, and no other', (t) => {
  const sections = new Map(textOf('docs/OPERATIONS.md').split(/^## /m).map((section) => [section.split('\n')[0] ?? '', section]));
  const namesIn = (title: string): string[] => [...(sections.get(title) ?? '').matchAll(/^\| `(\w+)`/gm)].map(([, name = '']) => name);
  compare(t, namesIn('Options'), [...membersOf('lib/options.ts', 'SparkContextOptions'), ...membersOf('lib/options.ts', 'StreamingOptions')]);
  compare(t, namesIn('Events'), membersOf('protocol/listener.ts', 'ListenerEvents'));
  t.end();
});

t.test('code blocks do what the pages say', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-docs-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const page of new Set(blocks.map((block) => block.page))) writePackage(folderOf(folder, page));
  for (const block of blocks) writeFileSync(pathOf(folder, block), block.code);

  t.strictSame(typeErrors(folder), [], 'types');
  for (const block of blocks) {
    const path = pathOf(folder, block);
    if (block.language === 'ts') writeFileSync(path.replace(/ts$/, 'js'), ts.transpileModule(block.code, { compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext } }).outputText);
  }
  const running = blocks.filter(({ runs }) => runs);
  t.ok(running.length > 5, 'there are blocks that run');
  const next = running[Symbol.iterator]();
  const runner = async (): Promise<void> => {
    for (const block of next) {
      const { code, out, error } = await run(pathOf(folder, block).replace(/ts$/, 'js'));
      const at = `${block.page}:${block.line}`;
      t.equal(code, 0, `${at} ends with exit code 0`, { error });
      if (block.output !== null) t.equal(out, block.output, `${at} prints what the page shows`);
    }
  };
  await Promise.all([runner(), runner(), runner()]);
});

t.test('a page\'s blocks are found by the words of their fences', (t) => {
  const found = blocksOf('x.md', ['```ts', 'a', '```', '```ts check', 'b', '```', '- item', '  ```js run', '  c', '    d', '  ```', '```text output', '1', '```', '```ts run file=e.ts', 'e', '```'].join('\n'));
  t.strictSame(found.map(({ line, file, code, runs, output }) => [line, file, code, runs, output]), [
    [4, 'block-at-line-4.ts', 'b\n', false, null],
    [8, 'block-at-line-8.js', 'c\n  d\n', true, '1\n'],
    [15, 'e.ts', 'e\n', true, null],
  ]);
  t.throws(() => blocksOf('x.md', '```text output\n1\n```\n'), /no(ne| block)? .*above/);
  t.end();
});

/** Both directions, as sorted lists. */
function compare(t: Pick<typeof import('tap').default, 'ok' | 'strictSame'>, documented: readonly string[], real: readonly string[]): void {
  const missing = [...new Set(real)].filter((name) => !documented.includes(name));
  const unknown = [...new Set(documented)].filter((name) => !real.includes(name));
  t.ok(real.length > 0, 'there is something to document');
  t.strictSame({ missing, unknown }, { missing: [], unknown: [] });
}

/** As GitHub makes them. */
function headingsOf(page: string): string[] {
  return [...proseOf(textOf(page)).matchAll(/^#+ (.+)$/gm)].map(([, title = '']) => title.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replace(/ /g, '-'));
}

/** The names of an interface's own properties. */
function membersOf(path: string, name: string): string[] {
  const tree = ts.createSourceFile(path, textOf(path), ts.ScriptTarget.ES2023);
  const found = tree.statements.find((node): node is ts.InterfaceDeclaration => ts.isInterfaceDeclaration(node) && node.name.text === name);
  return (found?.members ?? []).flatMap((member) => (member.name !== undefined && ts.isIdentifier(member.name) ? [member.name.text] : []));
}

// A page's blocks live in a folder of their own, in a package that has millrace installed, as a user's would.

function folderOf(folder: string, page: string): string {
  return join(folder, page.replace(/\W/g, '-'));
}

function pathOf(folder: string, block: DocBlock): string {
  return join(folderOf(folder, block.page), block.file);
}

function writePackage(folder: string): void {
  const installed = join(folder, 'node_modules', 'millrace');
  mkdirSync(installed, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
  const entries = { '.': 'index', './testing': 'testing', './actors': 'actors' };
  const exported = Object.fromEntries(Object.entries(entries).map(([name, file]) => [name, { types: `./${file}.d.ts`, default: `./${file}.js` }]));
  writeFileSync(join(installed, 'package.json'), JSON.stringify({ name: 'millrace', type: 'module', exports: exported }));
  for (const file of Object.values(entries)) {
    writeFileSync(join(installed, `${file}.js`), `export * from ${JSON.stringify(pathToFileURL(join(built, 'lib/bundle', `${file}.js`)).href)};\n`);
    writeFileSync(join(installed, `${file}.d.ts`), `export * from ${JSON.stringify(join(built, 'lib', `${file}.js`))};\n`);
  }
}

/** Under the options that a strict user would have. */
function typeErrors(folder: string): string[] {
  const files = blocks.filter(({ language }) => language === 'ts').map((block) => pathOf(folder, block));
  const program = ts.createProgram(files, {
    target: ts.ScriptTarget.ES2023,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: ['node'],
    typeRoots: [join(projectRoot, 'node_modules', '@types')],
  });
  const blockAt = new Map(blocks.map((block) => [pathOf(folder, block), block]));
  return ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
    const block = file === undefined ? undefined : blockAt.get(file.fileName);
    const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line + 1;
    return `${block === undefined ? (file?.fileName ?? '') : `${block.page}:${block.line + line}`}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}

function run(path: string): Promise<{ readonly code: number; readonly out: string; readonly error: string }> {
  return new Promise((resolve) => {
    // What a page writes lies beside it.
    execFile(process.execPath, [path], { timeout: 30_000, cwd: dirname(path) }, (failure, out, error) => resolve({ code: failure === null ? 0 : Number(failure.code ?? 1), out, error }));
  });
}

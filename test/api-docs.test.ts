/** The reference that `npm run docs` makes: it can be made, without a warning, and every public name in it says what it is. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { projectRoot } from './helpers/project.ts';

// The compiler reads all of the library, twice.
t.setTimeout(150_000);

/** What users import, and of which classes every member is held to have a docstring. */
const entries = ['lib/index.ts', 'lib/testing.ts'].map((path) => join(projectRoot, path));
const wholeClasses = ['DStream', 'MapWithStateDStream', 'StreamingContext', 'PublishedStream', 'State', 'StateSpec'];

t.test('every public export has a docstring, and so have the members of the main classes', (t) => {
  const program = ts.createProgram(entries, { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, allowImportingTsExtensions: true, noEmit: true, strict: true, types: ['node'], typeRoots: [join(projectRoot, 'node_modules', '@types')] });
  const checker = program.getTypeChecker();
  const without: string[] = [];
  let exports = 0;
  for (const entry of entries) {
    const file = program.getSourceFile(entry) as ts.SourceFile;
    for (const exported of checker.getExportsOfModule(checker.getSymbolAtLocation(file) as ts.Symbol)) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
      exports += 1;
      if (symbol.getDocumentationComment(checker).length === 0) without.push(exported.name);
      if (!wholeClasses.includes(exported.name)) continue;
      const type = checker.getDeclaredTypeOfSymbol(symbol);
      for (const member of [...type.getProperties(), ...membersOfClassItself(checker, symbol)]) if (isBare(checker, member)) without.push(`${exported.name}.${member.name}`);
    }
  }
  t.ok(exports > 50, `${exports} exports were found`);
  t.strictSame(without, []);
  t.end();
});

t.test('the reference is made where the package is packed and in CI, and goes along; starting and testing don\'t wait for it', (t) => {
  const { scripts, files } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as { scripts: Readonly<Record<string, string>>; files: readonly string[] };
  for (const made of [scripts['prepack'] ?? '', readFileSync(join(projectRoot, '.ci/run'), 'utf8')]) t.match(made, /npm run --silent docs/);
  for (const quick of ['start', 'test', 'compile', 'build']) t.notMatch(scripts[quick] ?? '', /docs/, quick);
  t.ok(files.includes('docs') && !files.some((path) => path.startsWith('!docs/api')), 'it is in the package');
  t.end();
});

t.test('npm run docs makes the reference without a warning, and its links lead somewhere', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-api-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const { scripts } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as { scripts: { docs: string } };
  const [command = '', ...args] = scripts.docs.split(' ');
  const { code, text } = await run([join(projectRoot, 'node_modules', command, 'bin', command), ...args, '--out', folder]);
  t.equal(code, 0, text);
  t.notMatch(text, /\[warning\]|\[error\]/);

  const pages = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.md'));
  for (const page of ['README.md', 'index/classes/DStream.md', 'index/interfaces/StateSpec.md', 'testing/functions/startTest.md', 'actors/classes/ActorSystem.md']) t.ok(pages.includes(page), page);
  const stream = readFileSync(join(folder, 'index/classes/DStream.md'), 'utf8');
  t.match(stream, /### updateStateByKey\(\)/);
  t.notMatch(stream, /### getOrCompute\(\)/, 'what is internal is left out');
  const broken = pages.flatMap((page) => {
    const links = [...readFileSync(join(folder, page), 'utf8').matchAll(/\]\(([^)#\s]+\.md)(?:#[^)]*)?\)/g)].map(([, link = '']) => link);
    return links.filter((link) => !/^[a-z]+:/.test(link) && !existsSync(join(folder, dirname(page), link))).map((link) => `${page}: ${link}`);
  });
  t.strictSame(broken, []);
});

/** Static methods. */
function membersOfClassItself(checker: ts.TypeChecker, symbol: ts.Symbol): readonly ts.Symbol[] {
  if ((symbol.flags & ts.SymbolFlags.Class) === 0) return [];
  return checker.getTypeOfSymbol(symbol).getProperties().filter(({ name }) => name !== 'prototype');
}

/** Public, not `@internal`, ours, and without a docstring. */
function isBare(checker: ts.TypeChecker, member: ts.Symbol): boolean {
  const [declaration] = member.declarations ?? [];
  if (declaration === undefined || declaration.getSourceFile().fileName.includes('node_modules')) return false;
  if (ts.getCombinedModifierFlags(declaration) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) return false;
  const name = ts.getNameOfDeclaration(declaration);
  if (name !== undefined && ts.isPrivateIdentifier(name)) return false;
  if (member.getJsDocTags(checker).some((tag) => tag.name === 'internal')) return false;
  return member.getDocumentationComment(checker).length === 0;
}

function run(args: readonly string[]): Promise<{ readonly code: number; readonly text: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: projectRoot, timeout: 150_000 }, (failure, out, error) => resolve({ code: failure === null ? 0 : Number(failure.code ?? 1), text: out + error }));
  });
}

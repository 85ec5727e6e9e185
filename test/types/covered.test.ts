/** Every method that users build streams with is in the type tests: what it infers, or what it refuses; and what the compiler says then. */
import { join } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { filesBelow, projectRoot, textOf } from '../helpers/project.ts';

// The compiler reads the streams' types.
t.setTimeout(150_000);

const classes: Readonly<Record<string, readonly string[]>> = {
  'lib/dstream/dstream.ts': ['DStream', 'MapWithStateDStream'],
  'lib/dstream/text-stream.ts': ['TextStream'],
  'lib/rdd/rdd.ts': ['RDD'],
  'lib/rdd/text/text-operators.ts': ['TextRdd'],
  'lib/program/program-builder.ts': ['ProgramBuilder'],
  'lib/program/program-spark-context.ts': ['ProgramSparkContext'],
};

t.test('every public method has a type test', (t) => {
  const texts = filesBelow('test/types', '.types.ts').map(textOf).join('\n');
  const missing = Object.entries(classes).flatMap(([path, names]) => publicMethods(path, names).filter((method) => !new RegExp(`\\.${method}(<[^(]*>)?\\(`).test(texts)).map((method) => `${path}: ${method}`));
  t.strictSame(missing, []);
  t.end();
});

t.test('the compiler says in words why an async function on records is refused', (t) => {
  const file = join(projectRoot, 'test/types/asked.ts');
  const text = 'import type { DStream } from \'../../lib/dstream/dstream.ts\';\nexport const asked = (words: DStream<string>) => words.map(async (word) => word);\n';
  const options: ts.CompilerOptions = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, allowImportingTsExtensions: true, noEmit: true, strict: true, types: ['node'], typeRoots: [join(projectRoot, 'node_modules', '@types')] };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (path) => path === file || fileExists(path);
  host.getSourceFile = (path, ...rest) => (path === file ? ts.createSourceFile(path, text, ts.ScriptTarget.ES2023) : getSourceFile(path, ...rest));
  const program = ts.createProgram([file], options, host);
  const errors = program.getSemanticDiagnostics(program.getSourceFile(file)).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
  t.equal(errors.length, 1);
  t.match(errors[0], /A function on records must return the record itself, neither a promise nor a function; for async work use foreachPartition/);
  t.match(errors[0], /RecordsOnly<Promise<string>>/);
  t.end();
});

function publicMethods(path: string, names: readonly string[]): string[] {
  const tree = ts.createSourceFile(path, textOf(path), ts.ScriptTarget.ES2023, true);
  const methods = new Set<string>();
  tree.forEachChild((node) => {
    if (!ts.isClassDeclaration(node) || node.name === undefined || !names.includes(node.name.text)) return;
    for (const member of node.members) {
      if (!ts.isMethodDeclaration(member) || !ts.isIdentifier(member.name)) continue;
      const internal = ts.getJSDocTags(member).some(({ tagName }) => tagName.text === 'internal') || /not for users/.test(ts.getJSDocCommentsAndTags(member).map((doc) => doc.getText()).join());
      if (!internal && (ts.getCombinedModifierFlags(member) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) === 0) methods.add(member.name.text);
    }
  });
  return [...methods];
}

/** Every method that users build streams with is in the type tests: what it infers, or what it refuses. */
import t from 'tap';
import ts from 'typescript';
import { filesBelow, textOf } from '../helpers/project.ts';

const classes: Readonly<Record<string, readonly string[]>> = {
  'lib/dstream/dstream.ts': ['DStream', 'MapWithStateDStream'],
  'lib/rdd/rdd.ts': ['RDD'],
  'lib/program/program-builder.ts': ['ProgramBuilder'],
  'lib/program/program-spark-context.ts': ['ProgramSparkContext'],
};

t.test('every public method has a type test', (t) => {
  const texts = filesBelow('test/types', '.types.ts').map(textOf).join('\n');
  const missing = Object.entries(classes).flatMap(([path, names]) => publicMethods(path, names).filter((method) => !new RegExp(`\\.${method}(<[^(]*>)?\\(`).test(texts)).map((method) => `${path}: ${method}`));
  t.strictSame(missing, []);
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

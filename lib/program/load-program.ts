/**
 * Loading a program's module.
 *
 * Invariant: what goes wrong is told apart: no such module, or one that fails while it loads (ProgramMissing), a source file
 * that this Node can't load (ProgramNeedsBuild), a module without a program in it (ProgramHasNoDefault).
 */
import { MillraceError, previewOf } from '../../protocol/errors.ts';

/** The default export of the module at `url`. */
export async function loadProgram(url: string | URL): Promise<Function> {
  const href = String(url);
  let module: { readonly default?: unknown };
  try {
    module = (await import(href)) as { readonly default?: unknown };
  } catch (thrown) {
    throw whyNotLoaded(href, thrown);
  }
  if (typeof module.default === 'function') return module.default;
  const others = Object.keys(module).filter((name) => name !== 'default');
  throw new MillraceError(
    'ProgramHasNoDefault',
    `The module ${href} has ${module.default === undefined ? 'no default export' : `a default export that is ${previewOf(module.default)}`}; a program is the default export, a function: export default function (ssc, args) { … }.${others.length === 0 ? '' : ` It does export ${others.join(', ')}.`}`,
  );
}

function whyNotLoaded(href: string, thrown: unknown): MillraceError {
  const code = (thrown as { code?: unknown } | null)?.code;
  const isTypeScript = /\.[cm]?tsx?(?:[?#].*)?$/.test(href);
  if (isTypeScript && (code === 'ERR_UNKNOWN_FILE_EXTENSION' || thrown instanceof SyntaxError)) {
    return new MillraceError('ProgramNeedsBuild', `The program ${href} is a TypeScript file, which this Node can't load. Compile it and give the URL of the .js file, or start Node with a loader that reaches worker threads.`, { cause: thrown });
  }
  const said = thrown instanceof Error ? thrown.message : String(thrown);
  const what = code === 'ERR_MODULE_NOT_FOUND' ? 'can\'t be found, or imports something that can\'t' : 'failed while it was loaded';
  return new MillraceError('ProgramMissing', `The program ${href} ${what}: ${said}`, { cause: thrown });
}

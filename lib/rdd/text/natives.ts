/**
 * Whether the built-ins that recognised closures call are the engine's own.
 *
 * Invariant: a closure such as `(line) => line.split(' ')` means what it says only while this is true; a program may replace `String.prototype.split`
 * at any time, also before it loads this library. So it is asked for each portion of a source, and it costs a few loads.
 */
const { prototype } = String;
const { toString } = Function.prototype;

/** The methods that the text of a recognised closure may call. */
export const nativeMethods = ['split', 'trim', 'trimStart', 'trimEnd', 'toLowerCase', 'toUpperCase'] as const;

type Method = (typeof nativeMethods)[number];

const { split, trim, trimStart, trimEnd, toLowerCase, toUpperCase } = prototype;
const wereNative = nativeMethods.every((name) => isNative(prototype[name], name));

export function nativesAreUntouched(): boolean {
  return wereNative
    && prototype.split === split
    && prototype.trim === trim
    && prototype.trimStart === trimStart
    && prototype.trimEnd === trimEnd
    && prototype.toLowerCase === toLowerCase
    && prototype.toUpperCase === toUpperCase
    // `split` asks its separator, a string, for a method of this name.
    && (prototype as { readonly [Symbol.split]?: unknown })[Symbol.split] === undefined;
}

/** The engine's own functions have such a text; so have bound functions and proxies, without the name. */
function isNative(fn: unknown, name: Method): boolean {
  return typeof fn === 'function' && toString.call(fn) === `function ${name}() { [native code] }`;
}

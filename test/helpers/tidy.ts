/**
 * The rules by which the code checks itself: what may import what, which calls go through an argument, what a file looks like.
 *
 * Invariant: rules are tables and pure functions over sources; each finding is a sentence that names the place, what was
 * found and what to do instead. An exception is an entry with a reason, and one that nothing needs any more is a finding, too.
 */
import { dirname, posix } from 'node:path';
import ts from 'typescript';

/** `path` from the project's root, with slashes: `lib/rdd/rdd.ts`. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

/** By path, why the rule does not hold there. */
type Exceptions = Readonly<Record<string, string>>;

// What may import what.
interface Layer {
  /** Values and types. */
  readonly mayImport: readonly string[];
  /** Types alone. */
  readonly mayName?: readonly string[];
}

/** A folder's layer. `lib` stands for the files directly in lib/, what the user sees. */
const layers: Readonly<Record<string, Layer>> = {
  protocol: { mayImport: [] },
  'lib/base': { mayImport: ['protocol'] },
  'lib/actor': { mayImport: ['lib/base', 'protocol'] },
  ...Object.fromEntries(['lib/storage', 'lib/rdd', 'lib/cli'].map((folder) => [folder, { mayImport: ['lib/base', 'protocol'] }])),
  'lib/faults': { mayImport: ['lib/actor', 'lib/storage', 'lib/sources', 'lib/base', 'protocol'] },
  'lib/dstream': { mayImport: ['lib/rdd', 'lib/base', 'protocol'] },
  'lib/recovery': { mayImport: ['lib/rdd', 'lib/storage', 'lib/base', 'protocol'] },
  'lib/program': { mayImport: ['lib/recovery', 'lib/dstream', 'lib/rdd', 'lib/base', 'protocol'] },
  'lib/sources': { mayImport: ['lib/base', 'protocol'], mayName: ['lib/dstream'] },
  actors: { mayImport: ['lib/program', 'lib/recovery', 'lib/dstream', 'lib/rdd', 'lib/faults', 'lib/sources', 'lib/storage', 'lib/actor', 'lib/base', 'protocol'] },
  lib: { mayImport: ['actors', 'lib/cli', 'lib/program', 'lib/recovery', 'lib/dstream', 'lib/rdd', 'lib/faults', 'lib/sources', 'lib/storage', 'lib/actor', 'lib/base', 'protocol'] },
};

/** Modules from outside, each with the files that are its door. What is in no row may be imported anywhere, and types of all. */
const doors: Readonly<Record<string, Exceptions>> = {
  'node:fs': {
    'lib/storage/node-files.ts': 'the one door to the disk; everybody else is given it by argument',
    'lib/storage/node-disk.ts': 'the door for what must outlive the process; everybody else is given a Disk',
    'lib/storage/node-lock.ts': 'the same: its locks',
    'lib/cli/keyboard.ts': 'asks the kernel who has the terminal',
  },
  'node:zlib': { 'lib/storage/compression.ts': 'the one file that makes stored blocks smaller' },
  'node:net': {
    'lib/sources/node-net.ts': 'the one door to the network; sources are given it by argument',
  },
  'node:worker_threads': {
    'lib/actor/thread-pool.ts': 'makes the ports between threads',
    'lib/keep-alive.ts': 'a port that nobody posts to: open work for Node',
    'lib/shutdown.ts': 'signals come to the main thread alone: is this it?',
  },
  'node:crypto': {
    'lib/dstream/uid.ts': 'hashes texts; nothing random',
    'lib/storage/node-lock.ts': 'a token that no lock of any process has had',
  },
  'node:os': {
    'lib/options.ts': 'local[*] asks how many cores there are',
    'lib/spark-context.ts': 'where what spills goes, unless an option says so',
    'lib/cli.ts': 'the numbers of signals',
    'lib/storage/node-lock.ts': 'a lock names its holder\'s host',
  },
  ...{ 'node:perf_hooks': {}, 'node:timers': {} },
  piscina: { 'lib/actor/thread-pool.ts': 'the one file that knows piscina' },
  '@node-rs/crc32': { 'lib/storage/crc32c.ts': 'the one file that makes checksums' },
  msgpackr: { 'protocol/codec.ts': 'the one file that knows msgpackr' },
  nanoid: { 'lib/spark-context.ts': 'the default of the option ids' },
  'p-queue': { 'lib/output-bodies.ts': 'bodies of foreachRDD run one at a time on the app\'s thread' },
};

/** What examples may use beside us: the clients of the systems that they write to. */
const examplePackages = ['pg'];

/** Behaviours that the façade itself starts: the ends of the tree on the app's thread. */
const appEnds = ['actors/app-listeners.ts', 'actors/app-log.ts', 'actors/app-outputs.ts'];

/** The only files that may be nothing but re-exports: what the package's `exports` lead to. */
const publicFiles = ['lib/index.ts', 'lib/testing.ts', 'lib/actors.ts'];

// Calls that go through an argument.

interface Ban {
  readonly name: string;
  readonly instead: string;
  readonly allowed: Exceptions;
}

/** The command is no library: the process is its own. */
const theCommand = { 'lib/cli.ts': 'the command owns its process' };
const itsKeyboard = { 'lib/cli/keyboard.ts': 'the command\'s part that has the terminal' };
const onlyTheClock = { 'lib/base/clock.ts': 'the one file that asks the machine for the time' };

const bans: readonly Ban[] = [
  { name: 'Date.now', instead: 'use clock.wall()', allowed: {} },
  { name: 'new Date()', instead: 'use clock.wall()', allowed: {} },
  { name: 'performance.now', instead: 'use clock.now()', allowed: onlyTheClock },
  { name: 'performance.timeOrigin', instead: 'use clock.wall()', allowed: onlyTheClock },
  { name: 'process.hrtime', instead: 'use clock.now()', allowed: {} },
  { name: 'Math.random', instead: 'use a Prng that comes in by argument (lib/base/prng.ts)', allowed: {} },
  { name: 'crypto.randomUUID', instead: 'use the ids that come in by argument', allowed: {} },
  { name: 'setTimeout', instead: 'use clock.setTimer, or turn.startTimer in an actor', allowed: onlyTheClock },
  { name: 'setInterval', instead: 'use clock.setTimer, or turn.startTimer in an actor', allowed: {} },
  {
    name: 'setImmediate',
    instead: 'use clock.setTimer(0, ...), or a message to yourself in an actor',
    allowed: {
      ...onlyTheClock,
      'lib/actor/scheduler.ts': 'gives way to the thread\'s ports and sockets between two rounds of turns',
      'lib/actor/simulator.ts': 'waits until promises have settled; no time passes',
      'lib/simulated-cluster.ts': 'waits until promises outside of the actors have settled; no time passes',
      'lib/testing.ts': 'lets the readers of published streams take what is there; no time passes',
      'actors/host-thread.ts': 'fault injection: an error has to be thrown outside of every actor',
    },
  },
  { name: 'process.exit', instead: 'a library never ends its process: throw, or stop the context', allowed: { ...theCommand, 'actors/host-thread.ts': 'fault injection, which ends its own thread' } },
  { name: 'process.on', instead: 'a library has no handlers on its process, unless the app asks for them: lib/shutdown.ts', allowed: { ...theCommand, ...itsKeyboard } },
  { name: 'process.once', instead: 'a library has no handlers on its process', allowed: {} },
  { name: 'process.stdout', instead: 'only print writes there', allowed: { ...theCommand, 'lib/output-ports.ts': 'where print goes by default' } },
  { name: 'process.stderr', instead: 'use the logger', allowed: { ...theCommand, 'lib/spark-context.ts': 'the default logger' } },
  { name: 'process.env', instead: 'make it an option', allowed: { ...theCommand, ...itsKeyboard } },
  { name: 'console', instead: 'use the logger', allowed: {} },
  { name: 'eval', instead: 'write it out', allowed: {} },
  { name: 'new Function', instead: 'loops are compiled in lib/rdd/compile.ts alone', allowed: { 'lib/rdd/compile.ts': 'compiles fused loops from a fixed template' } },
];

/** Files in actors/ that are no behaviours, and have promises to wait for. A behaviour is never here. */
const mayAwait: Exceptions = {
  'actors/built-program.ts': 'slices a stream under a perform; transforms may be async',
  'actors/inline-launcher.ts': 'closes hosts',
  'actors/program-loader.ts': 'imports modules',
  'actors/runtime-rdds.ts': 'actions on RDDs are promises for the user',
  'actors/thread-launcher.ts': 'closes pools',
};

const mayBeAny: Exceptions = {
  'lib/rdd/records-only.ts': 'the one type that the compiler drops out of a conditional type that is not decided yet, and that is no never',
  'lib/actor/behavior.ts': 'AnyBehavior: a registry holds behaviours of all kinds of state and message',
  'lib/streaming-context.ts': 'StreamingProgram: the type of a program\'s arguments is inferred from the program',
};

const linesMax = 400;

/** Files that are longer, each with its own bound. */
const longer: Readonly<Record<string, { readonly linesMax: number; readonly reason: string }>> = {
  'lib/actor/cell.ts': { linesMax: 420, reason: 'one actor\'s life: its states and the order of effects are one idea' },
  'lib/actor/supervisor.ts': { linesMax: 500, reason: 'OTP\'s supervisor as one state machine' },
  'lib/actor/system.ts': { linesMax: 520, reason: 'the actors of a thread; routing and remote envelopes are in files of their own' },
  'actors/receiver-tracker.ts': { linesMax: 450, reason: 'which blocks count, and for which batch: receivers\' lives and the log\'s answers are part of that' },
  'lib/streaming-context.ts': { linesMax: 540, reason: 'the public face of a context; most of it is doc comments' },
};

/** All findings over these sources. */
export function findings(sources: readonly Source[]): string[] {
  const parsed = sources.map(parse);
  const used = new Set<string>();
  const found = parsed.flatMap((file) => [...checkImports(file, parsed), ...checkCalls(file, used), ...checkActors(file, used), ...checkForm(file, used)]);
  return [...found, ...checkCycles(parsed), ...checkUnused(parsed, used)];
}

// Reading a file.

interface Import {
  readonly line: number;
  /** As it stands: `./places.ts`, `node:fs`. */
  readonly specifier: string;
  /** Resolved where it is relative: `actors/places.ts`. */
  readonly target: string;
  readonly isType: boolean;
  readonly names: readonly string[];
}

interface Parsed extends Source {
  readonly tree: ts.SourceFile;
  readonly imports: readonly Import[];
  /** The message type of the behaviour that it exports; null: it exports none. */
  readonly messages: string | null;
}

function parse({ path, text }: Source): Parsed {
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true);
  return { path, text, tree, imports: importsOf(path, tree), messages: messagesOf(tree) };
}

function importsOf(path: string, tree: ts.SourceFile): Import[] {
  const imports: Import[] = [];
  const add = (node: ts.Node, specifier: ts.Expression | undefined, isType: boolean, names: readonly string[]): void => {
    if (specifier === undefined || !ts.isStringLiteralLike(specifier)) return;
    const target = specifier.text.startsWith('.') ? posix.normalize(posix.join(dirname(path), specifier.text)) : specifier.text;
    imports.push({ line: lineOf(tree, node), specifier: specifier.text, target, isType, names });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const { importClause } = node;
      const named = importClause?.namedBindings;
      add(node, node.moduleSpecifier, importClause?.isTypeOnly ?? false, named !== undefined && ts.isNamedImports(named) ? named.elements.map(({ name }) => name.text) : []);
    } else if (ts.isExportDeclaration(node)) {
      add(node, node.moduleSpecifier, node.isTypeOnly, []);
    } else if (ts.isCallExpression(node) && (node.expression.kind === ts.SyntaxKind.ImportKeyword || node.expression.getText(tree).startsWith('createRequire('))) {
      add(node, node.arguments[0], false, []);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node, node.argument.literal as ts.Expression, true, []);
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return imports;
}

/** A behaviour's file exports a function that returns `Behavior<State, Messages, ...>`. */
function messagesOf(tree: ts.SourceFile): string | null {
  for (const node of tree.statements) {
    if (!ts.isFunctionDeclaration(node) || !isExported(node)) continue;
    if (node.type === undefined || !ts.isTypeReferenceNode(node.type) || node.type.typeName.getText(tree) !== 'Behavior') continue;
    return node.type.typeArguments?.[1]?.getText(tree) ?? '';
  }
  return null;
}

function isExported(node: ts.Node): boolean {
  return ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
}

function lineOf(tree: ts.SourceFile, node: ts.Node): number {
  return tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
}

// The checks.

function checkImports(file: Parsed, all: readonly Parsed[]): string[] {
  return file.imports.flatMap((one) => {
    const at = `${file.path}:${one.line} imports ${one.target}`;
    if (!one.specifier.startsWith('.')) return checkOutside(file, one);
    return [...checkLayer(file, one, at), ...checkBehavior(file, one, at, all)];
  });
}

function checkOutside({ path }: Parsed, one: Import): string[] {
  const at = `${path}:${one.line} imports ${one.specifier}`;
  if (layerOf(path) === 'examples') {
    const known = /^(millrace(\/\w+)?|node:.+)$/.test(one.specifier) || examplePackages.includes(one.specifier);
    return known ? [] : [`${at}: an example imports the package by its own name, as users do`];
  }
  if (layers[layerOf(path)] === undefined) return [];
  if (/^millrace(\/(?!package\.json)|$)/.test(one.specifier)) return [`${at}: only examples and tests import the package by its name; name the file`];
  const door = doors[one.specifier.replace(/^(node:\w+)\/.*$/, '$1')];
  if (door === undefined || one.isType || door[path] !== undefined) return [];
  const keepers = Object.keys(door);
  return [`${at}: ${keepers.length === 0 ? 'it comes in by argument' : `only ${keepers.join(' and ')} ${keepers.length === 1 ? 'does' : 'do'}; take it by argument`}`];
}

function checkLayer({ path }: Parsed, { target, isType }: Import, at: string): string[] {
  const from = layerOf(path);
  const to = layerOf(target);
  if (from === 'examples') return to === 'examples' ? [] : [`${at}: an example imports the package by its own name, as users do`];
  const layer = layers[from];
  if (layer === undefined || from === to || layer.mayImport.includes(to)) return [];
  if (isType && layer.mayName?.includes(to) === true) return [];
  const allowed = [...layer.mayImport, ...(layer.mayName ?? []).map((name) => `types of ${name}`)];
  const say = allowed.length === 0 ? 'imports nothing of ours' : `may import ${allowed.join(', ')} and itself alone`;
  return [`${at}: ${from === 'lib' ? 'lib/*.ts' : from} ${say}; imports go down only`];
}

/** Actors know each other's messages, never each other. */
function checkBehavior({ path }: Parsed, { target, isType }: Import, at: string, all: readonly Parsed[]): string[] {
  const behavior = all.find((file) => file.path === target);
  if (behavior === undefined || behavior.messages === null || !target.startsWith('actors/') || layers[layerOf(path)] === undefined) return [];
  if (path === 'actors/registry.ts') return [];
  if (path === 'actors/tree.ts' && isType) return [];
  if (layerOf(path) === 'lib' && appEnds.includes(target)) return [];
  const home = behavior.imports.find(({ names }) => names.includes(behavior.messages ?? ''))?.target ?? 'protocol/';
  return [`${at}: talk to it through ${home}${behavior.messages === '' ? '' : ` (${behavior.messages})`}`];
}

function checkCalls(file: Parsed, used: Set<string>): string[] {
  if (layers[layerOf(file.path)] === undefined) return [];
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    for (const ban of bans) {
      if (!isUseOf(node, ban.name)) continue;
      if (ban.allowed[file.path] !== undefined) used.add(`${ban.name} in ${file.path}`);
      else found.push(`${file.path}:${lineOf(file.tree, node)} uses ${ban.name}: ${ban.instead}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(file.tree);
  return found;
}

/** `name` is `global`, `object.member`, `new Class` or `new Class()` (with no arguments). */
function isUseOf(node: ts.Node, name: string): boolean {
  if (name.startsWith('new ')) {
    if (!ts.isNewExpression(node) || !ts.isIdentifier(node.expression)) return false;
    const isBare = name.endsWith('()');
    return node.expression.text === name.slice(4).replace('()', '') && (!isBare || (node.arguments ?? []).length === 0);
  }
  const [object = '', member] = name.split('.');
  if (member !== undefined) {
    return ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === object && node.name.text === member;
  }
  if (!ts.isIdentifier(node) || node.text !== object) return false;
  // The global itself: called, given away, or the object of a member; not a name of something else.
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  return !ts.isPropertyAssignment(parent) && !ts.isMethodDeclaration(parent) && !ts.isPropertySignature(parent) && !ts.isMethodSignature(parent) && !ts.isImportSpecifier(parent);
}

function checkActors(file: Parsed, used: Set<string>): string[] {
  if (layerOf(file.path) !== 'actors') return [];
  const found: string[] = [];
  const allowed = file.messages === null && mayAwait[file.path] !== undefined;
  const visit = (node: ts.Node): void => {
    const isAsync = node.kind === ts.SyntaxKind.AsyncKeyword || node.kind === ts.SyntaxKind.AwaitExpression || (ts.isForOfStatement(node) && node.awaitModifier !== undefined);
    if (isAsync && allowed) used.add(`await in ${file.path}`);
    if (isAsync && !allowed) {
      found.push(`${file.path}:${lineOf(file.tree, node)} is async: a handler never waits; give what waits to turn.perform or turn.ask, and take its outcome as a message`);
    }
    ts.forEachChild(node, visit);
  };
  visit(file.tree);
  return found;
}

function checkForm(file: Parsed, used: Set<string>): string[] {
  const { path, text, tree } = file;
  const found: string[] = [];
  const lines = text.split('\n').length - 1;
  const bound = longer[path]?.linesMax ?? linesMax;
  if (longer[path] !== undefined && lines > linesMax) used.add(`length of ${path}`);
  if (lines > bound) found.push(`${path} has ${lines} lines, more than ${bound}: look whether there are two ideas in it`);
  const unfinished = new RegExp(`\\b(${['TO', 'FIX'].map((start) => `${start}${start === 'TO' ? 'DO' : 'ME'}`).join('|')})\\b`);
  text.split('\n').forEach((line, index) => {
    if (unfinished.test(line)) found.push(`${path}:${index + 1} leaves something undone: do it, or write an issue`);
  });
  if (layers[layerOf(path)] === undefined) return found;
  if (!/^(#!.*\n)?\/\*\*/.test(text)) found.push(`${path} has no header: say at its top what it owns and the invariant it keeps`);
  const visit = (node: ts.Node): void => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) {
      if (mayBeAny[path] !== undefined) used.add(`any in ${path}`);
      else found.push(`${path}:${lineOf(tree, node)} says any: name the type, or unknown`);
    }
    if (ts.isExportDeclaration(node) && node.exportClause === undefined) found.push(`${path}:${lineOf(tree, node)} exports all of another file: name what is exported`);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  const isBarrel = tree.statements.length > 0 && tree.statements.every((node) => ts.isImportDeclaration(node) || (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined));
  if (isBarrel && !publicFiles.includes(path)) found.push(`${path} only passes on what others export: import from the file itself`);
  return found;
}

/** Circles of imports, types left out: modules in a circle depend on which is loaded first. */
function checkCycles(files: readonly Parsed[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const done = new Set<string>();
  const found: string[] = [];
  const walk = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) {
      found.push(`${[...trail.slice(at), path].join(' -> ')}: a circle of imports; move what both need into a file of its own`);
      return;
    }
    if (done.has(path)) return;
    for (const { target, isType } of byPath.get(path)?.imports ?? []) {
      if (!isType && byPath.has(target)) walk(target, [...trail, path]);
    }
    done.add(path);
  };
  for (const { path } of files) walk(path, []);
  return found;
}

/** Exceptions that nothing needs any more. Only for sources that are there, so that a part of the code can be checked alone. */
function checkUnused(files: readonly Parsed[], used: ReadonlySet<string>): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const found: string[] = [];
  const look = (kind: string, exceptions: Readonly<Record<string, unknown>>, isUsed: (path: string) => boolean): void => {
    for (const path of Object.keys(exceptions)) {
      if (byPath.has(path) && !isUsed(path)) found.push(`test/helpers/tidy.ts: ${path} needs no exception for ${kind} any more; take it out`);
    }
  };
  for (const ban of bans) look(ban.name, ban.allowed, (path) => used.has(`${ban.name} in ${path}`));
  for (const [module, door] of Object.entries(doors)) {
    look(module, door, (path) => byPath.get(path)?.imports.some(({ specifier, isType }) => !isType && (specifier === module || specifier.startsWith(`${module}/`))) === true);
  }
  look('await', mayAwait, (path) => used.has(`await in ${path}`));
  look('any', mayBeAny, (path) => used.has(`any in ${path}`));
  look('its length', longer, (path) => used.has(`length of ${path}`));
  return found;
}

/** `lib/rdd/x.ts` -> `lib/rdd`, `lib/index.ts` -> `lib`, `actors/x.ts` -> `actors`. */
function layerOf(path: string): string {
  const [top = '', folder, file] = path.split('/');
  return top === 'lib' && file !== undefined ? `lib/${folder}` : top;
}

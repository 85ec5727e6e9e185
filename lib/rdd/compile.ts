/**
 * The text of a fused loop, and the only use of `new Function`.
 *
 * Invariant: the text is made from a shape's kinds and from numbers, never from names, references or data of a user; user
 * functions are values in the state. Each text ends in a comment of its own, since V8 shares type feedback between equal texts.
 *
 * The loop for lines -> flatMap -> map -> combine, shortened:
 *
 *   try {
 *     OUT: while (at < feed.length) {
 *       r0 = (the next line); if (--left === 0) ...
 *       step = 0; a1 = f0(r0); if (first0) ...                  flatMap: an array by index, else portions of an iterable
 *       L1: for (let i1 = 0; i1 < n1; i1 += 1) {
 *         r1 = a1[i1];
 *         step = 1; r2 = f1(r1); if (first1) ...                map
 *         step = 2; k3 = r2[0]; v3 = r2[1];                     combine: no pair is kept
 *         slot = table.find(k3); ...
 *       }
 *     }
 *   } catch (thrown) { throw state.failure(thrown, step, the record that the step had) }
 *
 * `step` and the records are plain locals: what a failure needs costs the loop nothing. Only around the function of an operator
 * with a policy stands a try of its own, and only in a program with accumulators is a step's scope noted:
 *
 *   step = 1; running.scope = s1; try { r1 = f1(r0); } catch (thrown) { state.leaveOut(thrown, 1, r0); continue OUT; }
 */
import { aliveEveryRecords, hasPolicy } from './loop-state.ts';
import type { Loop, LoopShape } from './fuse.ts';

/** A number in each text: unique over the thread, as V8's cache of texts is. */
let texts = 0;

/** Makes the loop of a shape. */
export function generateLoop(shape: LoopShape): Loop {
  texts += 1;
  return new Function('feed', 'state', `${textOfLoop(shape)}\n// Loop ${texts}.`) as Loop;
}

/** False where code generation from strings is refused, as by --disallow-code-generation-from-strings. */
export function generationWorks(): boolean {
  try {
    return new Function('return true;')() === true;
  } catch {
    return false;
  }
}

/** What the loop has in hand: a record in one variable, or a key and a value in two, or both. */
interface Current {
  readonly record: string | null;
  readonly key: string | null;
  readonly value: string | null;
}

/** The text while it is written. */
interface Writer {
  readonly lines: string[];
  /** Variables that live over the whole loop. */
  readonly variables: Set<string>;
  /** By step: the expression for the record that the step was given. */
  readonly inputs: string[];
  /** Variables that may hold an open iterable. */
  readonly draws: string[];
  /** The loop that the next record comes from: its label. */
  label: string;
}

function textOfLoop(shape: LoopShape): string {
  const writer: Writer = { lines: [], variables: new Set(), inputs: [], draws: [], label: 'OUT' };
  writeSource(shape, writer);
  const sinkStep = shape.ops.length;
  const fns = shape.ops.map((op, step) => (op.ref === null ? `let n${step} = state.ops[${step}].next;` : `const f${step} = state.ops[${step}].fn; let first${step} = true;`));
  const variables = [...writer.variables].map((name) => `${name} = undefined`).join(', ');
  const counters = shape.ops.map((op, step) => (op.kind === 'zipWithIndex' ? `state.ops[${step}].next = n${step};` : '')).join(' ');
  const inputs = writer.inputs.map((input, step) => `step === ${step} ? ${input} : `).join('');
  return `'use strict';
${fns.join('\n')}
${scopesOf(shape)}
${sinkBefore[shape.sink](sinkStep)}
let step = 0, left = state.left, done = false;
let ${variables};
try {
${writer.lines.join('\n')}
} catch (thrown) {
${writer.draws.map((draw) => `  if (${draw} !== undefined && ${draw} !== null) { try { ${draw}.close(); } catch {} }`).join('\n')}
  throw state.failure(thrown, step, ${inputs}undefined);
}
state.left = left;
${counters}
${sinkAfter[shape.sink] ?? ''}
if (done) state.done = true;
return done;`;
}

/** The scopes that the loop notes, as locals. */
function scopesOf(shape: LoopShape): string {
  if (shape.tracked !== true) return '';
  const scopes = shape.ops.map((op, step) => (isTracked(shape, step) ? `s${step} = state.ops[${step}].scope, ` : ''));
  return `const ${scopes.join('')}s${shape.ops.length} = state.sinkScope, running = state.running;`;
}

/** Steps without a function add nothing to accumulators. */
function isTracked(shape: LoopShape, step: number): boolean {
  if (shape.tracked !== true) return false;
  return step < shape.ops.length ? shape.ops[step]!.ref !== null : shape.refs.length > 0;
}

/** Where the loop is from here on. */
function mark(shape: LoopShape, step: number): string {
  return `step = ${step};${isTracked(shape, step) ? ` running.scope = s${step};` : ''}`;
}

/** A call of a step's function, assigned to a variable that is declared. With a policy, a throw leaves the record out. */
function attempt(shape: LoopShape, step: number, statement: string, writer: Writer): string {
  const guarded = step < shape.ops.length ? hasPolicy(shape.ops[step]!) : shape.sinkOnError === true;
  return guarded ? `try { ${statement} } catch (thrown) { state.leaveOut(thrown, ${step}, ${writer.inputs[step]}); continue ${writer.label}; }` : statement;
}

const sign = `if ((left -= 1) === 0) { left = ${aliveEveryRecords}; state.alive(${aliveEveryRecords}); }`;

function writeSource(shape: LoopShape, writer: Writer): void {
  const { lines, variables } = writer;
  switch (shape.source) {
    case 'text':
      variables.add('r');
      lines.push(
        'let at = 0;',
        'const end = feed.length;',
        'OUT: while (at < end) {',
        "let stop = feed.indexOf('\\n', at);",
        'if (stop < 0) stop = end;',
        // A line that ends in \r\n is a line without the \r.
        'r = feed.slice(at, stop > at && feed.charCodeAt(stop - 1) === 13 ? stop - 1 : stop);',
        'at = stop + 1;',
        sign,
      );
      writeStep(shape, 0, { record: 'r', key: null, value: null }, writer);
      break;
    case 'array':
      variables.add('r');
      lines.push('OUT: for (let at = 0, end = feed.length; at < end; at += 1) {', 'r = feed[at];', sign);
      writeStep(shape, 0, { record: 'r', key: null, value: null }, writer);
      break;
    case 'words':
      variables.add('r0');
      lines.push(
        'const wordIds = feed.ids, knownWords = feed.words, otherWords = feed.others;',
        'OUT: for (let at = 0, end = feed.count; at < end; at += 1) {',
        'const id = wordIds[at];',
        'r0 = id >= 0 ? knownWords[id] : otherWords[-1 - id];',
      );
      // The step that made them is behind them; lines are counted by whoever cut them.
      writer.inputs[0] = 'undefined';
      writeStep(shape, 1, { record: 'r0', key: null, value: null }, writer);
      break;
    case 'pairs':
      variables.add('k').add('v');
      lines.push('const feedKeys = feed.keys, feedValues = feed.values;', 'OUT: for (let at = 0, end = feedKeys.length; at < end; at += 1) {', 'k = feedKeys[at]; v = feedValues[at];', sign);
      writeStep(shape, 0, { record: null, key: 'k', value: 'v' }, writer);
      break;
  }
  lines.push('}');
}

/** The rest of the loop's body, from this step on. */
function writeStep(shape: LoopShape, step: number, current: Current, writer: Writer): void {
  const { lines, variables } = writer;
  if (step === shape.ops.length) return writeSink(shape, step, current, writer);
  const call = (argument: string): string => `f${step}(${argument})`;
  const check = (result: string): string => `if (first${step}) { first${step} = false; state.refuseAsync(${result}, ${step}); }`;
  switch (shape.ops[step]!.kind) {
    case 'map': {
      const input = writeRecord(step, current, writer);
      variables.add(`r${step}`);
      lines.push(mark(shape, step), attempt(shape, step, `r${step} = ${call(input)};`, writer), check(`r${step}`));
      return writeStep(shape, step + 1, { record: `r${step}`, key: null, value: null }, writer);
    }
    case 'filter': {
      const input = writeRecord(step, current, writer);
      lines.push(mark(shape, step), `let t${step};`, attempt(shape, step, `t${step} = ${call(input)};`, writer), check(`t${step}`), `if (!t${step}) continue ${writer.label};`);
      return writeStep(shape, step + 1, { ...current, record: input }, writer);
    }
    case 'flatMap': {
      const input = writeRecord(step, current, writer);
      variables.add(`r${step}`);
      lines.push(mark(shape, step), ...writeResults(shape, step, call(input), writer));
      return writeNested(shape, step, `r${step} = a${step}[i${step}];`, { record: `r${step}`, key: null, value: null }, check(`a${step}`), writer);
    }
    case 'mapValues': {
      const { key, value } = writePair(shape, step, current, writer);
      variables.add(`v${step}`);
      lines.push(attempt(shape, step, `v${step} = ${call(value)};`, writer), check(`v${step}`));
      return writeStep(shape, step + 1, { record: null, key, value: `v${step}` }, writer);
    }
    case 'flatMapValues': {
      const { key, value } = writePair(shape, step, current, writer);
      variables.add(`v${step}`);
      lines.push(...writeResults(shape, step, call(value), writer));
      return writeNested(shape, step, `v${step} = a${step}[i${step}];`, { record: null, key, value: `v${step}` }, check(`a${step}`), writer);
    }
    case 'zipWithIndex': {
      const input = writeRecord(step, current, writer);
      variables.add(`v${step}`);
      lines.push(`v${step} = n${step}; n${step} += 1;`);
      return writeStep(shape, step + 1, { record: null, key: input, value: `v${step}` }, writer);
    }
  }
}

/** What a flatMap function returned. With a policy an iterable is drawn at once: it can throw, too. */
function writeResults(shape: LoopShape, step: number, call: string, writer: Writer): string[] {
  if (!hasPolicy(shape.ops[step]!)) return [`let a${step} = ${call};`];
  return [`let a${step};`, attempt(shape, step, `a${step} = ${call}; if (!Array.isArray(a${step})) a${step} = state.drawAll(a${step}, ${step});`, writer)];
}

/** The loop over what a flatMap function returned: arrays by index, anything else in portions. */
function writeNested(shape: LoopShape, step: number, element: string, current: Current, check: string, writer: Writer): void {
  const { lines } = writer;
  const outer = writer.label;
  writer.variables.add(`d${step}`);
  writer.draws.push(`d${step}`);
  lines.push(
    check,
    `d${step} = null;`,
    `if (!Array.isArray(a${step})) { d${step} = state.draw(a${step}, ${step}); a${step} = d${step}.next(); }`,
    'do {',
    `L${step}: for (let i${step} = 0, n${step} = a${step}.length; i${step} < n${step}; i${step} += 1) {`,
    element,
  );
  writer.label = `L${step}`;
  writeStep(shape, step + 1, current, writer);
  writer.label = outer;
  // The step is set again: drawing runs the user's iterator.
  const again = `step = ${step}${isTracked(shape, step) ? `, running.scope = s${step}` : ''}`;
  lines.push('}', `} while (d${step} !== null && (${again}, a${step} = d${step}.next()).length !== 0);`);
}

/** A variable with the whole record; notes it as the step's input. */
function writeRecord(step: number, current: Current, writer: Writer): string {
  let record = current.record;
  if (record === null) {
    record = `p${step}`;
    writer.variables.add(record);
    writer.lines.push(`${record} = [${current.key}, ${current.value}];`);
  }
  writer.inputs[step] = record;
  return record;
}

/** Variables with key and value; notes the pair as the step's input. */
function writePair(shape: LoopShape, step: number, current: Current, writer: Writer): { key: string; value: string } {
  writer.lines.push(mark(shape, step));
  if (current.key !== null && current.value !== null) {
    writer.inputs[step] = `[${current.key}, ${current.value}]`;
    return { key: current.key, value: current.value };
  }
  const [key, value] = [`k${step}`, `w${step}`];
  writer.variables.add(key).add(value);
  writer.lines.push(
    `if (!Array.isArray(${current.record}) || ${current.record}.length !== 2) state.refuseRecord(${current.record}, ${step});`,
    `${key} = ${current.record}[0]; ${value} = ${current.record}[1];`,
  );
  // Not the record itself: used nowhere else, a pair that the user's function has just made need not be allocated at all.
  writer.inputs[step] = `[${key}, ${value}]`;
  return { key, value };
}

function writeSink(shape: LoopShape, step: number, current: Current, writer: Writer): void {
  const { lines } = writer;
  const check = (result: string, which = ''): string => `if (firstSink${which}) { firstSink${which} = false; state.refuseAsync(${result}, ${step}); }`;
  switch (shape.sink) {
    case 'count':
      lines.push('count += 1;');
      return;
    case 'columns': {
      const { key, value } = writePair(shape, step, current, writer);
      lines.push(`keys.push(${key}); values.push(${value});`);
      return;
    }
    case 'putPair': {
      const { key, value } = writePair(shape, step, current, writer);
      lines.push(`state.putPair(${key}, ${value});`);
      return;
    }
    case 'route': {
      const { key, value } = writePair(shape, step, current, writer);
      lines.push(`const bucket = partitionOf(${key}, buckets);`, `bucketKeys[bucket].push(${key}); bucketValues[bucket].push(${value});`);
      return;
    }
    case 'combine':
    case 'merge': {
      const { key, value } = writePair(shape, step, current, writer);
      // `find` first: most keys are known, and one look-up is all that they cost.
      lines.push(`const slot = table.find(${key});`, 'if (slot >= 0) {', 'let merged;', attempt(shape, step, `merged = mergeSink(tableValues[slot], ${value});`, writer), check('merged'), 'tableValues[slot] = merged;', '} else {');
      if (shape.sink === 'combine') {
        lines.push('let created;', attempt(shape, step, `created = createSink(${value});`, writer), check('created', 'Create'), `tableValues[table.slotOf(${key})] = created;`);
      } else {
        lines.push(`tableValues[table.slotOf(${key})] = ${value};`);
      }
      lines.push('}');
      return;
    }
  }
  const record = writeRecord(step, current, writer);
  lines.push(mark(shape, step));
  switch (shape.sink) {
    case 'collect':
      lines.push(`out.push(${record});`);
      return;
    case 'collectLimit': {
      const close = writer.draws.map((draw) => `if (${draw} !== undefined && ${draw} !== null) ${draw}.close();`).join(' ');
      lines.push(`out.push(${record});`, `if (out.length >= limit) { done = true; ${close} break OUT; }`);
      return;
    }
    case 'reduce':
      lines.push(`if (has) { accumulator = fSink(accumulator, ${record}); ${check('accumulator')} } else { has = true; accumulator = ${record}; }`);
      return;
    case 'aggregate':
      lines.push(`accumulator = fSink(accumulator, ${record}); ${check('accumulator')}`);
      return;
    case 'foreach':
      lines.push('let result;', attempt(shape, step, `result = fSink(${record}, context);`, writer), check('result'));
      return;
    case 'put':
      lines.push(`state.put(${record});`);
      return;
  }
}

/** What of the state a sink takes into locals before the loop ... */
const sinkBefore: Readonly<Record<LoopShape['sink'], (step: number) => string>> = {
  collect: () => 'const out = state.out;',
  collectLimit: () => 'const out = state.out, limit = state.limit;',
  columns: () => 'const keys = state.keys, values = state.values;',
  count: () => 'let count = state.count;',
  reduce: () => 'const fSink = state.sinkFns[0]; let firstSink = true, has = state.has, accumulator = state.accumulator;',
  aggregate: () => 'const fSink = state.sinkFns[0]; let firstSink = true, accumulator = state.accumulator;',
  foreach: () => 'const fSink = state.sinkFns[0], context = state.context; let firstSink = true;',
  combine: () => 'const createSink = state.sinkFns[0], mergeSink = state.sinkFns[1], table = state.table, tableValues = table.values; let firstSink = true, firstSinkCreate = true;',
  merge: () => 'const mergeSink = state.sinkFns[0], table = state.table, tableValues = table.values; let firstSink = true;',
  route: () => 'const partitionOf = state.partitionOf, buckets = state.buckets, bucketKeys = state.bucketKeys, bucketValues = state.bucketValues;',
  put: () => '',
  putPair: () => '',
};

/** ... and puts back behind it. */
const sinkAfter: Partial<Readonly<Record<LoopShape['sink'], string>>> = {
  count: 'state.count = count;',
  reduce: 'state.has = has; state.accumulator = accumulator;',
  aggregate: 'state.accumulator = accumulator;',
};

/**
 * Fused loops as chains of closures: for places where code generation from strings is refused.
 *
 * Invariant: for each shape, the same results, failures, order of calls and early ends as the compiled loop; the same tests
 * hold both. Every closure pushes into the next one; none gathers records for an operator.
 *
 *   source --push--> op 0 --push--> op 1 --push--> sink
 */
import type { FunctionScope } from './function-scope.ts';
import { aliveEveryRecords, hasPolicy } from './loop-state.ts';
import type { LoopState } from './loop-state.ts';
import type { Words } from './text/tokenizer.ts';
import type { Feed, Loop, LoopShape, Op, PairColumns, UserFunction } from './fuse.ts';

type Push = (record: unknown) => void;

/** Where the chain is: the failure's step and record. `done`: the sink wants no more. */
interface Progress {
  step: number;
  record: unknown;
  done: boolean;
}

/** Makes the loop of a shape. The chain is made anew for each feed: a block, or some hundred records at least. */
export function closureLoop(shape: LoopShape): Loop {
  return (feed, state) => {
    const progress: Progress = { step: 0, record: undefined, done: false };
    let push = sinkOf(shape, state, progress);
    const first = shape.source === 'words' ? 1 : 0;
    for (let step = shape.ops.length - 1; step >= first; step -= 1) push = opOf(state.ops[step]!, step, push, state, progress);
    try {
      sources[shape.source](feed, push, state, progress);
    } catch (thrown) {
      throw state.failure(thrown, progress.step, progress.record);
    }
    if (progress.done) state.done = true;
    return progress.done;
  };
}

const sources: Readonly<Record<LoopShape['source'], (feed: Feed, push: Push, state: LoopState, progress: Progress) => void>> = {
  text: (feed, push, state, progress) => {
    const text = feed as string;
    let at = 0;
    while (at < text.length && !progress.done) {
      let stop = text.indexOf('\n', at);
      if (stop < 0) stop = text.length;
      const line = text.slice(at, stop > at && text.charCodeAt(stop - 1) === 13 ? stop - 1 : stop);
      at = stop + 1;
      signOfLife(state);
      push(line);
    }
  },
  array: (feed, push, state, progress) => {
    const records = feed as readonly unknown[];
    for (let at = 0, end = records.length; at < end && !progress.done; at += 1) {
      signOfLife(state);
      push(records[at]);
    }
  },
  pairs: (feed, push, state, progress) => {
    const { keys, values } = feed as PairColumns;
    for (let at = 0, end = keys.length; at < end && !progress.done; at += 1) {
      signOfLife(state);
      push([keys[at], values[at]]);
    }
  },
  // Lines are counted by whoever has cut them.
  words: (feed, push, _state, progress) => {
    const { ids, count, words, others } = feed as Words;
    for (let at = 0; at < count && !progress.done; at += 1) {
      const id = ids[at]!;
      push(id >= 0 ? words[id] : others[-1 - id]);
    }
  },
};

function signOfLife(state: LoopState): void {
  if ((state.left -= 1) !== 0) return;
  state.left = aliveEveryRecords;
  state.alive(aliveEveryRecords);
}

function opOf(op: Op, step: number, push: Push, state: LoopState, progress: Progress): Push {
  if (hasPolicy(op)) return opWithPolicy(op, step, push, state, progress);
  const call = calling(op, step, state, progress);
  switch (op.kind) {
    case 'map':
      return (record) => push(call(record, record));
    case 'filter':
      return (record) => {
        if (call(record, record)) push(record);
      };
    case 'flatMap':
      return (record) => each(call(record, record), op, step, record, state, progress, push);
    case 'mapValues':
      return (record) => {
        const pair = pairOf(record, step, state, progress);
        push([pair[0], call(record, pair[1])]);
      };
    case 'flatMapValues':
      return (record) => {
        const pair = pairOf(record, step, state, progress);
        each(call(record, pair[1]), op, step, record, state, progress, (value) => push([pair[0], value]));
      };
    case 'zipWithIndex':
      return (record) => {
        const index = op.next;
        op.next += 1;
        push([record, index]);
      };
  }
}

/** Stands for the result of a function that threw, and whose record is left out. */
const leftOut = Symbol('left out');

/** An operator whose function may throw without harm to other records: the record is left out. */
function opWithPolicy(op: Op, step: number, push: Push, state: LoopState, progress: Progress): Push {
  const calls = calling(op, step, state, progress);
  const call = (record: unknown, argument: unknown): unknown => {
    try {
      return calls(record, argument);
    } catch (thrown) {
      state.leaveOut(thrown, step, record);
      return leftOut;
    }
  };
  /** An iterable is drawn at once: it can throw, too. */
  const callAll = (record: unknown, argument: unknown): unknown => {
    try {
      const result = calls(record, argument);
      return Array.isArray(result) ? result : state.drawAll(result, step);
    } catch (thrown) {
      state.leaveOut(thrown, step, record);
      return leftOut;
    }
  };
  switch (op.kind) {
    case 'map':
      return (record) => {
        const result = call(record, record);
        if (result !== leftOut) push(result);
      };
    case 'filter':
      return (record) => {
        const result = call(record, record);
        if (result !== leftOut && result) push(record);
      };
    case 'flatMap':
      return (record) => {
        const results = callAll(record, record);
        if (results !== leftOut) each(results, op, step, record, state, progress, push);
      };
    case 'mapValues':
      return (record) => {
        const pair = pairOf(record, step, state, progress);
        const result = call(record, pair[1]);
        if (result !== leftOut) push([pair[0], result]);
      };
    case 'flatMapValues':
      return (record) => {
        const pair = pairOf(record, step, state, progress);
        const results = callAll(record, pair[1]);
        if (results !== leftOut) each(results, op, step, record, state, progress, (value) => push([pair[0], value]));
      };
    case 'zipWithIndex':
      throw new Error('zipWithIndex calls no function, so it has no policy.');
  }
}

/** The scope to note where a step's function runs; null where the program has no accumulators. */
function trackedScope(state: LoopState, scope: FunctionScope | null | undefined): FunctionScope | null {
  return state.running === null ? null : scope ?? null;
}

/** The function, noting its scope first; the function itself where there is none to note. */
function inScope(fn: UserFunction | null, state: LoopState, given: FunctionScope | null | undefined): UserFunction | null {
  const scope = trackedScope(state, given);
  const { running } = state;
  if (scope === null || running === null || fn === null) return fn;
  return (...args) => {
    running.scope = scope;
    return fn(...args);
  };
}

/** A call of a step's function: noted, and its first result looked at for a promise. */
function calling(op: Op, step: number, state: LoopState, progress: Progress): (record: unknown, argument: unknown) => unknown {
  const fn = inScope(op.fn, state, op.scope);
  let first = true;
  return (record, argument) => {
    progress.step = step;
    progress.record = record;
    const result = fn!(argument);
    if (first) {
      first = false;
      state.refuseAsync(result, step);
    }
    return result;
  };
}

function each(result: unknown, op: Op, step: number, record: unknown, state: LoopState, progress: Progress, push: Push): void {
  if (Array.isArray(result)) {
    for (let index = 0, end = result.length; index < end && !progress.done; index += 1) push(result[index]);
    return;
  }
  const draw = state.draw(result, step);
  const scope = trackedScope(state, op.scope);
  try {
    for (let portion = draw.next(); portion.length !== 0; portion = draw.next()) {
      for (let index = 0; index < portion.length && !progress.done; index += 1) push(portion[index]);
      if (progress.done) break;
      // Set again: drawing runs the user's iterator.
      progress.step = step;
      progress.record = record;
      if (scope !== null) state.running!.scope = scope;
    }
  } catch (thrown) {
    // What the iterator's clean-up throws must not hide the failure.
    try {
      draw.close();
    } catch {}
    throw thrown;
  }
  draw.close();
}

function pairOf(record: unknown, step: number, state: LoopState, progress: Progress): readonly [unknown, unknown] {
  progress.step = step;
  progress.record = record;
  if (!Array.isArray(record) || record.length !== 2) state.refuseRecord(record, step);
  return record as unknown as readonly [unknown, unknown];
}

function sinkOf(shape: LoopShape, state: LoopState, progress: Progress): Push {
  const step = shape.ops.length;
  const fns = state.sinkFns.map((fn) => inScope(fn, state, state.sinkScope));
  const note = (record: unknown): void => {
    progress.step = step;
    progress.record = record;
  };
  /** foreach, combine: under a policy a record is left out where the function throws. All else that can throw here is an error of our own. */
  const careful = (push: Push): Push => {
    if (shape.sinkOnError !== true) return push;
    return (record) => {
      try {
        push(record);
      } catch (thrown) {
        state.leaveOut(thrown, step, record);
      }
    };
  };
  const firsts = state.sinkFns.map(() => true);
  const check = (result: unknown, which: number): unknown => {
    if (firsts[which] === true) {
      firsts[which] = false;
      state.refuseAsync(result, step);
    }
    return result;
  };
  const pair = (record: unknown): readonly [unknown, unknown] => pairOf(record, step, state, progress);
  switch (shape.sink) {
    case 'collect':
      return (record) => void state.out.push(record);
    case 'collectLimit':
      return (record) => {
        state.out.push(record);
        if (state.out.length >= state.limit) progress.done = true;
      };
    case 'columns':
      return (record) => {
        const [key, value] = pair(record);
        state.keys.push(key);
        state.values.push(value);
      };
    case 'count':
      return () => void (state.count += 1);
    case 'reduce': {
      const [reduce] = fns;
      return (record) => {
        note(record);
        if (state.has) {
          state.accumulator = check(reduce!(state.accumulator, record), 0);
        } else {
          state.has = true;
          state.accumulator = record;
        }
      };
    }
    case 'aggregate': {
      const [aggregate] = fns;
      return (record) => {
        note(record);
        state.accumulator = check(aggregate!(state.accumulator, record), 0);
      };
    }
    case 'foreach': {
      const [run] = fns;
      return careful((record) => {
        note(record);
        check(run!(record, state.context), 0);
      });
    }
    case 'combine': {
      const [create, merge] = fns;
      const table = state.table!;
      return careful((record) => {
        const [key, value] = pair(record);
        const slot = table.find(key);
        if (slot >= 0) {
          table.values[slot] = check(merge!(table.values[slot], value), 1);
        } else {
          const created = check(create!(value), 0);
          table.values[table.slotOf(key)] = created;
        }
      });
    }
    case 'merge': {
      const [merge] = fns;
      const table = state.table!;
      return (record) => {
        const [key, value] = pair(record);
        const slot = table.find(key);
        if (slot >= 0) table.values[slot] = check(merge!(table.values[slot], value), 0);
        else table.values[table.slotOf(key)] = value;
      };
    }
    case 'route':
      return (record) => {
        const [key, value] = pair(record);
        const bucket = state.partitionOf(key, state.buckets);
        state.bucketKeys[bucket]!.push(key);
        state.bucketValues[bucket]!.push(value);
      };
    case 'put':
      return (record) => {
        note(record);
        state.put(record);
      };
    case 'putPair':
      return (record) => {
        const [key, value] = pair(record);
        state.putPair(key, value);
      };
  }
}

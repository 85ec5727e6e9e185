/**
 * The functions of one program on one thread: a name for each closure that a worker must find, and the closure for each name.
 *
 * Invariant: functions are numbered in the order in which the program handed them over while its graph was built, and every
 * thread builds the same graph; so a number means the same closure's twin on all of them. A function given twice has one
 * number. After `seal` no number is added: what comes later is a transform's (named by its place in the call, see
 * transform-scope.ts), or, where the workers are on this very thread, an entry of `LocalFunctions`; else it is refused.
 */
import { MillraceError } from '../../protocol/errors.ts';
import type { ProgramId } from '../../protocol/ids.ts';
import type { FunctionRef } from '../../protocol/rdd.ts';
import { callError } from '../base/caller-place.ts';
import { hashFunction, hashText } from '../dstream/uid.ts';
import type { LocalFunctions } from './local-functions.ts';
import type { TransformScope } from './transform-scope.ts';

export type AnyFunction = (...args: never[]) => unknown;

/** Methods whose function may return a promise. */
const asyncRoles = new Set(['foreachPartition']);

export class FunctionTable {
  readonly program: ProgramId;
  /** Set while a transform's function runs on the driver, or is replayed on a worker. */
  scope: TransformScope | null = null;
  readonly #local: LocalFunctions | null;
  readonly #functions: AnyFunction[] = [];
  readonly #refs = new Map<Function, FunctionRef>();
  #sealed = false;

  /** `local`: the cluster's table, where all its threads are this one (`master: 'inline'`); else null. */
  constructor(program: ProgramId, local: LocalFunctions | null = null) {
    this.program = program;
    this.#local = local;
  }

  /** How many functions the program has handed over. */
  get size(): number {
    return this.#functions.length;
  }

  seal(): void {
    this.#sealed = true;
  }

  /** While the graph is built: takes the function, or finds it again. Throws AsyncRecordFunction. */
  register(fn: Function, role: string, where = '', mayBeAsync = asyncRoles.has(role)): FunctionRef {
    if (!mayBeAsync) refuseAsync(fn, role, where);
    const known = this.#refs.get(fn);
    if (known !== undefined) return known;
    if (this.#sealed) throw tooLate(fn, role);
    const ref: FunctionRef = { kind: 'program', program: this.program, index: this.#functions.push(fn as AnyFunction) - 1 };
    this.#refs.set(fn, ref);
    return ref;
  }

  /** At any time: the function's name. Throws FunctionMadeTooLate, AsyncRecordFunction. */
  refOf(fn: Function, role: string): FunctionRef {
    if (!asyncRoles.has(role)) refuseAsync(fn, role, '');
    const known = this.#refs.get(fn);
    if (known !== undefined) return known;
    if (!this.#sealed) return this.register(fn, role);
    if (this.#local !== null) return this.#local.refOf(fn as AnyFunction);
    if (this.scope !== null) return this.scope.refOf(fn as AnyFunction);
    throw tooLate(fn, role);
  }

  /** The closure of a `program` name on this thread. */
  resolve(index: number): AnyFunction {
    const fn = this.#functions[index];
    if (fn !== undefined) return fn;
    throw new MillraceError('ProgramDiverged', `Function ${index} of the program was asked for, and this thread's copy of the program has ${this.#functions.length}. Build the graph from args alone.`);
  }

  /** Equal on all threads that built the same program. */
  get hash(): string {
    return hashText(this.#functions.map(hashFunction).join());
  }
}

const AsyncFunction = (async () => {}).constructor;
const AsyncGeneratorFunction = async function* () {}.constructor;

function refuseAsync(fn: Function, role: string, where: string): void {
  if (!(fn instanceof AsyncFunction) && !(fn instanceof AsyncGeneratorFunction)) return;
  throw new MillraceError(
    'AsyncRecordFunction',
    `The function given to ${role}${where === '' ? '' : ` at ${where}`} is async. Functions on records return the value itself; for async work use foreachPartition.`,
    { details: { name: role, place: where } },
  );
}

function tooLate(fn: Function, role: string): MillraceError {
  const name = fn.name === '' ? 'a function' : `the function ${fn.name}`;
  return callError(
    'FunctionMadeTooLate',
    role,
    `${role} was given ${name} that was made after the graph was built, so the workers don't have it. Make it while the graph is built, outside of the foreachRDD body: const f = ssc.task(${fn.name === '' ? '(record) => …' : fn.name}); then give f to ${role}.`,
  );
}

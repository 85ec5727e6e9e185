/**
 * A plan of faults, as a test makes it, gives it to its contexts and reads what has come of it.
 *
 * Invariant: a plan that was made holds rules that can be carried out, in the checked form; the same seed and rules strike the same events. It
 * is used up by all contexts that have it, one after another: what has struck does not strike again because a context goes on elsewhere.
 */
import { places, programPlaces, receiverPlaces } from '../actors/places.ts';
import type { ActorName, FaultPlanShare, FaultRule } from '../protocol/fault.ts';
import { asHostId, asProgramId, asStreamId } from '../protocol/ids.ts';
import { MillraceError, previewOf } from '../protocol/errors.ts';
import type { HostRole } from '../protocol/host.ts';
import { SystemClock } from './base/clock.ts';
import { isActorNamed } from './faults/actor-names.ts';
import { killProcess } from './faults/endings.ts';
import { FaultInjector } from './faults/fault-injector.ts';
import { FaultMemory } from './faults/fault-memory.ts';
import { FaultyDisk } from './faults/faulty-disk.ts';
import type { Disk } from './storage/disk.ts';

/** What a plan is made of. */
export interface FaultPlanOptions {
  /** For what is left to chance. Default: another one each time; `plan.seed` tells it. */
  readonly seed?: number;
  /** From the start on. Default: none; `plan.inject` adds more. */
  readonly rules?: readonly FaultRule[];
}

/** A fault that was injected. */
export interface InjectedFault {
  readonly rule: FaultRule;
  /** Which one of the events that the rule looks at it was, from 1. */
  readonly nth: number;
  /** Whose thread it was on: `worker` 0. */
  readonly role: HostRole | 'app';
  readonly index: number;
}

/** A plan of faults for the option `faults`. */
export class FaultPlan {
  /** Give it to `faultPlan` again, with the same rules, and the same events are struck. */
  readonly seed: number;
  readonly #memory = new FaultMemory();

  /** See `faultPlan`. */
  constructor(options: FaultPlanOptions) {
    if (typeof options !== 'object' || options === null || Array.isArray(options)) refuse('the options', 'an object { seed, rules }, or to be left out', options);
    const { seed = Math.floor(new SystemClock().wall()) % 0x8000_0000, rules = [], ...unknown } = options;
    const [other] = Object.keys(unknown);
    if (other !== undefined) refuse(`${other}`, 'no such member: a plan has seed and rules', other);
    if (!Number.isSafeInteger(seed) || seed < 0) refuse('seed', 'a whole number of 0 or more', seed);
    if (!Array.isArray(rules)) refuse('rules', 'an array of rules', rules);
    this.seed = seed;
    for (const [index, rule] of rules.entries()) this.#add(rule, `rules[${index}]`);
  }

  /** What was injected so far, oldest first; 4,096 at most. */
  get injected(): readonly InjectedFault[] {
    return this.#memory.strikes.map(({ rule, nth, role, index }) => ({ rule: this.#memory.rules[rule]!, nth, role, index }));
  }

  /** Adds a rule, on all threads at once: it counts the events from now on. Throws InvalidArgument. */
  inject(rule: FaultRule): void {
    this.#add(rule, 'rule');
  }

  /** Resolves when `count` faults have been injected in all. */
  reached(count: number): Promise<void> {
    return this.#memory.reached(count);
  }

  /** One line: the seed, the rules, and what was injected. */
  toString(): string {
    const told = this.injected.map(({ rule, nth, role, index }) => `${rule.fault}${'do' in rule ? ` ${rule.do}` : ''} at event ${nth}, ${role} ${index}`);
    return `seed ${this.seed}, rules ${JSON.stringify(this.#memory.rules)}; injected: ${told.length === 0 ? 'nothing yet' : told.join('; ')}`;
  }

  /** @internal */
  get share(): FaultPlanShare {
    return { seed: this.seed, memory: this.#memory.buffer };
  }

  /** @internal The disk of a recovery, which begins before there is a context. */
  onAppThread(disk: Disk): Disk {
    const thread = (): never => {
      throw new TypeError('The app\'s own thread is not ended by fault injection.');
    };
    return new FaultyDisk({ disk, injector: new FaultInjector(this.share, { host: 0, role: 'app', index: 0 }), clock: new SystemClock(), endings: { thread, process: killProcess } });
  }

  #add(rule: FaultRule, at: string): void {
    checkRule(rule, at);
    this.#memory.add(rule);
  }
}

/**
 * Makes a plan of faults: give it to contexts as the option `faults`. Rules strike by number (`nth`), or by chance (`probability`) from the seed.
 * Throws InvalidArgument.
 */
export function faultPlan(options: FaultPlanOptions = {}): FaultPlan {
  return new FaultPlan(options);
}

interface Member {
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
}

const whole = (least: number): Member => ({ expected: `a whole number of ${least} or more`, accepts: (value) => Number.isSafeInteger(value) && (value as number) >= least });
const oneOf = (...values: readonly string[]): Member => ({ expected: `one of ${values.join(', ')}`, accepts: (value) => values.includes(value as string) });
const chance: Member = { expected: 'a number above 0, at most 1', accepts: (value) => typeof value === 'number' && value > 0 && value <= 1 };
const durationMs: Member = { expected: 'a number of milliseconds, 0 or more', accepts: (value) => typeof value === 'number' && value >= 0 && value < Infinity };
const text: Member = { expected: 'the name of a message, as in docs/PROTOCOL.md', accepts: (value) => typeof value === 'string' && value !== '' };
const actor: Member = { expected: 'the end of an actor\'s path, such as receiver-tracker or task-worker-0 (docs/FAULTS.md has them)', accepts: (value) => typeof value === 'string' && isActor(value as ActorName) };

const striking = { nth: whole(1), times: whole(1), probability: chance };
const required: Readonly<Record<FaultRule['fault'], readonly string[]>> = { kill: ['actor'], message: ['do'], disk: ['do'], network: ['do'] };
const membersOf: Readonly<Record<FaultRule['fault'], (doing: unknown) => Readonly<Record<string, Member>>>> = {
  kill: () => ({ actor, type: text, what: oneOf('actor', 'thread', 'process') }),
  message: (doing) => ({ do: oneOf('drop', 'delay', 'duplicate', 'reorder'), from: actor, to: actor, type: text, ...(doing === 'delay' || doing === 'reorder' ? { byMs: durationMs } : {}) }),
  disk: (doing) => ({
    do: oneOf('EIO', 'ENOSPC', 'slow', 'tornWrite', 'loseUnsynced', 'bitFlip'),
    file: oneOf('log', 'state', 'checkpoint'),
    ...(doing === 'EIO' || doing === 'ENOSPC' || doing === 'slow' ? { on: oneOf('write', 'sync') } : {}),
    ...(doing === 'slow' ? { byMs: durationMs } : {}),
    ...(doing === 'tornWrite' ? { then: oneOf('fail', 'thread', 'process') } : {}),
    ...(doing === 'loseUnsynced' ? { then: oneOf('thread', 'process') } : {}),
  }),
  network: (doing) => ({ do: oneOf('cut', 'stall', 'halfOpen'), port: whole(1), afterBytes: whole(0), ...(doing === 'cut' ? {} : { forMs: durationMs }) }),
};

function checkRule(rule: FaultRule, at: string): void {
  if (typeof rule !== 'object' || rule === null) refuse(at, 'a rule: { fault: "kill" | "message" | "disk" | "network", ... }', rule);
  if (!Object.hasOwn(membersOf, rule.fault)) refuse(`${at}.fault`, `one of ${Object.keys(membersOf).join(', ')}`, rule.fault);
  const members: Readonly<Record<string, Member>> = { ...membersOf[rule.fault]('do' in rule ? rule.do : undefined), ...striking };
  const given = rule as unknown as Readonly<Record<string, unknown>>;
  for (const name of required[rule.fault]) if (given[name] === undefined) refuse(`${at}.${name}`, members[name]!.expected, undefined);
  for (const [name, value] of Object.entries(given)) {
    if (name === 'fault' || value === undefined) continue;
    const member = members[name];
    if (member === undefined) refuse(`${at}.${name}`, `no such member: this rule has ${Object.keys(members).join(', ')}`, value);
    if (!member.accepts(value)) refuse(`${at}.${name}`, member.expected, value);
  }
}

/** One path of each kind of actor, each number in it being #. */
const kinds: readonly string[] = [
  ...Object.values(places).flatMap((place) => (typeof place === 'function' ? [] : [place.path])),
  places.agent(asHostId(1)).path,
  places.taskWorker(asHostId(2), 0).path,
  places.blockManager(asHostId(1), 0).path,
  places.blockManager(asHostId(2), 0).path,
  ...Object.values(programPlaces(asProgramId(0))).map(({ path }) => path),
  ...Object.values(receiverPlaces(asHostId(2), asProgramId(0), asStreamId(0))).map(({ path }) => path),
].map(withoutNumbers);

function isActor(name: ActorName): boolean {
  return kinds.some((path) => isActorNamed(withoutNumbers(name), path));
}

function withoutNumbers(path: string): string {
  return path.replace(/\d+/g, '#');
}

function refuse(what: string, expected: string, value: unknown): never {
  throw new MillraceError('InvalidArgument', `Expected ${what} of the fault plan to be ${expected}; got ${previewOf(value)}.`, { details: { what } });
}

/**
 * What a supervisor decides, as pure functions of specs, failures, history and time. supervisor.ts only carries it out.
 *
 * Invariant: the rules are those of Erlang/OTP's supervisor; where this one goes on its own way (back-off, hosts) it is said.
 */
import { MillraceError } from '../../protocol/errors.ts';
import type { HostId } from '../../protocol/ids.ts';
import type { ExitReason } from './behavior.ts';
import type { ChildSpec, RestartType, SupervisorSpec } from './child-spec.ts';

/** OTP's defaults. */
export const defaultIntensity = 1;
export const defaultPeriodMs = 5_000;
export const defaultShutdownMs = 5_000;

/** What becomes of a child that has ended by itself. `keep`: its spec stays, so that `restartChild` can start it. */
export function afterExit(restart: RestartType, reason: ExitReason): 'restart' | 'keep' | 'remove' {
  if (restart === 'permanent') return 'restart';
  if (restart === 'temporary') return 'remove';
  return isAbnormal(reason) ? 'restart' : 'keep';
}

/** `normal` and `shutdown` are no failures; everything else is, also a killing by someone else and the death of the thread. */
export function isAbnormal(reason: ExitReason): boolean {
  return reason.type !== 'normal' && reason.type !== 'shutdown';
}

/** Adds a restart at `nowMs` to the history and says whether the intensity allows it: at most `intensity` within `periodMs`. */
export function addRestart(history: readonly number[], nowMs: number, intensity: number, periodMs: number): { readonly history: readonly number[]; readonly allowed: boolean } {
  const within = [...history.filter((timeMs) => nowMs <= timeMs + periodMs), nowMs];
  return { history: within, allowed: within.length <= intensity };
}

/** The children that end and start again with the one at `failed`, as indexes in start order. */
export function affectedBy(strategy: SupervisorSpec['strategy'], count: number, failed: number): readonly number[] {
  if (strategy === 'one_for_one') return [failed];
  const first = strategy === 'one_for_all' ? 0 : failed;
  return Array.from({ length: count - first }, (_, index) => first + index);
}

/**
 * The delay before restart number `failures` in a row (from 0): min * 2^failures, at most max, times 1 ± jitter.
 * `random` in [0, 1). 0 without a back-off: at once, as OTP.
 */
export function backoffDelayMs(backoff: ChildSpec['backoff'], failures: number, random: number): number {
  if (backoff === undefined) return 0;
  const delayMs = Math.min(backoff.maxMs, backoff.minMs * 2 ** Math.min(failures, 50));
  return delayMs * (1 + backoff.jitter * (2 * random - 1));
}

export function restartType(spec: ChildSpec): RestartType {
  return spec.restart ?? 'permanent';
}

export function childType(spec: ChildSpec): 'worker' | 'supervisor' {
  return spec.type ?? (spec.behavior === 'supervisor' ? 'supervisor' : 'worker');
}

export function shutdownOf(spec: ChildSpec): number | 'brutalKill' | 'infinity' {
  return spec.shutdown ?? (childType(spec) === 'supervisor' ? 'infinity' : defaultShutdownMs);
}

/** The spec with every child of the dead host on the new one, also in the trees below that it describes. */
export function moveSpec(spec: ChildSpec, from: HostId, to: HostId): ChildSpec {
  const moved = spec.host === from ? { ...spec, host: to } : spec;
  if (spec.behavior !== 'supervisor') return moved;
  const args = spec.args as SupervisorSpec;
  return { ...moved, args: { ...args, children: args.children.map((child) => moveSpec(child, from, to)) } };
}

const ids = /^[^/]+$/;
/** As child-spec.ts says it; higher numbers are given out by the systems. */
const cellMax = 0x7fff_ffff;

/** Throws `InvalidArgument` where the specs can't be supervised; the same checks as OTP's check_childspecs. */
export function checkSupervisorSpec(spec: SupervisorSpec): void {
  if (!['one_for_one', 'one_for_all', 'rest_for_one'].includes(spec.strategy)) throw invalid('strategy', 'one_for_one, one_for_all or rest_for_one', spec.strategy);
  if (!(Number.isInteger(spec.intensity ?? 0) && (spec.intensity ?? 0) >= 0)) throw invalid('intensity', 'a whole number from 0 up', spec.intensity);
  if (!((spec.periodMs ?? 1) > 0)) throw invalid('periodMs', 'milliseconds above 0', spec.periodMs);
  const seen = new Set<string>();
  for (const child of spec.children) {
    checkChildSpec(child);
    if (seen.has(child.id)) throw invalid('children', 'ids that differ', child.id);
    seen.add(child.id);
  }
}

export function checkChildSpec(spec: ChildSpec): void {
  if (typeof spec.id !== 'string' || !ids.test(spec.id)) throw invalid('id', 'a text without /', spec.id);
  if (!['permanent', 'transient', 'temporary'].includes(restartType(spec))) throw invalid(`${spec.id}.restart`, 'permanent, transient or temporary', spec.restart);
  const shutdown = shutdownOf(spec);
  if (typeof shutdown === 'number' ? !(shutdown >= 0) : shutdown !== 'brutalKill' && shutdown !== 'infinity') throw invalid(`${spec.id}.shutdown`, 'milliseconds, brutalKill or infinity', shutdown);
  if (spec.cell !== undefined && !(Number.isInteger(spec.cell) && spec.cell >= 1 && spec.cell <= cellMax)) throw invalid(`${spec.id}.cell`, `a whole number from 1 to ${cellMax}`, spec.cell);
}

function invalid(name: string, expected: string, got: unknown): MillraceError {
  return new MillraceError('InvalidArgument', `A supervisor's ${name} must be ${expected}, got ${String(got)}.`, { details: { name, got } });
}

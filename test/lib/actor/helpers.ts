/** Helpers of the kernel's tests: a system on a manual clock that is stepped by hand, and small behaviours made in place. */
import type { AnyBehavior, Behavior, BehaviorRegistry, ExitReason } from '../../../lib/actor/behavior.ts';
import { HeldScheduler } from '../../../lib/actor/scheduler.ts';
import { ActorSystem } from '../../../lib/actor/system.ts';
import type { ActorSystemOptions } from '../../../lib/actor/system.ts';
import { ManualClock } from '../../../lib/base/clock.ts';
import { asHostId } from '../../../protocol/ids.ts';

export interface Bench {
  readonly system: ActorSystem;
  readonly clock: ManualClock;
  readonly logs: string[];
  /** Runs until nothing is left to do at this time. */
  run(): void;
  /** Moves the time, letting actors run at each timer on the way. */
  advance(durationMs: number): void;
}

export function bench(registry: readonly AnyBehavior[] = [], options: Partial<ActorSystemOptions> = {}): Bench {
  const clock = (options.clock as ManualClock | undefined) ?? new ManualClock();
  const scheduler = (options.scheduler as HeldScheduler | undefined) ?? new HeldScheduler();
  const logs: string[] = [];
  const system = new ActorSystem({
    host: asHostId(0), registry: registryOf(registry), logger: { log: (level, text) => void logs.push(`${level} ${text}`) }, ...options, clock, scheduler,
  });
  const run = (): void => scheduler.runAll();
  return {
    system, clock, logs, run,
    advance(durationMs) {
      run();
      const endMs = clock.now() + durationMs;
      while (clock.fireNext(endMs)) run();
      clock.advanceTo(endMs);
    },
  };
}

export function registryOf(behaviors: readonly AnyBehavior[]): BehaviorRegistry {
  return new Map(behaviors.map((behavior) => [behavior.name, behavior]));
}

/** A behaviour without state, from its `receive`. */
export function actor<M>(receive: Behavior<null, M>['receive'], rest: Partial<Behavior<null, M>> = {}): Behavior<null, M> {
  return { name: 'actor', init: () => null, receive, ...rest };
}

export function shown(reason: ExitReason): string {
  return 'error' in reason && reason.error !== undefined ? `${reason.type}: ${reason.error.code ?? reason.error.message}` : reason.type;
}

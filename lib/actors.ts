/** The actor kernel by itself, for those who want actors and supervision without streams: see docs/ACTORS.md. */
export { ActorSystem } from './actor/system.ts';
export type { ActorMetrics, ActorSystemOptions, SpawnOptions } from './actor/system.ts';
export type { AnyBehavior, Behavior, BehaviorRegistry, ExitReason, MailboxSpec, Outcome, Signal, Turn } from './actor/behavior.ts';
export type { ChildInfo, ChildSpec, RestartType, SupervisorSpec, ToSupervisor } from './actor/child-spec.ts';
export type { DeadLetter } from './actor/dead-letters.ts';
export { portOf } from './actor/link.ts';
export type { Link, Port } from './actor/link.ts';
export type { Logger, LogLevel } from './actor/logger.ts';
export { Simulator } from './actor/simulator.ts';
export { ThreadPool } from './actor/thread-pool.ts';
export type { ThreadPoolOptions, ThreadTask } from './actor/thread-pool.ts';
export { ManualClock, SystemClock } from './base/clock.ts';
export type { Clock, TimerHandle } from './base/clock.ts';
export { createPrng } from './base/prng.ts';
export type { Prng } from './base/prng.ts';
export type { ActorRef, ReplyTo } from '../protocol/ref.ts';
export { asHostId } from '../protocol/ids.ts';
export type { ActorPath, HostId } from '../protocol/ids.ts';

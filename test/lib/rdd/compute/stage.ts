/** Stages for the tests of running tasks: nodes by kind, with defaults for the rest. */
import type { LoopCache } from '../../../../lib/rdd/fuse.ts';
import { LoopCache as Loops } from '../../../../lib/rdd/fuse.ts';
import { runTask } from '../../../../lib/rdd/run-task.ts';
import type { RddNode, Sink } from '../../../../protocol/rdd.ts';
import type { RddId } from '../../../../protocol/ids.ts';
import type { StageSpec, TaskReport, TaskSpec } from '../../../../protocol/task.ts';
import { asJobId, asProgramId, asRddId, asTaskId } from '../../../../protocol/ids.ts';
import { asBatchTime } from '../../../../protocol/time.ts';
import { TestEnvironment } from '../../../helpers/task-environment.ts';
import type { TestEnvironmentOptions } from '../../../helpers/task-environment.ts';

type OmitEach<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
type Fields = OmitEach<RddNode, 'id' | 'parents' | 'partitions' | 'partitioner' | 'storage' | 'operator'>;

/** Both makers of loops: every test of loops runs on each. */
export const loopForms: readonly (readonly [string, () => LoopCache])[] = [
  ['compiled', () => new Loops()],
  ['closures', () => new Loops({ generate: false })],
];

/** Builds a stage node by node; the last one is the stage's RDD. */
export class StageMaker {
  readonly env: TestEnvironment;
  readonly nodes: RddNode[] = [];

  constructor(options: TestEnvironmentOptions = {}) {
    this.env = new TestEnvironment(options);
  }

  node(fields: Fields, parents: readonly RddId[], more: Partial<Pick<RddNode, 'partitions' | 'storage' | 'operator'>> = {}): RddId {
    const id = asRddId(100 + this.nodes.length);
    const node = { id, parents, partitions: 1, partitioner: null, storage: null, operator: { uid: `u${id}`, name: fields.kind, place: `program.ts:${id}:3` }, ...fields, ...more };
    this.nodes.push(node as RddNode);
    return id;
  }

  /** One block for each partition. */
  source(...partitions: (readonly unknown[])[]): RddId {
    return this.node({ kind: 'source', blocks: partitions.map((records) => (records.length === 0 ? [] : [this.env.recordsBlock(records)])) }, [], { partitions: partitions.length });
  }

  text(...texts: (string | Uint8Array)[]): RddId {
    return this.node({ kind: 'source', blocks: [texts.map((text) => this.env.textBlock(text))] }, []);
  }

  op(kind: 'map' | 'filter' | 'flatMap' | 'mapValues' | 'flatMapValues', parent: RddId, fn: (...args: never[]) => unknown): RddId {
    return this.node({ kind, fn: this.env.fn(fn) }, [parent], { partitions: this.partitionsOf(parent) });
  }

  partitionsOf(id: RddId): number {
    return this.nodes.find((node) => node.id === id)!.partitions;
  }

  stage(rdd: RddId, sink: Sink): StageSpec {
    return { job: asJobId(1), stage: 4, shape: 'test', nodes: this.nodes, rdd, sink, program: asProgramId(1), batchTime: asBatchTime(2_000), replays: [], broadcasts: [] };
  }

  task(partition = 0, more: Partial<TaskSpec> = {}): TaskSpec {
    return { task: asTaskId(7), partition, attempt: 0, shuffles: [], offsets: [], cached: [], sources: [], states: [], base: null, owner: null, ...more };
  }

  run(rdd: RddId, sink: Sink, partition = 0, more: Partial<TaskSpec> = {}): TaskReport {
    const report = runTask(this.stage(rdd, sink), this.task(partition, more), this.env);
    if (report instanceof Promise) throw new Error('The task gave a promise.');
    return report;
  }

  /** The records of a partition. */
  collect(rdd: RddId, partition = 0, more: Partial<TaskSpec> = {}, limit = -1): unknown[] {
    const { output } = this.run(rdd, { kind: 'collect', limit }, partition, more);
    if (output.kind !== 'records') throw new Error(`Expected records, got ${output.kind}.`);
    return this.env.recordsOf(output.block);
  }
}

/** What a call threw. */
export function thrownBy(run: () => unknown): Error & { code?: string; details?: Record<string, unknown> } {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error('Expected a throw, got none.');
}

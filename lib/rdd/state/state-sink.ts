/**
 * The task that brings one partition of keyed state from a version to the next.
 *
 *   base version's table + input --update--> table at the batch's time
 *                                       `--> link: the changes as bytes, or all of it (a snapshot) where changes have become many
 *                                       `--> what `track` has emitted, as a block
 *
 * Invariant: the link is written before the change is committed, and a change that fails is undone, so a failed attempt leaves no
 * trace. A snapshot is written when the changes since the last one take more bytes than it: at most about twice the work in all.
 */
import type { BlockRef, RddNode, StateLink } from '../../../protocol/rdd.ts';
import type { TaskOutput } from '../../../protocol/task.ts';
import { MillraceError } from '../../../protocol/errors.ts';
import { asBlockId } from '../../../protocol/ids.ts';
import { columnsOf } from '../shuffle-read.ts';
import { StorageLevel } from '../storage-level.ts';
import type { TaskRun } from '../task-run.ts';
import { asyncFailure, isAsyncResult, taskFailure } from '../task-failure.ts';
import { piecesOf } from '../walk.ts';
import type { StateColumns, StateTable } from './state-table.ts';
import { bytesOf, countStep } from './state-store.ts';
import { updateState } from './state-update.ts';

type StateNode = Extract<RddNode, { kind: 'state' }>;

/** Changes are put together into a snapshot when they are so many steps, or take more bytes than the last one and this. */
const stepsMax = 128;
const snapshotBytesMin = 256 * 1024;

const nothing: StateColumns = { keys: [], values: [] };

export function runState(run: TaskRun): TaskOutput {
  const node = run.node(run.stage.rdd);
  if (node.kind !== 'state') throw new Error(`Stage ${run.stage.stage} makes state, and its RDD is a ${node.kind}.`);
  const { partition, base } = run.task;
  const columns = (rdd: StateNode['input']): StateColumns => (rdd === null ? nothing : columnsOf(run, piecesOf(run, rdd, partition), node.operator));
  // Read before the table is touched: what is missing leaves it as it is.
  const input = columns(node.input);
  const initial = base === null ? columns(node.initial) : nothing;
  const table = run.stateTable(base, node.table, partition);
  const policy = node.update.kind === 'window' ? undefined : node.update.onError;
  const scope = run.nodeScope(node, partition, policy);
  run.enter(scope);
  const timed = node.update.kind === 'track' && node.update.timeoutMs !== null;
  table.begin(node.versionsKept, timed);
  for (const values of [input.keys, input.values, initial.values, table.values]) run.frozen(values);
  try {
    initial.keys.forEach((key, index) => table.set(key, initial.values[index], node.time));
    const emitted = updateState(
      {
        table,
        time: node.time,
        input,
        resolve: (ref) => run.resolve(ref),
        alive: () => run.env.alive(0),
        failure: (thrown, key) => taskFailure(thrown, node.operator, key, run.context),
        leaveOut(thrown, record) {
          // Errors of our own say that the program is wrong, whatever the policy.
          if (policy === undefined || scope === null || thrown instanceof MillraceError) throw taskFailure(thrown, node.operator, record[0], run.context);
          scope.leaveOut(record, thrown);
        },
        refuseAsync(result) {
          if (isAsyncResult(result)) throw asyncFailure(result, node.operator, run.context);
        },
      },
      node.update,
    );
    const link = linkOf(run, node, table, timed);
    if (node.emits !== null) {
      const block = run.writeRecords(asBlockId(`emitted-${node.emits}-${partition}`), emitted, node.operator, levelOfState);
      run.stored.push({ rdd: node.emits, partition, block });
    }
    table.commit(node.time);
    countStep(table, link.snapshot, bytesOf(link));
    return { kind: 'state', link };
  } catch (error) {
    table.rollback();
    throw error;
  }
}

/** In memory while there is room: what only a dead worker's successor reads may as well lie on the disk. */
const levelOfState = StorageLevel.MEMORY_AND_DISK_SER;

function linkOf(run: TaskRun, node: StateNode, table: StateTable, timed: boolean): StateLink {
  const name = (what: string): ReturnType<typeof asBlockId> => asBlockId(`state-${node.id}-${run.task.partition}-${what}`);
  const changes = table.changes();
  // Nothing can build on bytes of another layout, or of another version of the values.
  const due = run.task.base?.origin !== undefined || table.version === null || table.steps >= stepsMax || (table.stepBytes > table.snapshotBytes && table.stepBytes > snapshotBytesMin);
  if (!due) {
    return {
      time: node.time,
      snapshot: false,
      pairs: orNone(run.writePairsBlock(name('pairs'), changes.keys, changes.values, node.operator, levelOfState)),
      extra: orNone(run.writeRecords(name('removed'), changes.removed, node.operator, levelOfState)),
    };
  }
  const { keys, values } = table.liveColumns();
  return {
    time: node.time,
    snapshot: true,
    pairs: orNone(run.writePairsBlock(name('pairs'), keys, values, node.operator, levelOfState)),
    extra: timed ? orNone(run.writeRecords(name('touched'), table.touchedColumn(), node.operator, levelOfState)) : null,
  };
}

function orNone(block: BlockRef): BlockRef | null {
  return block.place === null ? null : block;
}

/**
 * An io thread dies while blocks that it had reported lie in the tracker's mailbox: the driver's own actors, each at its address, with a
 * real pool under them.
 */
import t from 'tap';
import { blockManagerMaster } from '../../actors/block-manager-master.ts';
import { hostManager } from '../../actors/host-manager.ts';
import { places, programPlaces } from '../../actors/places.ts';
import { programManager } from '../../actors/program-manager.ts';
import { receiverTracker } from '../../actors/receiver-tracker.ts';
import type { HostServices } from '../../actors/services.ts';
import { taskScheduler } from '../../actors/task-scheduler.ts';
import type { AnyBehavior } from '../../lib/actor/behavior.ts';
import { SlabPool } from '../../lib/storage/slab-pool.ts';
import type { BlockStats } from '../../protocol/block.ts';
import type { StreamingSpec } from '../../protocol/host.ts';
import { asBlockId, asHostId, asProgramId, asStreamId } from '../../protocol/ids.ts';
import type { ActorRef } from '../../protocol/ref.ts';
import { driverHost } from '../../protocol/ref.ts';
import { stubServices } from '../helpers/stub-services.ts';
import { wireError } from '../helpers/stub-turn.ts';
import { actor, bench } from '../lib/actor/helpers.ts';

/** More than an actor takes in one turn of the driver's (64), some times over. */
const blocks = 500;
const ioHost = asHostId(2);
const streams = 2;

/** Two programs, each with its tracker, and the actors that hear of a thread's end. */
function driver() {
  const pool = SlabPool.create({ slabBytes: 65_536, poolBytes: 32 * 65_536, poison: true, host: driverHost });
  const { system, run } = bench([], { host: asHostId(driverHost) });
  const services = {
    ...stubServices({ master: 'local[1]' }),
    pool,
    connect: () => {},
    hostDown: () => {},
    tell: (to: ActorRef<unknown>, message: unknown) => system.tell(to, message),
    launcher: { launch: () => ({ port: {}, exited: new Promise(() => {}), kill: () => {} }), close: async () => {} },
  } as unknown as HostServices;
  const spawn = ({ cell, path }: ActorRef<never>, behavior: AnyBehavior, args?: unknown): void => void system.spawn(path, behavior, args, { cell });
  spawn(places.blockManagerMaster as ActorRef<never>, blockManagerMaster(services));
  spawn(places.taskScheduler as ActorRef<never>, taskScheduler(services));
  spawn(places.programManager as ActorRef<never>, programManager(services, () => ({ id: 'streaming', behavior: 'supervisor', args: null })));
  spawn(places.hostManager as ActorRef<never>, hostManager(services));
  // It never answers, so the programs stay as they are.
  spawn(places.agent(driverHost) as ActorRef<never>, actor((state) => state));
  const programs = [asProgramId(0), asProgramId(1)];
  for (const program of programs) {
    spawn(programPlaces(program).receiverTracker as ActorRef<never>, receiverTracker(), {
      program,
      limits: { restartsMax: Infinity, restartsMs: 1_000, backoff: { minMs: 1, maxMs: 1, jitter: 0, resetAfterMs: 1 } },
      receiverTimeoutMs: Infinity,
      flushTimeoutMs: 25,
      logsBlocks: false,
      isRestored: false,
      inputs: Array.from({ length: streams }, (_, stream) => ({ stream: asStreamId(stream), operator: { uid: `s${stream}`, name: 'receiverStream', place: '' } })),
    });
    const spec = { descriptor: { program, url: null, args: null, batchIntervalMs: 1_000, appName: 'test' }, fingerprint: { operators: [], hash: '' }, clock: 'manual' } as unknown as StreamingSpec;
    system.tell(places.programManager, { type: 'startProgram', spec, replyTo: { host: asHostId(driverHost), cell: 0, ask: 999 } });
  }
  run();
  return { pool, system, run, programs };
}

/**
 * Bug: the ledger was told that the thread is gone by way of the task scheduler, which reads nothing of io threads. Where the tracker was
 * behind, blocks that it had still to read were given back before they were held: their batch then failed, and giving them back once
 * more ended the driver.
 */
t.test('blocks that a dead io thread had reported are kept, also where the trackers had not read of them when it died', async (t) => {
  const { pool, system, run, programs } = driver();
  const io = SlabPool.attach(pool.share, ioHost);
  for (const program of programs) {
    for (let stream = 0; stream < streams; stream += 1) {
      system.tell(programPlaces(program).receiverTracker, { type: 'receiverStarted', stream: asStreamId(stream), host: ioHost, receiver: { host: ioHost, cell: 1 } as never, replyTo: { host: asHostId(driverHost), cell: 0, ask: 998 } });
    }
  }
  run();
  const sequences = new Map<string, number>();
  const handles = Array.from({ length: blocks }, (_, index) => {
    const { handle, view } = io.allocate(100)!;
    view.fill(index);
    const program = programs[index % programs.length]!;
    const stream = asStreamId(index % streams);
    const sequence = sequences.get(`${program}/${stream}`) ?? 0;
    sequences.set(`${program}/${stream}`, sequence + 1);
    const received = { program, stream, epoch: 1, sequence, block: { id: asBlockId(`b${index}`), codec: 'text', place: handle, records: 1 }, records: 1, position: null, resumes: false } as const;
    system.tell(programPlaces(program).receiverTracker, { type: 'addBlocks', blocks: [received], drained: null, replyTo: { host: asHostId(driverHost), cell: 0, ask: 997 } });
    return handle;
  });
  // It had this one open, and nobody has heard of it.
  const lost = io.allocate(100)!.handle;
  system.tell(places.hostManager, { type: 'hostExited', host: ioHost, error: wireError('It was killed.', 'HostGone') });
  run();
  for (const [index, handle] of handles.entries()) if (pool.view(handle)[0] !== (index & 0xff)) t.fail(`block ${index} has other bytes`);
  t.throws(() => pool.view(lost), { code: 'StaleHandle' }, 'what nobody holds was reclaimed');
  const stats = system.ask<never, BlockStats>(places.blockManagerMaster as ActorRef<never>, ((replyTo: never) => ({ type: 'blockStats', replyTo })) as never, 1_000);
  run();
  t.match(await stats, { heldHandles: blocks, liveHandles: blocks });
  system.tell(places.blockManagerMaster, { type: 'releaseProgram', program: programs[0]! });
  system.tell(places.blockManagerMaster, { type: 'releaseProgram', program: programs[1]! });
  run();
  t.equal(pool.stats().liveHandles, 0, 'and each is given back once');
});

/**
 * A machine whose processes are simulated clusters, one after another: what stays when one of them dies.
 *
 * Owns: the disk and the time. Invariant: the same seed and the same calls give the same run, over all of its processes.
 *
 *   machine ── disk, clock ─────────────────────────────────────────────────────────►
 *              cluster: getOrCreate ... killed    cluster: getOrCreate ... power cut    cluster: getOrCreate ...
 */
import { ManualClock } from './base/clock.ts';
import { SimulatedDisk } from './storage/simulated-disk.ts';
import type { SimulatedDiskOptions } from './storage/simulated-disk.ts';

export interface SimulatedMachineOptions extends Omit<SimulatedDiskOptions, 'clock'> {
  readonly clock?: ManualClock;
}

export class SimulatedMachine {
  readonly clock: ManualClock;
  readonly disk: SimulatedDisk;

  constructor({ clock = new ManualClock(), ...options }: SimulatedMachineOptions) {
    this.clock = clock;
    this.disk = new SimulatedDisk({ ...options, clock });
  }
}

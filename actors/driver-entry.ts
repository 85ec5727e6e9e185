/**
 * What piscina loads on the driver's thread. The call lasts as long as the host.
 *
 * Invariant: this file imports little. The other threads are started first, and load their modules while the driver loads its own: they are what
 * a start waits for.
 */
import type { HostTask } from './host-thread.ts';
import { threadLauncher } from './thread-launcher.ts';

export default function run(task: HostTask): Promise<void> {
  const launcher = threadLauncher();
  launcher.open(task.init.options);
  return import('./host-thread.ts').then(({ runHost }) => runHost(task, launcher));
}

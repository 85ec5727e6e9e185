/** What piscina loads on io and worker threads. The call lasts as long as the host. */
import { runHost } from './host-thread.ts';
import type { HostTask } from './host-thread.ts';

export default function run(task: HostTask): Promise<void> {
  return runHost(task, null);
}

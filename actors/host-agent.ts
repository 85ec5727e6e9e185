/**
 * The first actor of every thread: builds programs there, and is the thread's address for the host manager.
 *
 * Owns: which programs are built on this host. Invariant: a program is built once; the fingerprint told is that of what
 * was built here.
 * Talks to: the host manager on the driver.
 * A crash loses: nothing that `loadProgram` can't build again; built programs stay with the host.
 */
import type { Behavior } from '../lib/actor/behavior.ts';
import type { Fingerprint, ProgramDescriptor, ToHostAgent } from '../protocol/host.ts';
import { unreachable } from '../lib/base/assert.ts';
import type { ProgramLoader } from './program-loader.ts';
import type { HostServices } from './services.ts';

export function hostAgent(services: HostServices, load: ProgramLoader): Behavior<null, ToHostAgent> {
  return {
    name: 'host-agent',
    init: () => null,
    receive(state, message, turn) {
      switch (message.type) {
        case 'loadProgram': {
          const { descriptor, replyTo } = message;
          turn.perform(
            'loadProgram',
            () => build(services, load, descriptor),
            (outcome) => ({ type: 'loaded', replyTo, fingerprint: outcome.ok ? outcome.value : null, error: outcome.ok ? null : outcome.error }),
          );
          return state;
        }
        case 'loaded':
          if (message.fingerprint !== null) turn.reply(message.replyTo, { fingerprint: message.fingerprint });
          else if (message.error !== null) turn.replyError(message.replyTo, message.error);
          return state;
        case 'forgetProgram':
          services.programs.delete(message.program);
          return state;
        case 'ping':
          turn.reply(message.replyTo, null);
          return state;
        case 'die':
          turn.perform('die', () => services.die(message.how), () => null);
          return state;
        default:
          return unreachable(message);
      }
    },
  };
}

/** Once for each program: asked again, the host tells what it has built. */
function build(services: HostServices, load: ProgramLoader, descriptor: ProgramDescriptor): Fingerprint | Promise<Fingerprint> {
  const known = services.programs.get(descriptor.program);
  if (known !== undefined) return known.fingerprint;
  return load(services, descriptor).then((built) => {
    services.programs.set(descriptor.program, built);
    return built.fingerprint;
  });
}

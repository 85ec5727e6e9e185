/**
 * The network of a host in which faults are injected: real connections that break, stand still, or fall silent.
 *
 *   reads    a  b  c  d                         cut at c:       a b, ECONNRESET; c and what follows is gone
 *                                               stall at c:     a b c ... (nothing is read; TCP holds the sender back) ... d
 *                                               halfOpen at c:  a b, then nothing, and nobody says so
 *
 * Invariant: as of `NetPort`: `onClose` is called exactly once for each connection, and never after `destroy()`.
 */
import type { Clock, TimerHandle } from '../base/clock.ts';
import type { NetPort } from '../sources/source.ts';
import type { FaultInjector } from './fault-injector.ts';

const stallMsDefault = 100;

export function faultyNet(net: NetPort, injector: FaultInjector, clock: Clock): NetPort {
  return {
    connect({ host, port, buffer, onRead, onConnect, onClose }) {
      let bytesRead = 0;
      let isSilent = false;
      let isOver = false;
      let timer: TimerHandle | null = null;
      /** Asked for while it stands still. */
      let mayGoOn = true;
      const over = (error: Error | null): void => {
        if (isOver) return;
        isOver = true;
        if (timer !== null) clock.clear(timer);
        onClose(error);
      };
      const breaks = (code: string): void => {
        connection.destroy();
        over(Object.assign(new Error(`${code}: injected, connection to ${host}:${port}`), { code }));
      };
      const stand = (forMs: number): void => {
        timer = clock.setTimer(forMs, () => {
          timer = null;
          if (mayGoOn) connection.resume();
        });
      };
      const connection = net.connect({
        host,
        port,
        buffer,
        onConnect,
        onRead(bytes, view) {
          // Swallowed: for the reader the peer has fallen silent.
          if (isSilent || isOver) return true;
          bytesRead += bytes;
          const hit = injector.strike('network', (rule) => (rule.port === undefined || rule.port === port) && bytesRead >= (rule.afterBytes ?? 0));
          const { rule } = hit ?? {};
          if (rule?.do === 'cut') {
            breaks('ECONNRESET');
            return false;
          }
          if (rule?.do === 'halfOpen') {
            isSilent = true;
            if (rule.forMs !== undefined) timer = clock.setTimer(rule.forMs, () => breaks('ETIMEDOUT'));
            return true;
          }
          mayGoOn = onRead(bytes, view);
          if (rule?.do !== 'stall') return mayGoOn;
          stand(rule.forMs ?? stallMsDefault);
          return false;
        },
        onClose(error) {
          // Also the end of a connection is not heard any more by who holds it half-open.
          if (!isSilent) over(error);
        },
      });
      return {
        resume() {
          mayGoOn = true;
          if (timer === null || isSilent) connection.resume();
        },
        destroy() {
          isOver = true;
          if (timer !== null) clock.clear(timer);
          connection.destroy();
        },
      };
    },
  };
}

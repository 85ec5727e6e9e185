/**
 * Node's sockets as a `NetPort`: reads go straight into the memory that the reader names.
 *
 * Invariant: `onClose` is called exactly once for each connection, and never after `destroy()`.
 */
import { connect } from 'node:net';
import type { NetPort } from './source.ts';

export const nodeNet: NetPort = {
  connect({ host, port, buffer, onRead, onConnect, onClose }) {
    let closed = false;
    const close = (error: Error | null): void => {
      if (closed) return;
      closed = true;
      onClose(error);
    };
    const socket = connect({
      host,
      port,
      onread: {
        buffer,
        callback: (bytes, view) => closed || onRead(bytes, view),
      },
    });
    socket.setNoDelay(true);
    socket.once('connect', onConnect);
    socket.once('error', close);
    socket.once('end', () => close(null));
    socket.once('close', () => close(null));
    // With `onread` no data event ever comes, so the stream would never start to flow, nor end, by itself.
    socket.resume();
    return {
      resume: () => void socket.resume(),
      destroy: () => {
        closed = true;
        socket.destroy();
      },
    };
  },
};

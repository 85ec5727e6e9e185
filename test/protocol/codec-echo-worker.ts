/** Decodes what it is sent, on its own thread, and sends it back encoded anew. */
import { parentPort } from 'node:worker_threads';
import { decodeRecords, encodeRecords } from '../../protocol/codec.ts';

parentPort?.on('message', (bytes: Uint8Array) => {
  parentPort?.postMessage(encodeRecords(decodeRecords(bytes)));
});

/**
 * What can be measured: Millrace itself, Spark Streaming and the bare loop, under one face, so that every benchmark is written once.
 *
 * Invariant: both run the same program on the same records with two reduce partitions; they differ only in `settings`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startMeasuredProcess } from './measured-process.ts';
import type { MeasuredProcess } from './measured-process.ts';
import { startSparkPeer } from './peers/spark/spark-peer.ts';
import type { PeerName } from './result.ts';
import type { SubjectSettings } from './subject-settings.ts';

export interface Subject {
  readonly name: 'millrace' | PeerName;
  readonly start: (settings: SubjectSettings) => Promise<MeasuredProcess>;
}

export const millrace: Subject = {
  name: 'millrace',
  start: async (settings) => {
    const script = fileURLToPath(new URL('./subject.js', import.meta.url));
    const work = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
    // No flags for Node: the process runs as a user's would.
    return startMeasuredProcess('Millrace', {
      file: process.execPath,
      args: [script, JSON.stringify({ checkpointDirectory: join(work, 'checkpoint'), ...settings })],
      cleanUp: () => rmSync(work, { recursive: true, force: true }),
    });
  },
};

export const spark: Subject = { name: 'spark', start: startSparkPeer };

/** The word count of a socket alone. */
export const limit: Subject = {
  name: 'limit',
  start: async (settings) => startMeasuredProcess('The bare loop', { file: process.execPath, args: [fileURLToPath(new URL('./peers/limit/socket-loop.js', import.meta.url)), JSON.stringify(settings)] }),
};

/**
 * A graph's fingerprint: what must be equal on all threads that built the same program.
 *
 * Invariant: it is plain data, made of kinds, uids, parameters and the text of the functions; never of what a function has
 * captured, nor of places in files (a build may lie at another path).
 */
import { MillraceError } from '../../protocol/errors.ts';
import type { Fingerprint } from '../../protocol/host.ts';
import type { DStreamGraph } from './graph.ts';
import { hashFunction, hashText, stableText } from './uid.ts';

/** Operators, then outputs, each in the order of making. */
export function fingerprintOf(graph: DStreamGraph): Fingerprint {
  const operators = [
    ...graph.operators.map((stream) => ({
      uid: stream.operatorUid,
      kind: stream.kind,
      parameters: stableText({ ...stream.parameters, parents: stream.parents.map((parent) => parent.index), slideMs: stream.slideMs, storage: stream.storageLevel, onError: stream.spec.onError, stateVersion: stream.spec.stateVersion }),
      functionHash: hashText((stream.spec.functions ?? []).map(({ fn }) => hashFunction(fn)).join()),
    })),
    ...graph.outputs.map(({ stream, operation, operator }) => {
      const { kind, ...rest } = operation;
      const plain = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, typeof value === 'function' ? hashFunction(value) : key === 'published' ? null : value]));
      return { uid: operator.uid, kind, parameters: stableText({ ...plain, parents: [stream.index] }), functionHash: hashText(operation.kind === 'foreachRDD' ? hashFunction(operation.body) : '') };
    }),
  ];
  return { operators, hash: hashText(stableText([graph.batchIntervalMs, operators])) };
}

/** Throws ProgramDiverged with the first difference. `here` and `there` name the threads, for the message. */
export function compareFingerprints(mine: Fingerprint, theirs: Fingerprint, here: string, there: string): void {
  if (mine.hash === theirs.hash) return;
  throw new MillraceError(
    'ProgramDiverged',
    `The program built different graphs on ${here} and ${there}. ${firstDifference(mine, theirs, here, there)} Build the graph from args alone: no time, randomness or environment of one thread.`,
  );
}

function firstDifference(mine: Fingerprint, theirs: Fingerprint, here: string, there: string): string {
  const count = Math.max(mine.operators.length, theirs.operators.length);
  for (let index = 0; index < count; index += 1) {
    const a = mine.operators[index];
    const b = theirs.operators[index];
    if (a === undefined) return `Operator ${index}, ${b?.kind}, is there on ${there} alone.`;
    if (b === undefined) return `Operator ${index}, ${a.kind}, is there on ${here} alone.`;
    if (a.kind !== b.kind) return `Operator ${index} is ${a.kind} on ${here} and ${b.kind} on ${there}.`;
    if (a.parameters !== b.parameters) return `Operator ${index}, ${a.kind}, has the parameters ${a.parameters} on ${here} and ${b.parameters} on ${there}.`;
    if (a.functionHash !== b.functionHash) return `Operator ${index}, ${a.kind}, has another function on ${here} than on ${there}.`;
    if (a.uid !== b.uid) return `Operator ${index}, ${a.kind}, has the uid ${a.uid} on ${here} and ${b.uid} on ${there}.`;
  }
  return 'The batch intervals differ.';
}

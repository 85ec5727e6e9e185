/**
 * Cases of ours, and recorded ones that keep nothing over batches, on threads that die.
 */
import { testKilled } from './killed.ts';
import { ownCasesPath, vectorPaths } from './own-cases.ts';

const recorded = vectorPaths().filter((path) => !/(?:window|state|random)[^/]*$/u.test(path) || path.endsWith('stateless.json'));
testKilled('every case of ours, and every recorded one without windows and state,', [ownCasesPath(), ...recorded], 50);

/**
 * Recorded random programs, part 1 of 3, on threads that die.
 */
import { testKilled } from './killed.ts';
import { vectorPaths } from './own-cases.ts';

testKilled('every recorded random program of part 1', vectorPaths().filter((path) => path.endsWith('random-1.json')));

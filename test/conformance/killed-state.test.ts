/**
 * Recorded cases with state, on threads that die.
 */
import { testKilled } from './killed.ts';
import { vectorPaths } from './own-cases.ts';

testKilled('every recorded case with state', vectorPaths().filter((path) => /-state[^/]*$/u.test(path)));

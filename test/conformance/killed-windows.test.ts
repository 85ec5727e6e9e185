/**
 * Recorded cases with windows, on threads that die.
 */
import { testKilled } from './killed.ts';
import { vectorPaths } from './own-cases.ts';

testKilled('every recorded case with windows', vectorPaths().filter((path) => /window[^/]*$/u.test(path)));

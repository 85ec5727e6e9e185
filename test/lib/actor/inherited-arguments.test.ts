/** What threads get of the command line with which the app was started. */
import t from 'tap';
import { inheritedArguments } from '../../../lib/actor/thread-pool.ts';
import { builtFile, startNode } from '../../helpers/node-process.ts';

t.test('loaders and warnings go on to the threads; V8, debuggers and profilers don\'t', (t) => {
  t.same(inheritedArguments(['--import', 'tsx', '--max-old-space-size=2048', '--no-warnings', '-r', './a.cjs', '--expose-gc', '--conditions=dev', '--inspect=0', '--stack-size', '900', '--enable-source-maps']), [
    '--import', 'tsx', '--no-warnings', '-r', './a.cjs', '--conditions=dev', '--enable-source-maps',
  ]);
  t.same(inheritedArguments(['-e', 'code', '--cpu-prof', '--test', '--watch-path', 'x']), []);
  t.end();
});

/** Bug: any of V8's flags on the app's command line ended it, since a thread can't be started with one. */
t.test('an app that was started with V8\'s flags runs', async (t) => {
  const child = startNode(t, ['--max-old-space-size=2048', '--expose-gc', '--stack-size=900', builtFile('examples/start.js'), '--batches', '1']);
  t.equal((await child.ended).code, 0, child.stderr);
});

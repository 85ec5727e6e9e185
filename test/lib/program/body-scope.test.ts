/** Which batch an action of a body is of, and that nothing follows bodies once their context has ended. */
import t from 'tap';
import { BodyScope } from '../../../lib/program/body-scope.ts';
import { asBatchTime } from '../../../protocol/time.ts';

t.test('an action is of the body that has called it, also beside a later one', async (t) => {
  const scope = new BodyScope();
  const times: (number | null)[] = [];
  let goOn: () => void = () => {};
  const first = scope.run(asBatchTime(1_000), 'out', async () => {
    await new Promise<void>((resolve) => (goOn = resolve));
    times.push(scope.time);
  });
  await scope.run(asBatchTime(2_000), 'out', async () => {
    goOn();
    await first;
    times.push(scope.time);
  });
  t.same([...times, scope.time], [1_000, 2_000, null]);
});

t.test('once it is closed, nothing is of a body any more', async (t) => {
  const scope = new BodyScope();
  let goOn: () => void = () => {};
  let after: number | null = -1;
  const late = scope.run(asBatchTime(1_000), 'out', async () => {
    await new Promise<void>((resolve) => (goOn = resolve));
    after = scope.time;
  });
  scope.close();
  goOn();
  await late;
  t.equal(after, null);
});

/** What chaos damages: nothing that could as well be a write that did not come to its end. */
import t from 'tap';
import { createPrng } from '../../lib/base/prng.ts';
import { SimulatedDisk } from '../../lib/storage/simulated-disk.ts';
import { segmentFile } from '../../lib/storage/log/segment.ts';
import { damageOne } from './damage.ts';

/**
 * Bug: the last segment was the last by name, and `….1.log` comes before `….log` there: so the newest one was removed, which nobody can see, and
 * seed 841 said that records were lost.
 */
t.test('the last segment of a log is never damaged, whatever its name', async (t) => {
  const [last, before] = [segmentFile('/checkpoints/log', 1, 1), segmentFile('/checkpoints/log', 1, 0)];
  const texts: string[] = [];
  for (let seed = 1; seed <= 50; seed += 1) {
    const disk = new SimulatedDisk({ seed });
    await disk.makeDirectory('/checkpoints/log');
    for (const path of [before, last]) await disk.create(path).then(async (file) => file.close());
    for (const path of [before, last]) disk.replace(path, Buffer.alloc(200, path));
    texts.push(damageOne(disk, createPrng(seed))?.text ?? 'nothing');
  }
  t.same(texts.filter((text) => !text.includes(before)), []);
  t.ok(texts.some((text) => text.endsWith('was removed')));
});

import t from 'tap';
import fc from 'fast-check';
import { forEachLineRange } from '../../../../lib/rdd/source-pieces.ts';
import { StageMaker, thrownBy } from './stage.ts';

/** As Node's own files do it: what is read next may overwrite it. */
function intoOrNew(bytes: Uint8Array, into: Uint8Array | undefined): Uint8Array {
  if (into === undefined || into.length < bytes.length) return bytes.slice();
  into.fill(0x21).set(bytes);
  return into.subarray(0, bytes.length);
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

t.test('a line belongs to the split in which it begins, and is read beyond the split to its end', async (t) => {
  const stage = new StageMaker();
  stage.env.fileBytes.set('f', bytesOf('aaa\nbbb\ncccc\ndd'));
  const ranges = [[0, 4], [4, 9], [9, 12], [12, 15], [15, 15]] as const;
  const lines = stage.node({ kind: 'textFile', splits: ranges.map(([start, end]) => [{ file: 'f', start, end }]) }, [], { partitions: ranges.length });
  t.strictSame(ranges.map((_, partition) => stage.collect(lines, partition)), [['aaa'], ['bbb', 'cccc'], [], ['dd'], []]);
});

t.test('several splits make one partition; CRLF and an empty file are no trouble', async (t) => {
  const stage = new StageMaker();
  stage.env.fileBytes.set('a', bytesOf('x\r\n\r\ny'));
  stage.env.fileBytes.set('b', bytesOf(''));
  const lines = stage.node({ kind: 'textFile', splits: [[{ file: 'a', start: 0, end: 6 }, { file: 'b', start: 0, end: 0 }, { file: 'a', start: 0, end: 1 }]] }, []);
  t.strictSame(stage.collect(lines), ['x', '', 'y', 'x']);
  t.strictSame(stage.collect(lines, 0, {}, 2), ['x', ''], 'and an early end stops the reading');
});

t.test('however a file is cut into splits and read in chunks, each line comes once and in order', async (t) => {
  const line = fc.string({ unit: fc.constantFrom('a', 'é', '漢', ' '), maxLength: 12 });
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), fc.boolean(), fc.array(fc.nat(80), { maxLength: 5 }), fc.integer({ min: 1, max: 20 }), (lines, ended, cuts, chunkBytes) => {
      const text = lines.join('\n') + (ended && lines.length > 0 ? '\n' : '');
      const bytes = bytesOf(text);
      const edges = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
      const files = { readRange: (_: string, start: number, end: number, into?: Uint8Array) => intoOrNew(bytes.subarray(start, end), into), size: () => bytes.length, writeAtomically: () => undefined };
      let read = '';
      for (let index = 0; index + 1 < edges.length; index += 1) {
        const decoder = new TextDecoder('utf-8', { fatal: true });
        forEachLineRange(files, { file: 'f', start: edges[index]!, end: edges[index + 1]! }, 1_000, (part) => ((read += decoder.decode(part)), true), chunkBytes);
      }
      if (read !== text) throw new Error(`${JSON.stringify(read)} is not ${JSON.stringify(text)}`);
    }),
    { seed: 7, numRuns: 500 },
  );
});

t.test('a line over the bound is refused before it is a string, one of just the bound is not', async (t) => {
  const stage = new StageMaker({ recordBytesMax: 10 });
  stage.env.fileBytes.set('f', bytesOf(`ok\n${'x'.repeat(10)}\nok\n`));
  stage.env.fileBytes.set('g', bytesOf(`ok\n${'x'.repeat(11)}\nok\n`));
  const good = stage.node({ kind: 'textFile', splits: [[{ file: 'f', start: 0, end: 17 }]] }, []);
  t.strictSame(stage.collect(good), ['ok', 'x'.repeat(10), 'ok']);
  const bad = stage.node({ kind: 'textFile', splits: [[{ file: 'g', start: 0, end: 18 }]] }, []);
  const error = thrownBy(() => stage.collect(bad));
  t.equal(error.code, 'RecordTooLarge');
  t.match(error.details, { file: 'g', offset: 3, recordBytesMax: 10 });
});

/** Bug: the \r of a line's end counted, so that a line of just the bound was refused where the file has \r\n. */
t.test('the bound is on the line without its end, be that \\n or \\r\\n', async (t) => {
  const stage = new StageMaker({ recordBytesMax: 10 });
  for (const before of ['', 'ok\n', 'four\r\n', '123456789\n']) {
    const good = bytesOf(`${before}${'x'.repeat(10)}\r\nok\r\n`);
    stage.env.fileBytes.set('f', good);
    const lines = stage.node({ kind: 'textFile', splits: [[{ file: 'f', start: 0, end: good.length }]] }, []);
    t.strictSame(stage.collect(lines).slice(-2), ['x'.repeat(10), 'ok']);
    const bad = bytesOf(`${before}${'x'.repeat(11)}\r\nok\r\n`);
    stage.env.fileBytes.set('g', bad);
    const refused = stage.node({ kind: 'textFile', splits: [[{ file: 'g', start: 0, end: bad.length }]] }, []);
    t.equal(thrownBy(() => stage.collect(refused)).code, 'RecordTooLarge');
  }
});

import fc from 'fast-check';
import t from 'tap';
import { forEachTextChunk, textChunkBytes } from '../../../lib/storage/text-lines.ts';

function chunksOf(bytes: Uint8Array, chunkBytes?: number): string[] {
  const chunks: string[] = [];
  forEachTextChunk(bytes, (text) => chunks.push(text), chunkBytes);
  return chunks;
}

const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  fc.array(fc.oneof(fc.constantFrom(0x0a, 0x0d, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0xff, 0x61)), { maxLength: 60 }).map((bytes) => Uint8Array.from(bytes)),
  fc.array(fc.string({ unit: 'grapheme', maxLength: 12 }), { maxLength: 8 }).map((lines) => Buffer.from(lines.join('\n'))),
);

t.test('chunks are the text as a whole decoding has it, cut at line ends only, in shared memory too', async () => {
  fc.assert(fc.property(anyBytes, fc.integer({ min: 1, max: 40 }), (bytes, chunkBytes) => {
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length + 3), 3);
    shared.set(bytes);
    const chunks = chunksOf(shared, chunkBytes);
    return chunks.join('') === Buffer.from(bytes).toString('utf8')
      && chunks.every((chunk, index) => chunk !== '' && (chunk.endsWith('\n') || index === chunks.length - 1))
      && chunks.every((chunk) => Buffer.byteLength(chunk) <= chunkBytes || !chunk.slice(0, -1).includes('\n') || chunk.includes('\ufffd'));
  }), { seed: 20_261_123, numRuns: 2_000 });
});

t.test('a block of many lines makes chunks of at most 64 KiB', async (t) => {
  const line = `${'x'.repeat(59)}\n`;
  const chunks = chunksOf(Buffer.from(line.repeat(5_000)));
  t.equal(chunks.join('').length, 300_000);
  t.ok(chunks.every((chunk) => chunk.length <= textChunkBytes && chunk.length % 60 === 0));
  t.equal(chunks.length, 5);
});

t.test('a line longer than a chunk is one chunk', async (t) => {
  const long = 'y'.repeat(200_000);
  t.strictSame(chunksOf(Buffer.from(`a\n${long}\nb\n`)), ['a\n', `${long}\n`, 'b\n']);
  t.strictSame(chunksOf(Buffer.from(long)), [long]);
});

t.test('no bytes are no chunk', async (t) => {
  t.strictSame(chunksOf(new Uint8Array(0)), []);
});

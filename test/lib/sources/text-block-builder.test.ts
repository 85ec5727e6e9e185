/** Lines out of bytes that come cut anywhere, in slabs that are too small for them. */
import t from 'tap';
import fc from 'fast-check';
import { TextBlockBuilder } from '../../../lib/sources/text-block-builder.ts';
import type { SharedHandle } from '../../../protocol/rdd.ts';
import { BlockMemory } from '../../helpers/block-memory.ts';

const encoder = new TextEncoder();

class Bench {
  readonly memory: BlockMemory;
  readonly tooLarge: number[] = [];
  readonly builder: TextBlockBuilder;

  /** Gives its memory back after each cut. */
  isShort = false;

  constructor({ slabBytes = 8_192, slabsMax = Infinity, recordBytesMax = 1_000 } = {}) {
    this.memory = new BlockMemory({ slabBytes, slabsMax });
    this.builder = new TextBlockBuilder({ open: this.memory.open, recordBytesMax, onRecordTooLarge: (bytes) => void this.tooLarge.push(bytes) });
  }

  /** As the network does: into the memory that is offered, as much as fits. */
  read(bytes: Uint8Array): void {
    let rest = bytes;
    while (rest.length > 0) {
      const space = this.builder.space();
      if (space === null) throw new Error('No memory.');
      const part = rest.subarray(0, space.length);
      space.set(part);
      this.builder.received(part.length);
      rest = rest.subarray(part.length);
    }
  }

  readAll(...parts: readonly (string | Uint8Array)[]): void {
    for (const part of parts) this.read(typeof part === 'string' ? encoder.encode(part) : part);
  }

  cut(): string[] {
    const lines = this.memory.lines(this.builder.cut());
    if (this.isShort) this.builder.giveBack();
    return lines;
  }

  finish(): string[] {
    return this.memory.lines(this.builder.finish());
  }
}

t.test('whole lines are cut, and a partial one stays', (t) => {
  const bench = new Bench();
  bench.readAll('one\ntwo\nthr');
  t.same(bench.cut(), ['one', 'two']);
  t.same(bench.cut(), [], 'nothing is cut twice');
  bench.readAll('ee\nfour');
  t.same(bench.cut(), ['three']);
  t.same(bench.finish(), ['four'], 'the last line needs no end');
  t.equal(bench.memory.opened, bench.memory.closed);
  t.end();
});

t.test('empty lines are lines, and an end at the very end makes no empty line more', (t) => {
  const bench = new Bench();
  bench.readAll('\n\na\n', '\n');
  t.same(bench.cut(), ['', '', 'a', '']);
  t.same(bench.finish(), []);
  t.end();
});

t.test('a cut inside a character, and between carriage return and line feed', (t) => {
  const bench = new Bench();
  const bytes = encoder.encode('grüße\r\n𝄞 déjà\r\n');
  for (const byte of bytes) {
    bench.readAll(Uint8Array.of(byte));
    if (byte === 0xc3 || byte === 13) t.same(bench.builder.openBytes === 0 || bench.cut().length === 1, true);
  }
  t.match(bench.memory.lines(bench.builder.finish()), ['𝄞 déjà\r']);
  t.end();
});

t.test('a line over the bound within one read is left out, and its neighbours stay', (t) => {
  const bench = new Bench({ recordBytesMax: 5 });
  bench.readAll('12345\n123456\nab\n1234567\n\nc\n');
  t.same(bench.cut(), ['12345', 'ab', '', 'c']);
  t.same(bench.tooLarge, [6, 7]);
  t.end();
});

t.test('a line over the bound that comes in many reads is counted once, and the stream goes back to normal', (t) => {
  const bench = new Bench({ recordBytesMax: 5 });
  bench.readAll('ok\n', '1234', '5678', '9012', '3\nnext\n', 'more\n');
  t.same(bench.cut(), ['ok', 'next', 'more']);
  t.same(bench.tooLarge, [13]);
  t.end();
});

/** Bug: the \r of a line's end counted: 100 bytes and \r\n were over a bound of 100, and 100 bytes and \n were not. */
t.test('the bound is on the line without its end, be that \\n or \\r\\n, wherever it is cut', (t) => {
  for (const cutAt of [1, 5, 6, 7, 100]) {
    const bench = new Bench({ recordBytesMax: 5 });
    for (const line of ['12345\n', '12345\r\n', '123456\r\n', '1234\r5\r\n', '123456789\r\n']) bench.readAll(line.slice(0, cutAt), line.slice(cutAt));
    t.same(bench.cut(), ['12345', '12345\r'], `cut at ${cutAt}`);
    t.same(bench.tooLarge, [6, 6, 9]);
  }
  t.end();
});

t.test('a line without an end that is over the bound is told of when the source ends', (t) => {
  const bench = new Bench({ recordBytesMax: 5 });
  bench.readAll('ok\n1234', '56789');
  t.same(bench.finish(), ['ok']);
  t.same(bench.tooLarge, [9]);
  t.end();
});

t.test('a line over the bound takes no memory, however long it is', (t) => {
  const bench = new Bench({ recordBytesMax: 100, slabsMax: 1 });
  for (let index = 0; index < 100; index += 1) bench.readAll('x'.repeat(4_000));
  bench.readAll('\nback\n');
  t.same(bench.cut(), ['back']);
  t.same(bench.tooLarge, [400_000]);
  t.end();
});

t.test('a partial line moves to the next slab, whole', (t) => {
  const bench = new Bench({ slabBytes: 8_192 });
  bench.readAll('x'.repeat(900) + '\n', ...Array.from({ length: 4 }, () => 'y'.repeat(700) + '\n'), 'b'.repeat(500));
  t.equal(bench.memory.opened, 1);
  bench.readAll('e'.repeat(300) + '\n');
  const lines = bench.cut();
  t.equal(bench.memory.opened, 2);
  t.equal(bench.memory.closed, 1, 'the full slab is given away');
  t.equal(lines.at(-1), 'b'.repeat(500) + 'e'.repeat(300));
  t.equal(lines.length, 6);
  t.end();
});

/**
 * Bug: the last line was dropped where its bytes ended exactly at the slab's end, since there was no byte left for its line
 * end. Now the last byte is never read into.
 */
t.test('a last line without an end is kept also where it fills the slab to the last byte', (t) => {
  for (let rest = 0; rest < 3; rest += 1) {
    const bench = new Bench({ slabBytes: 8_192, recordBytesMax: 8_192 });
    const space = bench.builder.space() as Uint8Array;
    const bytes = space.length - rest;
    space.fill(120, 0, bytes);
    bench.builder.received(bytes);
    t.same(bench.finish(), ['x'.repeat(bytes)]);
  }
  t.end();
});

t.test('an exhausted pool offers no memory, loses nothing, and goes on when there is memory again', (t) => {
  const bench = new Bench({ slabBytes: 8_192, slabsMax: 1 });
  const line = 'l'.repeat(399);
  const all: string[] = [];
  while (bench.builder.space() !== null) {
    bench.readAll(line + '\n');
    all.push(line);
  }
  t.same(bench.builder.copyIn(encoder.encode('held\n')), encoder.encode('held\n'), 'nothing is taken');
  t.same(bench.cut(), all, 'what was read before can be cut all the same');
  bench.memory.slabsMax = 2;
  t.equal(bench.builder.copyIn(encoder.encode('held\nback')).length, 0);
  t.same(bench.finish(), ['held', 'back']);
  t.end();
});

/** Bug: a read of 64 KiB that found room for its first half alone was an error, and the source failed. */
t.test('a copy that is larger than the memory left takes what it can, and the rest later', (t) => {
  const bench = new Bench({ slabBytes: 8_192, slabsMax: 1, recordBytesMax: 50 });
  const lines = Array.from({ length: 1_000 }, (_, index) => `line ${index}`);
  let rest: Uint8Array = encoder.encode(lines.join('\n'));
  const got: string[] = [];
  let rounds = 0;
  while (rest.length > 0) {
    rest = bench.builder.copyIn(rest);
    got.push(...bench.cut());
    bench.memory.slabsMax += 1;
    rounds += 1;
  }
  t.ok(rounds > 1, 'the memory did run out');
  t.same([...got, ...bench.finish()], lines);
  t.end();
});

t.test('any text, read in any parts and cut into blocks at any time, gives exactly its lines, in order', (t) => {
  const recordBytesMax = 64;
  const line = fc.oneof(
    { weight: 6, arbitrary: fc.string({ unit: 'binary', maxLength: 24 }).map((text) => text.replaceAll('\n', '')) },
    { weight: 2, arbitrary: fc.constantFrom('', '\r', 'ascii only', '日本語のテキスト', '𝄞𝄞𝄞') },
    { weight: 1, arbitrary: fc.integer({ min: 60, max: 400 }).map((length) => 'w'.repeat(length)) },
    { weight: 1, arbitrary: fc.integer({ min: 62, max: 66 }).map((length) => `${'w'.repeat(length)}\r`) },
  );
  const step = fc.tuple(fc.integer({ min: 1, max: 700 }), fc.boolean(), fc.boolean());
  fc.assert(
    fc.property(fc.array(line, { maxLength: 400 }), fc.boolean(), fc.array(step, { minLength: 1, maxLength: 40 }), (lines, ended, steps) => {
      const bytes = encoder.encode(lines.join('\n') + (ended && lines.length > 0 ? '\n' : ''));
      const bench = new Bench({ slabBytes: 4_800, recordBytesMax, slabsMax: 1 });
      const got: string[] = [];
      let at = 0;
      for (let index = 0; at < bytes.length; index += 1) {
        const [length, cuts, copies] = steps[index % steps.length] as [number, boolean, boolean];
        let rest: Uint8Array = bytes.subarray(at, at + length);
        at += rest.length;
        while (rest.length > 0) {
          const space = copies ? null : bench.builder.space();
          if (space === null) {
            // No memory, or the bytes lie elsewhere: what could not be taken is offered again when there is a slab more.
            rest = bench.builder.copyIn(rest);
            if (rest.length > 0) bench.memory.slabsMax += 1;
            continue;
          }
          const part = rest.subarray(0, space.length);
          space.set(part);
          bench.builder.received(part.length);
          rest = rest.subarray(part.length);
        }
        if (cuts) got.push(...bench.cut());
      }
      got.push(...bench.finish());
      const whole = new TextDecoder().decode(bytes).split('\n');
      if (whole.at(-1) === '') whole.pop();
      const fits = (text: string): boolean => encoder.encode(text.replace(/\r$/, '')).length <= recordBytesMax;
      const same = JSON.stringify(got) === JSON.stringify(whole.filter(fits));
      return same && bench.tooLarge.length === whole.filter((text) => !fits(text)).length && bench.memory.opened === bench.memory.closed;
    }),
    { numRuns: 300 },
  );
  t.end();
});

/** What the builder must find, one byte after another. */
function plainly(bytes: Uint8Array, recordBytesMax: number): { lines: string[]; tooLarge: number[] } {
  const lines: string[] = [];
  const tooLarge: number[] = [];
  let from = 0;
  for (let at = 0; at <= bytes.length; at += 1) {
    if (at < bytes.length ? bytes[at] !== 10 : from === at) continue;
    const to = at > from && bytes[at - 1] === 13 ? at - 1 : at;
    // Of a line that has no end all bytes are told, a \r as well: nobody knows what would have followed.
    if (to - from > recordBytesMax) tooLarge.push((at < bytes.length ? to : at) - from);
    else lines.push(Buffer.from(bytes.subarray(from, to)).toString('latin1'));
    from = at + 1;
  }
  return { lines, tooLarge };
}

t.test('any bytes, in any parts, under any bound: the records, their number and the lines that are too long, as a loop over single bytes finds them', (t) => {
  // Few values, so that ends, halves of ends and runs of both stand everywhere; some that differ from an end in one bit.
  const byte = fc.oneof({ weight: 2, arbitrary: fc.constantFrom(10, 10, 13) }, { weight: 5, arbitrary: fc.constantFrom(0x61, 0x0a ^ 0x80, 0x0b, 0x00) });
  const part = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 300 }));
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 500 }), fc.integer({ min: 1, max: 40 }), fc.array(part, { minLength: 1, maxLength: 20 }), fc.integer({ min: 1, max: 5 }), (list, recordBytesMax, parts, cutEvery) => {
      const bytes = Uint8Array.from(list);
      const text: string[] = [];
      const tooLarge: number[] = [];
      const views: Uint8Array[] = [];
      let records = 0;
      const builder = new TextBlockBuilder({
        open: () => {
          const view = new Uint8Array(new SharedArrayBuffer(4_500));
          return {
            view,
            commit: (offset, length) => {
              views.push(view.slice(offset, offset + length));
              return {} as SharedHandle;
            },
            close: () => {},
          };
        },
        recordBytesMax,
        onRecordTooLarge: (length) => void tooLarge.push(length),
      });
      for (let at = 0, index = 0; at < bytes.length; index += 1) {
        const space = builder.space()!;
        const read = bytes.subarray(at, at + Math.min(space.length, parts[index % parts.length]!));
        space.set(read);
        builder.received(read.length);
        at += read.length;
        if (index % cutEvery === 0) for (const block of builder.cut()) records += block.records;
      }
      for (const block of builder.finish()) records += block.records;
      for (const view of views) text.push(...Buffer.from(view).toString('latin1').split('\n').slice(0, -1).map((line) => line.replace(/\r$/, '')));
      const expected = plainly(bytes, recordBytesMax);
      return records === expected.lines.length && JSON.stringify(text) === JSON.stringify(expected.lines) && JSON.stringify(tooLarge) === JSON.stringify(expected.tooLarge);
    }),
    { seed: 42, numRuns: 1_500 },
  );
  t.end();
});

t.test('a slab can be given back after each cut; the partial line goes on in the next one', (t) => {
  const bench = new Bench();
  bench.readAll('one\ntw');
  bench.isShort = true;
  t.same(bench.cut(), ['one']);
  t.same([bench.memory.opened, bench.memory.closed], [1, 1]);
  t.same(bench.cut(), [], 'there is nothing to give back');
  bench.readAll('o\nthree\n');
  t.same(bench.cut(), ['two', 'three']);
  t.same([bench.memory.opened, bench.memory.closed], [2, 2]);
  bench.readAll('fo');
  t.same(bench.cut(), []);
  t.same(bench.finish(), ['fo'], 'a last line without an end, too');
  t.equal(bench.memory.opened, bench.memory.closed);
  t.end();
});

/** Bug: as many receivers as slabs each held a full one open while they waited for the next: no memory ever came back. */
t.test('a full slab is given back also where there is no other', (t) => {
  const bench = new Bench({ slabsMax: 1, recordBytesMax: 7_000 });
  bench.readAll(`${'x'.repeat(3_000)}\n${'y'.repeat(3_000)}`);
  t.equal(bench.builder.space(), null);
  t.equal(bench.memory.closed, 1);
  t.same(bench.cut(), ['x'.repeat(3_000)]);
  bench.memory.slabsMax = 2;
  bench.readAll('z\n');
  t.same(bench.cut(), [`${'y'.repeat(3_000)}z`]);
  t.end();
});

t.test('however memory comes and goes, every line comes once and in order', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.string({ maxLength: 900 }).map((text) => text.replace(/[\r\n]/g, '_')), fc.boolean(), fc.boolean()), { maxLength: 60 }), (steps) => {
      const bench = new Bench({ slabBytes: 8_192, recordBytesMax: 4_000 });
      const seen: string[] = [];
      const lines: string[] = [];
      let open = '';
      for (const [text, isShort, endsHere] of steps) {
        bench.isShort = isShort;
        if (Buffer.byteLength(open + text) > 3_900 || endsHere) {
          bench.readAll(`${text}\n`);
          if (Buffer.byteLength(open + text) <= 4_000) lines.push(open + text);
          open = '';
        } else {
          bench.readAll(text);
          open += text;
        }
        seen.push(...bench.cut());
      }
      seen.push(...bench.finish());
      t.same(seen, open === '' ? lines : [...lines, open]);
    }),
    { seed: 42, numRuns: 200 },
  );
  t.end();
});

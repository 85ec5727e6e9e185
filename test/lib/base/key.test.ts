import fc from 'fast-check';
import t from 'tap';
import { compareKeys, keyBucketOf, keyBuckets, keyEquals, keyHash, keyHashVersion, partitionOf } from '../../../lib/base/key.ts';
import { decodeRecord, encodeRecord } from '../../../protocol/codec.ts';
import { MillraceError } from '../../../protocol/errors.ts';
import { anyKey, smallKey } from './key-values.ts';

const seed = 20_261_123;

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return error instanceof MillraceError ? error.code : String(error);
  }
  return 'none';
}

// A change here moves keys to other partitions and makes checkpoints unreadable: it needs a new keyHashVersion.
t.test('the hash of version 1 is what it always was', async (t) => {
  t.equal(keyHashVersion, 1);
  const vectors: readonly (readonly [unknown, number])[] = [
    [null, 0x3b5c28b2], [undefined, 0x0e273638], [true, 0x3cd6e3f3], [false, 0xdf68f377], [0, 0x93195db2], [-0, 0x93195db2],
    [1, 0x7676ff05], [-1, 0x3b9db066], [2147483647, 0x14e206fa], [-2147483648, 0xab887049], [2147483648, 0x24f9d3e0],
    [0.5, 0x927eeb29], [NaN, 0x2d8dc614], [Infinity, 0x505d7fc0], [0n, 0x841c6281], [1n, 0x5a6c75e8], [-1n, 0xb6cd3cd7],
    [2n ** 64n, 0x67da4fe9], ['', 0x85d3d868], ['a', 0xe02a9e19], ['ab', 0x51de667f], ['abc', 0x3501d9e5],
    ['the quick brown fox', 0x982c9996], ['é', 0xd56af7d7], ['\ud83d\ude00', 0xc0efdb94], ['\ud800', 0x15f647f0],
    ['1', 0x6b55fd80], [new Date(0), 0x9d939d46], [new Date(1_700_000_000_000), 0x04186035], [new Date(NaN), 0xb98108f4],
    [[], 0x4bc0fbeb], [[1], 0x8680fbc4], [[1, 'a'], 0x4786b3ca], [[[1], 'a'], 0xb20344bd], [[null], 0x6f715357],
    [Uint8Array.of(1, 2, 3), 0xaf60352b], [Float64Array.of(0.5), 0xc9980e11], [BigInt64Array.of(-1n), 0x43692c11],
  ];
  for (const [key, hash] of vectors) t.equal(keyHash(key), hash, `hash of ${typeof key} ${String(key)}`);
});

t.test('keys are equal by value', async (t) => {
  const equal: [unknown, unknown][] = [
    [0, -0], [NaN, NaN], [new Date(5), new Date(5)], [new Date(NaN), new Date(NaN)], [[1, ['a', null]], [1, ['a', null]]],
    [[-0, NaN], [0, NaN]], [Uint8Array.of(1, 2), Uint8Array.of(1, 2)], [Buffer.from([1, 2]), Uint8Array.of(1, 2)],
    [Float64Array.of(-0, NaN), Float64Array.of(0, NaN)], [2n ** 70n, 2n ** 70n], [new Array(2), [undefined, undefined]],
  ];
  for (const [a, b] of equal) {
    t.ok(keyEquals(a, b) && compareKeys(a, b) === 0 && keyHash(a) === keyHash(b), `${String(a)} equals ${String(b)}`);
  }
  const distinct: unknown[] = [
    null, undefined, false, true, 0, 1, 1.5, NaN, 1n, 0n, '1', '', 'true', 'null', new Date(1), [1], ['1'], [[1]], [], [null], [undefined], [1n],
    Uint8Array.of(1), Int8Array.of(1), Float64Array.of(1), BigInt64Array.of(1n), new Uint8Array(0), 'é', 'e\u0301', '\ud800', '\ufffd',
  ];
  for (const [index, a] of distinct.entries()) {
    for (const b of distinct.slice(index + 1)) {
      if (keyEquals(a, b) || compareKeys(a, b) === 0) t.fail(`${typeof a} ${String(a)} differs from ${typeof b} ${String(b)}`);
    }
  }
});

t.test('the canonical order goes by kind, then by value', async (t) => {
  const sorted: unknown[] = [
    null, undefined, false, true, -Infinity, -(2n ** 80n), -2.5, -2n, 0, 0n, 1, 1n, 1.5, 2n ** 53n, 2 ** 53 + 2, 2n ** 80n, Infinity, NaN,
    '', 'B', 'a', 'aa', 'b', '\ud83d\ude00', '\uffff', new Date(-1), new Date(0), new Date(NaN),
    Int8Array.of(5), Uint8Array.of(), Uint8Array.of(1), Uint8Array.of(1, 0), Uint8Array.of(2), Float64Array.of(-1), Float64Array.of(NaN),
    BigInt64Array.of(-1n), [], [null], [1], [1, 'a'], [1, 'b'], [1, ['a']], [2], ['a'],
  ];
  const wrong: string[] = [];
  for (let i = 0; i < sorted.length; i++) {
    for (let j = 0; j < sorted.length; j++) {
      if (Math.sign(compareKeys(sorted[i], sorted[j])) !== Math.sign(i - j)) wrong.push(`${i} to ${j}`);
    }
  }
  t.strictSame(wrong, []);
});

t.test('what has no equality by value is no key', async (t) => {
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  class User {}
  for (const key of [{}, { id: 1 }, new Map(), new Set(), () => 1, Symbol('s'), new User(), new DataView(new ArrayBuffer(1)), /x/]) {
    for (const wrapped of [key, [1, [key]]]) {
      t.equal(codeOf(() => keyHash(wrapped)), 'InvalidKey');
      t.equal(codeOf(() => compareKeys(wrapped, [1, [null]])), 'InvalidKey');
    }
  }
  t.equal(codeOf(() => keyEquals({}, {})), 'InvalidKey');
  t.equal(codeOf(() => keyHash(cyclic)), 'InvalidKey');
  t.equal(codeOf(() => compareKeys(cyclic, [cyclic])), 'InvalidKey');
  t.throws(() => keyHash({ id: 1 }), { message: /plain object {"id":1}.*identifying fields/ });
});

t.test('equal keys have the same hash and compare as 0, and no others compare as 0', async () => {
  fc.assert(fc.property(smallKey, smallKey, (a, b) => {
    const equal = keyEquals(a, b);
    return equal === (compareKeys(a, b) === 0) && (!equal || keyHash(a) === keyHash(b)) && equal === keyEquals(b, a);
  }), { seed, numRuns: 5_000 });
});

t.test('the order is total: antisymmetric and transitive', async () => {
  fc.assert(fc.property(smallKey, smallKey, smallKey, (a, b, c) => {
    const [ab, bc, ac] = [compareKeys(a, b), compareKeys(b, c), compareKeys(a, c)];
    return Math.sign(ab) === -Math.sign(compareKeys(b, a)) && (ab > 0 || bc > 0 || ac <= 0) && (ab < 0 || bc < 0 || ac >= 0);
  }), { seed, numRuns: 5_000 });
});

t.test('a key that went through the codec is the same key', async () => {
  fc.assert(fc.property(anyKey, (key) => {
    const copy = decodeRecord(encodeRecord(key));
    return keyEquals(key, copy) && keyHash(key) === keyHash(copy) && compareKeys(key, copy) === 0;
  }), { seed, numRuns: 1_000 });
});

t.test('a partition is a range of buckets, and the buckets are used evenly', async (t) => {
  t.equal(keyBuckets, 4096);
  const counts = new Array<number>(8).fill(0);
  for (let index = 0; index < 20_000; index++) {
    const key = index % 2 === 0 ? index : `user-${index}`;
    const bucket = keyBucketOf(key);
    const partition = partitionOf(key, 8);
    if (!(bucket >= 0 && bucket < 4096 && partition === Math.floor((bucket * 8) / 4096))) t.fail(`bucket ${bucket}, partition ${partition} of ${key}`);
    counts[partition]! += 1;
  }
  t.ok(counts.every((count) => count > 2_200 && count < 2_800), `counts: ${counts.join(' ')}`);
  for (const partitions of [1, 3, 4096, 10_000]) {
    t.ok(partitionOf('x', partitions) < partitions);
  }
});

import { encode, ExtData } from '@msgpack/msgpack';
import { describe, expect, test } from 'vitest';
import { decodeMessagePack, SeededRandom } from '../../../platform/base/mod.ts';

const long = [0xdd, 0x01, 0xff, 0xff, 0xff];

test.each([
  null,
  true,
  -1,
  -200,
  -70_000,
  -5_000_000_000,
  127,
  255,
  65_535,
  4_294_967_295,
  2 ** 40,
  1.5,
  '',
  'a'.repeat(31),
  'b'.repeat(200),
  'c'.repeat(70_000),
  new Uint8Array(3),
  new Uint8Array(300),
  new Uint8Array(70_000),
  [],
  Array.from({ length: 15 }, (_, nth) => nth),
  Array.from({ length: 300 }, (_, nth) => [nth]),
  Array.from({ length: 70_000 }, () => null),
  { a: 1, b: [{ c: 'd' }, {}] },
  Object.fromEntries(Array.from({ length: 300 }, (_, nth) => [`k${String(nth)}`, nth])),
  Object.fromEntries(Array.from({ length: 70_000 }, (_, nth) => [`k${String(nth)}`, nth])),
  new ExtData(5, new Uint8Array(1)),
  new ExtData(5, new Uint8Array(16)),
  new ExtData(5, new Uint8Array(17)),
  new ExtData(5, new Uint8Array(300)),
  new ExtData(5, new Uint8Array(70_000)),
])('what was encoded comes back: %#', (value) => {
  expect(decodeMessagePack(encode(value))).toEqual(value);
});

describe('bytes that promise more than they hold', () => {
  test.each([
    ['an array', long],
    ['arrays in each other', Array.from({ length: 500 }, () => long).flat()],
    ['an array behind others', [0x93, 0x01, 0x90, ...long]],
    ['an array in a map', [0x81, 0xa1, 0x61, ...long]],
    ['a map', [0xdf, 0x7f, 0xff, 0xff, 0xff]],
    ['nothing', []],
    ['half of a text', [0xa5, 0x61]],
    ['half of a length', [0xdd, 0x00]],
  ])('%s takes no memory for it', (_, bytes) => {
    const before = process.memoryUsage.rss();
    expect(() => decodeMessagePack(Uint8Array.from(bytes))).toThrow();
    expect(process.memoryUsage.rss() - before).toBeLessThan(100 * 2 ** 20);
  });
});

test('what is nested too deeply is refused before it takes memory', () => {
  const deep = new Uint8Array(2 ** 20).fill(0x91);
  expect(() => decodeMessagePack(deep)).toThrow(/nested over 1000 levels/);
});

test('any bytes end in a value or an error', () => {
  const random = new SeededRandom(1);
  for (let nth = 0; nth < 20_000; nth++) {
    const bytes = Uint8Array.from({ length: 1 + random.below(40) }, () => random.below(256));
    try {
      decodeMessagePack(bytes);
    } catch (caught) {
      expect(caught).toBeInstanceOf(Error);
    }
  }
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  checkKey,
  checkPoolName,
  decodeKey,
  findKeyProblem,
  FreshetError,
  joinKey,
  limits,
} from '../../../platform/base/mod.ts';

const good = [
  '/a',
  '/dairy/daily_yield/cow_128',
  '/dairy/…/späte Kühe/牛/🐄',
  '/a/.hidden/..three.../x..y/...',
  '/100%/50%25/%zz/a%20b',
  '/a b/c?d#e',
];

const bad: readonly (readonly [string, string, number])[] = [
  ['', 'is empty', 0],
  ['a/b', "does not start with '/'", 0],
  ['/', "ends in '/'", 1],
  ['/a/', "ends in '/'", 3],
  ['//a', 'has an empty segment', 1],
  ['/a//b', 'has an empty segment', 3],
  ['/a/./b', 'has the segment "."', 3],
  ['/a/..', 'has the segment ".."', 3],
  ['/../a', 'has the segment ".."', 1],
  ['/a/%2e%2e/b', 'has the segment "%2e%2e"', 3],
  ['/a/.%2E/b', 'has the segment ".%2E"', 3],
  ['/a/%2e', 'has the segment "%2e"', 3],
  ['/a/..%2f..%2fetc', 'has the segment "..%2f..%2fetc"', 3],
  ['/a/x%5c..', 'has the segment "x%5c.."', 3],
  ['/a/%252e%252e', 'has the segment "%252e%252e"', 3],
  ['/a\0b', 'holds NUL', 2],
  ['/a\nb', 'holds control character U+000A', 2],
  ['/a\u007f', 'holds control character U+007F', 2],
  ['/a\u0085', 'holds control character U+0085', 2],
  ['/a\ud83d', 'half a surrogate pair U+D83D', 2],
  ['/\udc04a', 'half a surrogate pair U+DC04', 1],
  ['/\ud83d\ud83d', 'half a surrogate pair U+D83D', 1],
];

test.each(good)('%s is a key', (key) => {
  expect(findKeyProblem(key)).toBeNull();
  expect(checkKey(key)).toBe(key);
});

test.each(bad)('%j is refused: %s at %i', (key, reason, offset) => {
  expect(findKeyProblem(key)).toMatchObject({
    code: 'INVALID_KEY',
    reason: expect.stringContaining(reason) as string,
    offset,
  });
  expect(() => checkKey(key)).toThrow(FreshetError);
  expect(() => checkKey(key)).toThrow(reason);
});

describe('length', () => {
  test('the limit counts bytes of UTF-8: exactly the limit passes, one more does not', () => {
    for (const unit of ['a', 'ä', '牛', '🐄']) {
      const size = Buffer.byteLength(unit);
      const room = limits.keyBytes - 1;
      const full = `/${unit.repeat(Math.floor(room / size))}${'a'.repeat(room % size)}`;
      expect(Buffer.byteLength(full)).toBe(limits.keyBytes);
      expect(findKeyProblem(full)).toBeNull();
      expect(findKeyProblem(`${full}a`)).toMatchObject({ code: 'KEY_TOO_LONG' });
    }
  });

  test('a huge text is refused without being shown whole', () => {
    const key = `/${'x'.repeat(10_000_000)}`;
    expect(() => checkKey(key)).toThrow(/^The key "\/x{79}…" has at least 10000001 bytes/);
  });

  test('a path has a greatest depth', () => {
    expect(findKeyProblem('/a'.repeat(limits.keySegments))).toBeNull();
    expect(findKeyProblem('/a'.repeat(limits.keySegments + 1))?.reason).toMatch(/segments$/);
  });

  test('a pool name is shorter than a key', () => {
    const name = `/${'p'.repeat(limits.poolNameBytes - 1)}`;
    expect(checkPoolName(name)).toBe(name);
    expect(() => checkPoolName(`${name}p`)).toThrow(/^The pool name .* are allowed/);
  });
});

describe('keys as bytes', () => {
  test('bytes that are not UTF-8 are refused with the place', () => {
    const bytes = Uint8Array.from([0x2f, 0x61, 0xff, 0x62]);
    expect(() => decodeKey(bytes)).toThrow(/is not UTF-8 \(at 2\)/);
  });

  test('overlong and surrogate forms are refused', () => {
    expect(() => decodeKey(Uint8Array.from([0x2f, 0xc0, 0xae]))).toThrow('is not UTF-8');
    expect(() => decodeKey(Uint8Array.from([0x2f, 0xed, 0xa0, 0x80]))).toThrow('is not UTF-8');
  });

  test('too many bytes are refused before they are decoded', () => {
    expect(() => decodeKey(new Uint8Array(limits.keyBytes + 1).fill(0x2f))).toThrow(FreshetError);
  });

  test('a byte order mark is part of the text, not dropped', () => {
    expect(() => decodeKey(Uint8Array.from([0xef, 0xbb, 0xbf, 0x2f, 0x61]))).toThrow(
      "does not start with '/'",
    );
  });
});

describe('properties', () => {
  test('what is accepted has a UTF-8 form that comes back alike', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const key = `/${text}`;
        fc.pre(findKeyProblem(key) === null);
        expect(decodeKey(new TextEncoder().encode(key))).toBe(key);
      }),
    );
  });

  test('what is accepted is its own resolved path, decoded or not', () => {
    const part = fc.constantFrom('.', '..', '%2e', '%2E', '%2f', '/', 'a', '%', '25', '%25');
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 12 }), (parts) => {
        const key = `/${parts.join('')}`;
        fc.pre(findKeyProblem(key) === null);
        for (const segment of key.slice(1).split('/')) {
          expect(['', '.', '..']).not.toContain(segment);
          expect(['.', '..']).not.toContain(segment.replace(/%2e/gi, '.'));
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('no text makes the check throw anything but a coded error', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), (text) => {
        try {
          checkKey(text);
        } catch (error) {
          expect(error).toBeInstanceOf(FreshetError);
        }
      }),
    );
  });
});

test('a key is joined from the pool and a name', () => {
  expect(joinKey('/dairy/storage', 'cow_1/2026')).toBe('/dairy/storage/cow_1/2026');
  expect(() => joinKey('/dairy', '../etc')).toThrow('".."');
  expect(() => joinKey('/dairy', '')).toThrow("ends in '/'");
});

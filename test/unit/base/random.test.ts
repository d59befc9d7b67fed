import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SeededRandom, splitmix64, SystemRandom } from '../../../platform/base/mod.ts';

describe('the numbers of the published generators', () => {
  test('xoshiro128** from the state 1, 2, 3, 4', () => {
    const random = SeededRandom.fromState([1, 2, 3, 4]);
    expect(Array.from({ length: 10 }, () => random.u32())).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597,
      4258142804,
    ]);
  });

  test('splitmix64 from 1234567', () => {
    const next = splitmix64(1234567n);
    expect(Array.from({ length: 5 }, () => next())).toEqual([
      6457827717110365317n,
      3203168211198807973n,
      9817491932198370423n,
      4593380528125082431n,
      16408922859458223821n,
    ]);
  });

  test('xoshiro128** seeded with 42 by splitmix64', () => {
    const random = new SeededRandom(42);
    expect(Array.from({ length: 6 }, () => random.u32())).toEqual([
      1776835114, 4165204688, 17111135, 2317295270, 2792088233, 2554630222,
    ]);
  });
});

describe('SeededRandom', () => {
  test('the same seed gives the same numbers, another seed others', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (seed) => {
        const [a, b, c] = [seed, seed, seed ^ 1n].map((from) => new SeededRandom(from));
        const draw = (random: SeededRandom | undefined) =>
          Array.from({ length: 8 }, () => random?.u32());
        const first = draw(a);
        expect(draw(b)).toEqual(first);
        expect(draw(c)).not.toEqual(first);
      }),
    );
  });

  test('a fork draws apart from where it came from', () => {
    const parent = new SeededRandom(7);
    const fork = parent.fork();
    const after = new SeededRandom(7);
    after.fork();
    for (let i = 0; i < 100; i++) {
      fork.u32();
    }
    expect(parent.u32()).toBe(after.u32());
  });

  test('below stays inside its bound and reaches all of it', () => {
    const random = new SeededRandom(1);
    for (const bound of [1, 2, 3, 7, 100]) {
      const seen = new Set(Array.from({ length: bound * 50 }, () => random.below(bound)));
      expect([...seen].sort((a, b) => a - b)).toEqual(Array.from({ length: bound }, (_, i) => i));
    }
    expect(random.below(2 ** 32)).toBeLessThan(2 ** 32);
    for (const bound of [0, -1, 1.5, 2 ** 32 + 1, Number.NaN]) {
      expect(() => random.below(bound)).toThrow('bound');
    }
  });

  test('six faces come up alike (chi square, 5 degrees, p > 0.001)', () => {
    const random = new SeededRandom(99);
    const counts = [0, 0, 0, 0, 0, 0];
    for (let i = 0; i < 60_000; i++) {
      const face = random.below(6);
      counts[face] = (counts[face] ?? 0) + 1;
    }
    const chi = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
    expect(chi).toBeLessThan(20.5);
  });

  test('floats are in [0, 1) and use the low bits', () => {
    const random = new SeededRandom(5);
    const drawn = Array.from({ length: 10_000 }, () => random.float());
    expect(drawn.every((x) => x >= 0 && x < 1)).toBe(true);
    expect(drawn.some((x) => (x * 2 ** 53) % 2 === 1)).toBe(true);
    const mean = drawn.reduce((sum, x) => sum + x, 0) / drawn.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.015);
  });

  test('a shuffle keeps the items and leaves the input alone', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), fc.integer(), (items, seed) => {
        const before = [...items];
        const shuffled = new SeededRandom(seed).shuffled(items);
        expect(items).toEqual(before);
        expect([...shuffled].sort((a, b) => a - b)).toEqual(before.sort((a, b) => a - b));
      }),
    );
  });

  test('nothing can be picked from nothing', () => {
    expect(() => new SeededRandom(1).pick([])).toThrow('something to pick from');
    expect(new SeededRandom(1).pick(['only'])).toBe('only');
  });
});

test('SystemRandom gives numbers that differ from one instance to the next', () => {
  const draw = (random: SystemRandom) => Array.from({ length: 300 }, () => random.u32());
  expect(draw(new SystemRandom())).not.toEqual(draw(new SystemRandom()));
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  cowSeedFor,
  frameSeedFor,
  Random,
  seedFieldSize,
  seedRangeOf,
  seedRanges,
} from '../../../../pipelines/dairy/camera/mod.ts';

const field = fc.integer({ min: 0, max: seedFieldSize - 1 });
const range = fc.constantFrom(...seedRanges);

test('a seed tells its range, so no two ranges share one', () => {
  fc.assert(
    fc.property(range, field, field, (name, index, draw) => {
      const seed = cowSeedFor(name, index, draw);
      expect(Number.isSafeInteger(seed)).toBe(true);
      expect(seedRangeOf(seed)).toBe(name);
      expect(seedRangeOf(frameSeedFor(name, index, draw))).toBe(name);
    }),
  );
});

test('other fields are other seeds', () => {
  const place = fc.tuple(range, field, field);
  fc.assert(
    fc.property(place, place, (one, two) => {
      fc.pre(one.join() !== two.join());
      expect(cowSeedFor(...one)).not.toBe(cowSeedFor(...two));
    }),
  );
});

test('the corners of neighbouring ranges do not touch', () => {
  const corners = seedRanges.flatMap((name) => [
    cowSeedFor(name, 0, 0),
    cowSeedFor(name, seedFieldSize - 1, seedFieldSize - 1),
  ]);
  expect(new Set(corners).size).toBe(corners.length);
  expect([...corners].sort((a, b) => a - b)).toEqual(corners);
});

test.each([-1, 0.5, seedFieldSize, Number.NaN])('field %d is refused', (value) => {
  expect(() => cowSeedFor('test', value)).toThrow(RangeError);
  expect(() => frameSeedFor('test', 0, value)).toThrow(RangeError);
});

test('a generator repeats itself, and every bit of the seed counts', () => {
  const firsts = (seed: number): number[] => {
    const random = new Random(seed);
    return Array.from({ length: 4 }, () => random.bits());
  };
  expect(firsts(5)).toEqual(firsts(5));
  const seeds = [5, 6, 5 + 2 ** 32, 5 + 2 ** 52, 5 + 2 ** 40];
  expect(new Set(seeds.map((seed) => firsts(seed).join())).size).toBe(seeds.length);
});

test('draws are spread evenly', () => {
  const random = new Random(77);
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 20_000; i++) {
    const at = random.integer(0, 9);
    counts[at] = (counts[at] ?? 0) + 1;
  }
  for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(250);
  const normals = Array.from({ length: 20_000 }, () => random.normal());
  const mean = normals.reduce((sum, value) => sum + value, 0) / normals.length;
  const variance = normals.reduce((sum, value) => sum + value * value, 0) / normals.length;
  expect(Math.abs(mean)).toBeLessThan(0.04);
  expect(Math.abs(variance - 1)).toBeLessThan(0.06);
});

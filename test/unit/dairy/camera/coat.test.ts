import { expect, test } from 'vitest';
import {
  coatOf,
  cowSeedFor,
  herdOf,
  undecidedShare,
} from '../../../../pipelines/dairy/camera/mod.ts';
import { blackMaskOf } from '../../../../pipelines/dairy/camera/coat.ts';

const coats = Array.from({ length: 1500 }, (_, i) => coatOf(cowSeedFor('train', i, 3)));

test('no cow is 45 to 55 % black, and the colour is the one of more than half', () => {
  for (const { colour, blackShare } of coats) {
    expect(blackShare < undecidedShare.low || blackShare > undecidedShare.high).toBe(true);
    expect(colour).toBe(blackShare > 0.5 ? 'black' : 'white');
  }
});

test('the share of black is that of the drawn mask', () => {
  for (const coat of coats.slice(0, 50)) {
    const mask = blackMaskOf(coat);
    expect(mask.reduce((sum, cell) => sum + cell, 0) / mask.length).toBeCloseTo(coat.blackShare, 9);
  }
});

test('both colours are about equally frequent', () => {
  const white = coats.filter(({ colour }) => colour === 'white').length / coats.length;
  expect(white).toBeGreaterThan(0.44);
  expect(white).toBeLessThan(0.56);
});

test('the same seed is the same cow', () => {
  const seed = cowSeedFor('herd', 4);
  expect(coatOf(seed)).toEqual(coatOf(seed));
  expect(coatOf(seed)).not.toEqual(coatOf(cowSeedFor('herd', 5)));
});

test('no two cows of a herd look alike', () => {
  const masks = herdOf(60).map(({ coat }) => blackMaskOf(coat));
  for (const [i, mask] of masks.entries()) {
    for (const earlier of masks.slice(0, i)) {
      const differing = mask.reduce((sum, cell, at) => sum + Number(cell !== earlier[at]), 0);
      expect(differing / mask.length).toBeGreaterThanOrEqual(0.08);
    }
  }
  expect(masks).toHaveLength(60);
});

test('a herd of no sensible size is refused', () => {
  expect(() => herdOf(-1)).toThrow(RangeError);
  expect(() => herdOf(513)).toThrow(RangeError);
});

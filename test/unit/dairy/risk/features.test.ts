import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  canUseModel,
  featureNames,
  featuresOf,
  gestationKnots,
} from '../../../../pipelines/dairy/risk/features.ts';
import type { CowDay } from '../../../../pipelines/dairy/risk/features.ts';

const heifer: CowDay = {
  daysSinceInsemination: 281,
  parity: 0,
  daysSinceCalving: null,
  milk: null,
};
const milk = { daysSinceRecord: 62, yield: 14, fat: 4.5, protein: 3.6 };
const cow: CowDay = { ...heifer, parity: 3, daysSinceCalving: 370, milk };
const at = (day: CowDay, name: string) => featuresOf(day)[featureNames.indexOf(name)];

test('every feature has a name, and all are numbers whatever the cow', () => {
  const number = fc.double({ min: 0, max: 5000, noNaN: true });
  const orNull = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });
  const anyMilk = fc.record({
    daysSinceRecord: number,
    yield: number,
    fat: orNull(number),
    protein: orNull(number),
  });
  const anyCow = fc.record({
    daysSinceInsemination: number,
    parity: fc.integer({ min: 0, max: 20 }),
    daysSinceCalving: orNull(number),
    milk: orNull(anyMilk),
  });
  const property = fc.property(anyCow, (day) => {
    const features = featuresOf(day);
    expect(features).toHaveLength(featureNames.length);
    expect(features.every((value) => Number.isFinite(value) && Math.abs(value) < 50)).toBe(true);
    // The hats of the gestation share out exactly 1: they hold the intercept.
    const hats = features.subarray(0, gestationKnots.length);
    expect(hats.reduce((a, b) => a + b, 0)).toBeCloseTo(1);
  });
  fc.assert(property, { seed: 1 });
});

test('a hat is 1 at its knot and fades to its neighbours', () => {
  expect(at(heifer, 'gestation_281')).toBe(1);
  expect(at({ ...heifer, daysSinceInsemination: 282 }, 'gestation_281')).toBeCloseTo(2 / 3);
  expect(at({ ...heifer, daysSinceInsemination: 282 }, 'gestation_284')).toBeCloseTo(1 / 3);
  expect(at({ ...heifer, daysSinceInsemination: 900 }, 'gestation_330')).toBe(1);
});

test('a heifer has no milk, a cow without known milk is none for the model', () => {
  expect(at({ ...heifer, milk }, 'yield')).toBe(0);
  expect(at(heifer, 'heifer')).toBe(1);
  expect(at(cow, 'heifer')).toBe(0);
  expect(at(cow, 'protein')).toBeCloseTo(0.2);
  expect(canUseModel(heifer)).toBe(true);
  expect(canUseModel(cow)).toBe(true);
  expect(canUseModel({ ...cow, milk: null })).toBe(false);
  expect(canUseModel({ ...cow, daysSinceCalving: null })).toBe(false);
});

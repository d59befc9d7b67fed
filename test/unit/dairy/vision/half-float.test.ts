import { expect, test } from 'vitest';
import { fromHalf, toHalf } from '../../../../pipelines/dairy/vision/half-float.ts';

test('every finite half float comes back from its value', () => {
  for (let bits = 0; bits < 0x10000; bits += 1) {
    const value = fromHalf(bits);
    if (Number.isNaN(value)) continue;
    if (toHalf(value) !== bits) expect([bits, toHalf(value)]).toEqual([bits, bits]);
  }
});

test('known values of the standard', () => {
  expect(fromHalf(0x3c00)).toBe(1);
  expect(fromHalf(0xc000)).toBe(-2);
  expect(fromHalf(0x7bff)).toBe(65504);
  expect(fromHalf(0x0001)).toBe(2 ** -24);
  expect(toHalf(65520)).toBe(0x7c00);
  expect(toHalf(65519)).toBe(0x7bff);
  expect(toHalf(NaN) & 0x7c00).toBe(0x7c00);
  expect(fromHalf(toHalf(NaN))).toBeNaN();
  expect(toHalf(2 ** -26)).toBe(0);
});

test('a value between two halves goes to the even one, else to the nearer one', () => {
  for (let bits = 0; bits < 0x7bff; bits += 7) {
    const low = fromHalf(bits);
    const high = fromHalf(bits + 1);
    const middle = (low + high) / 2;
    expect(toHalf(middle)).toBe(bits % 2 === 0 ? bits : bits + 1);
    expect(toHalf(low + (high - low) * 0.25)).toBe(bits);
    expect(toHalf(low + (high - low) * 0.75)).toBe(bits + 1);
  }
});

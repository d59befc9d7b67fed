import { describe, expect, test } from 'vitest';
import { median, percentile, shownNumber, summaryOf } from '../../bench/statistics.ts';

describe('the median', () => {
  test('is the middle one, or the mean of the two middle ones', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([7])).toBe(7);
  });

  test('of nothing is no number', () => {
    expect(median([])).toBeNaN();
    expect(summaryOf([]).min).toBeNaN();
  });

  test('orders by value and leaves what it was given alone', () => {
    const given = [10, 9, 100];
    expect(summaryOf(given)).toEqual({ median: 10, min: 9, max: 100, values: [10, 9, 100] });
    expect(given).toEqual([10, 9, 100]);
  });
});

test('a percentile is one of the values, by rank', () => {
  const hundred = Array.from({ length: 100 }, (_, nth) => 100 - nth);
  expect(percentile(hundred, 0.5)).toBe(50);
  expect(percentile(hundred, 0.99)).toBe(99);
  expect(percentile(hundred, 1)).toBe(100);
  expect(percentile(hundred, 0)).toBe(1);
  expect(percentile([3], 0.99)).toBe(3);
  expect(percentile([], 0.5)).toBeNaN();
});

test.each([
  [1_234_567.8, '1,234,568'],
  [123.4, '123'],
  [45.67, '45.7'],
  [1.234, '1.23'],
  [0, '0.00'],
  [0.0123, '0.012'],
  [Number.NaN, '-'],
  [Number.POSITIVE_INFINITY, '-'],
])('%d is shown as %s', (value, text) => {
  expect(shownNumber(value)).toBe(text);
});

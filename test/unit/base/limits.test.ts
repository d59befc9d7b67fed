import { expect, test } from 'vitest';
import { limitRelations, limits } from '../../../platform/base/mod.ts';

test('every limit is a positive integer', () => {
  for (const [name, value] of Object.entries(limits)) {
    expect(Number.isSafeInteger(value) && value > 0, name).toBe(true);
  }
});

test('every relation between limits holds', () => {
  expect(limitRelations.filter(({ holds }) => !holds)).toEqual([]);
  expect(limitRelations.length).toBeGreaterThan(10);
});

test('the limits that the documentation names', () => {
  expect(limits.keyBytes).toBe(1024);
  expect(limits.valueBytesDefault).toBe(64 * 1024 * 1024);
  expect(limits.historyDefault).toBe(128);
  expect(limits.metaBytes).toBe(4096);
});

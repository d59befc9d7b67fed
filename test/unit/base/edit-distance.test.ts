import fc from 'fast-check';
import { expect, test } from 'vitest';
import { editDistance, nearestName } from '../../../platform/base/mod.ts';

test.each([
  ['', '', 0],
  ['', 'abc', 3],
  ['kitten', 'sitting', 3],
  ['port', 'prot', 1],
  ['heartbeatMs', 'heartbeatMS', 1],
  ['ca', 'abc', 3],
])('from %j to %j are %i edits', (a, b, distance) => {
  expect(editDistance(a, b)).toBe(distance);
});

test('the distance is symmetric, zero only for equals, and never more than the longer', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      const distance = editDistance(a, b);
      expect(editDistance(b, a)).toBe(distance);
      expect(distance === 0).toBe(a === b);
      expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
      expect(distance).toBeGreaterThanOrEqual(Math.abs(a.length - b.length));
    }),
  );
});

test('the nearest name is named only when it can be meant', () => {
  expect(nearestName('Volatil', ['volatile', 'persistent'])).toBe('volatile');
  expect(nearestName('qqqqqqqq', ['volatile', 'persistent'])).toBeNull();
  expect(nearestName('x', [])).toBeNull();
});

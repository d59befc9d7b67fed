import { expect, test } from 'vitest';
import { epoch, InvariantError, micros, nodeId, version } from '../../../platform/base/mod.ts';

test('versions start at 1, the others at 0', () => {
  expect(version(1)).toBe(1);
  expect(epoch(0)).toBe(0);
  expect(nodeId(0)).toBe(0);
  expect(() => version(0)).toThrow(InvariantError);
});

test('no unit takes what is not a safe integer', () => {
  for (const value of [-1, 1.5, Number.NaN, Infinity, Number.MAX_SAFE_INTEGER + 1]) {
    expect(() => micros(value)).toThrow(InvariantError);
    expect(() => version(value)).toThrow(InvariantError);
  }
});

import { expect, test } from 'vitest';
import { check, InvariantError, unreachable } from '../../../platform/base/mod.ts';

test('a claim that holds passes', () => {
  expect(() => {
    check(true, 'all is well');
  }).not.toThrow();
});

test('a claim that does not hold is told with its values', () => {
  const fail = () => {
    check(false, 'delivered <= received', { delivered: 7, shard: 'a' });
  };
  expect(fail).toThrow(InvariantError);
  expect(fail).toThrow('Does not hold: delivered <= received (delivered=7, shard="a")');
});

test('a case that was forgotten is told', () => {
  expect(() => unreachable('new-kind' as never)).toThrow('value="new-kind"');
});

import { expect, test } from 'vitest';
import { isFreshetError } from '../../../platform/base/mod.ts';
import { groupLimits } from '../../../platform/group/group-limits.ts';
import { TokenTable } from '../../../platform/group/token-table.ts';

test('finds who waits, and nobody under a token that was used', () => {
  const table = new TokenTable<string>();
  const first = table.add('first');
  const second = table.add('second');
  expect(table.find(first)).toBe('first');
  table.remove(first);
  expect(table.find(first)).toBeNull();
  const third = table.add('third');
  // The slot is used again, the token is not.
  expect(third).not.toBe(first);
  expect((third - first) % groupLimits.waitingTokens).toBe(0);
  expect(table.find(first)).toBeNull();
  expect(table.find(second)).toBe('second');
  expect(table.count).toBe(2);
});

test('unknown tokens are ignored', () => {
  const table = new TokenTable<string>();
  for (const token of [0, -1, 1, 7, NaN, Number.MAX_SAFE_INTEGER]) {
    expect(table.find(token)).toBeNull();
    table.remove(token);
  }
  expect(table.count).toBe(0);
});

test('is bounded', () => {
  const table = new TokenTable<number>();
  for (let slot = 0; slot < groupLimits.waitingTokens; slot++) {
    table.add(slot);
  }
  let refused: unknown = null;
  try {
    table.add(-1);
  } catch (caught) {
    refused = caught;
  }
  expect(isFreshetError(refused, 'OVERLOADED')).toBe(true);
  expect(table.clear()).toHaveLength(groupLimits.waitingTokens);
  expect(table.count).toBe(0);
  expect(table.add(1)).toBeGreaterThan(0);
});

import { expect, test } from 'vitest';
import { KeptByKey } from '../../../platform/base/kept-by-key.ts';

/** Looks for so many keys, numbered from one on, and keeps what is not there; how many were. */
function ask(
  kept: KeptByKey<{ n: number }>,
  from: number,
  count: number,
  distinct: number,
): number {
  let found = 0;
  for (let nth = 0; nth < count; nth++) {
    const n = from + (nth % distinct);
    const value = kept.get(`/k/${String(n)}`);
    if (value === null) kept.keep(`/k/${String(n)}`, { n });
    else if (value.n === n) found++;
  }
  return found;
}

test('keys that come again are found, those beyond its size are not', () => {
  const kept = new KeptByKey<{ n: number }>();
  expect(ask(kept, 0, 100_000, 1000)).toBe(99_000);
  expect(ask(kept, 0, 2 * 4096, 4096)).toBe(1000 + 4096);
  expect(ask(kept, 10_000, 100, 1)).toBe(0);
  kept.clear();
  expect(ask(kept, 0, 1000, 1000)).toBe(0);
});

test('where most are new it rests, and is tried again', () => {
  const kept = new KeptByKey<{ n: number }>();
  ask(kept, 0, 8192, 8192);
  // Nothing is kept, or found, meanwhile.
  expect(ask(kept, 0, 16 * 8192, 10)).toBe(0);
  expect(ask(kept, 100, 1000, 10)).toBe(990);
});

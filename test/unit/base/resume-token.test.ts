import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeToken, encodeToken } from '../../../platform/base/resume-token.ts';

test('a token names every shard and comes back as it was', () => {
  const natural = fc.maxSafeNat();
  const place = fc.record({ epoch: natural, version: natural });
  const entries = fc.uniqueArray(fc.tuple(natural, place), { selector: ([shard]) => shard });
  fc.assert(
    fc.property(entries, (list) => {
      const positions = new Map(list);
      const token = encodeToken(positions);
      expect(token).toMatch(/^[0-9a-z.-]*$/);
      expect(decodeToken(token)).toEqual(positions);
    }),
  );
});

test.each(['x', '1.2', '1.2.3.4', '1.2.-3', '-', '1.2.3-', '1..3', '1.2.zzzzzzzzzzzzzzz', 'é.1.1'])(
  '%j is no token',
  (text) => {
    expect(() => decodeToken(text)).toThrow(/is no resume token/);
  },
);

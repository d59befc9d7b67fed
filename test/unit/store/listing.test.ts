import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareBytes } from '../../../platform/store/listing.ts';

test('the order of keys is that of their UTF-8 bytes', () => {
  const text = fc.string({ unit: 'binary', maxLength: 6 });
  fc.assert(
    fc.property(text, text, (a, b) => {
      const byBytes = Buffer.compare(Buffer.from(a), Buffer.from(b));
      expect(Math.sign(compareBytes(a, b))).toBe(byBytes);
    }),
  );
  // UTF-16 has these the other way round.
  expect(compareBytes('\u{1F404}', '\uFF5E')).toBeGreaterThan(0);
});

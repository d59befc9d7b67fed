import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareText } from '../../../platform/base/mod.ts';

test('texts are in the order of their UTF-8 bytes', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 6 }),
    fc.string({ unit: fc.constantFrom('a', 'b', '\uff5e', '\u{1f404}'), maxLength: 3 }),
  );
  fc.assert(
    fc.property(text, text, (a, b) => {
      const byBytes = Buffer.compare(Buffer.from(a), Buffer.from(b));
      expect(Math.sign(compareText(a, b))).toBe(byBytes);
    }),
  );
  // UTF-16 has these the other way round.
  expect(compareText('\ue000', '\u{1f404}')).toBeLessThan(0);
  expect(compareText('\u{1f404}', '\uff5e')).toBeGreaterThan(0);
});

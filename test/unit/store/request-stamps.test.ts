import { describe, expect, test } from 'vitest';
import { limits, SeededRandom } from '../../../platform/base/mod.ts';
import { RequestStamps } from '../../../platform/store/request-stamps.ts';

describe('session identities of passed on changes', () => {
  test('count up, and tell the lowest that may still be sent again', () => {
    const stamps = new RequestStamps(new SeededRandom(1));
    const [first, second, third] = [stamps.take(), stamps.take(), stamps.take()];
    expect([first, second, third].map(({ request }) => request)).toEqual([1, 2, 3]);
    expect(third.lowestUnanswered).toBe(1);
    stamps.done(first);
    expect(stamps.take()).toEqual({ session: first.session, request: 4, lowestUnanswered: 2 });
    stamps.done(third);
    stamps.done(second);
    expect(stamps.take().lowestUnanswered).toBe(4);
  });

  test('go on in another session when one is full of what is open', () => {
    const stamps = new RequestStamps(new SeededRandom(2));
    const open = Array.from({ length: limits.sessionRequests }, () => stamps.take());
    expect(new Set(open.map(({ session }) => session)).size).toBe(1);
    const next = stamps.take();
    expect(next).toMatchObject({ request: 1, lowestUnanswered: 1 });
    expect(next.session).not.toBe(open[0]?.session);
    for (const stamp of open) stamps.done(stamp);
  });

  test('are positive and exact in a double', () => {
    for (let seed = 0; seed < 200; seed++) {
      const { session } = new RequestStamps(new SeededRandom(seed)).take();
      expect(Number.isSafeInteger(session) && session > 0).toBe(true);
    }
  });

  test('are given back once', () => {
    const stamps = new RequestStamps(new SeededRandom(3));
    const stamp = stamps.take();
    stamps.done(stamp);
    expect(() => {
      stamps.done(stamp);
    }).toThrow(/given back once/);
  });
});

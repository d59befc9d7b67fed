import { describe, expect, test } from 'vitest';
import {
  checkStamp,
  limits,
  ManualClock,
  RequestStamps,
  SeededRandom,
} from '../../../platform/base/mod.ts';

function stampsOf(seed: number) {
  const clock = new ManualClock();
  return { clock, stamps: new RequestStamps(new SeededRandom(seed), clock) };
}

describe('session identities of changes', () => {
  test('count up, and tell the lowest that may still be sent again', () => {
    const { stamps } = stampsOf(1);
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
    const { stamps } = stampsOf(2);
    const open = Array.from({ length: limits.sessionRequests }, () => stamps.take());
    expect(new Set(open.map(({ session }) => session)).size).toBe(1);
    const next = stamps.take();
    expect(next).toMatchObject({ request: 1, lowestUnanswered: 1 });
    expect(next.session).not.toBe(open[0]?.session);
    for (const stamp of open) stamps.done(stamp);
  });

  test('go on in another session while one request stays open, however many are answered', () => {
    const { stamps } = stampsOf(4);
    const stuck = stamps.take();
    for (let nth = 1; nth < limits.sessionRequests; nth++) stamps.done(stamps.take());
    expect(stamps.take()).toMatchObject({ request: 1, lowestUnanswered: 1 });
    stamps.done(stuck);
  });

  test('with many open at once there are no more sessions than those need', () => {
    const { stamps } = stampsOf(6);
    const open: ReturnType<typeof stamps.take>[] = [];
    const sessions = new Set<number>();
    for (let nth = 0; nth < 50_000; nth++) {
      const stamp = stamps.take();
      sessions.add(stamp.session);
      expect(stamp.request - stamp.lowestUnanswered).toBeLessThan(limits.sessionRequests);
      open.push(stamp);
      if (open.length > 3 * limits.sessionRequests) stamps.done(open.shift()!);
    }
    expect(sessions.size).toBeLessThan(8);
    for (const stamp of open) stamps.done(stamp);
  });

  test('go on in another session after a minute', () => {
    const { stamps, clock } = stampsOf(5);
    const first = stamps.take();
    clock.advance(59_999);
    expect(stamps.take()).toMatchObject({ session: first.session, request: 2 });
    clock.advance(1);
    expect(stamps.take()).toMatchObject({ request: 1, lowestUnanswered: 1 });
    stamps.done(first);
  });

  test('are whole numbers, the lowest unanswered one not above the request', () => {
    const stamp = { session: 1, request: 2, lowestUnanswered: 2 };
    checkStamp(stamp);
    const wrong = [
      { session: 0 },
      { request: 0 },
      { session: 1.5 },
      { session: 2 ** 53 },
      { lowestUnanswered: -1 },
      { lowestUnanswered: 3 },
      { lowestUnanswered: NaN },
    ];
    for (const part of wrong) {
      const check = () => {
        checkStamp({ ...stamp, ...part });
      };
      expect(check).toThrow(/names no request/);
    }
  });

  test('are positive and exact in a double', () => {
    for (let seed = 0; seed < 200; seed++) {
      const { session } = stampsOf(seed).stamps.take();
      expect(Number.isSafeInteger(session) && session > 0).toBe(true);
    }
  });

  test('are given back once', () => {
    const { stamps } = stampsOf(3);
    const stamp = stamps.take();
    stamps.done(stamp);
    expect(() => {
      stamps.done(stamp);
    }).toThrow(/given back once/);
  });
});

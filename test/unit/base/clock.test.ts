import { describe, expect, test } from 'vitest';
import { ManualClock, SystemClock } from '../../../platform/base/mod.ts';

describe('SystemClock', () => {
  function sourceAt(wallMs: number) {
    const now = { wallMs, monotonicMs: 5000 };
    const clock = new SystemClock({
      wallMs: () => now.wallMs,
      monotonicMs: () => now.monotonicMs,
    });
    return { now, clock };
  }

  test('starts at the wall clock and advances by the monotonic one', () => {
    const { now, clock } = sourceAt(1_700_000_000_000);
    expect(clock.wallUs()).toBe(1_700_000_000_000_000);
    now.monotonicMs += 1.5;
    expect(clock.wallUs()).toBe(1_700_000_000_001_500);
  });

  test('a stepped wall clock is reported, not followed', () => {
    const { now, clock } = sourceAt(1_700_000_000_000);
    now.wallMs -= 3_600_000;
    now.monotonicMs += 1;
    expect(clock.wallUs()).toBe(1_700_000_000_001_000);
    expect(clock.wallStepUs()).toBe(-3_600_001_000);
  });

  test('the machine gives a time of this century that does not go back', () => {
    const clock = new SystemClock();
    let last = clock.wallUs();
    expect(last).toBeGreaterThan(1_700_000_000_000_000);
    for (let i = 0; i < 1000; i++) {
      const now = clock.wallUs();
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
    }
  });

  test('a cancelled timer does not fire, and says whether it was still to', async () => {
    const clock = new SystemClock();
    const fired: string[] = [];
    const cancel = clock.after(0, () => fired.push('cancelled'));
    expect(cancel()).toBe(true);
    expect(cancel()).toBe(false);
    const cancelLate = await new Promise<() => boolean>((resolve) => {
      const late = clock.after(0, () => {
        resolve(late);
      });
      setTimeout(() => undefined, 50);
    });
    expect(cancelLate()).toBe(false);
    expect(fired).toEqual([]);
  });
});

describe('ManualClock', () => {
  test('stands still until it is advanced', () => {
    const clock = new ManualClock(1_000_000);
    expect(clock.wallUs()).toBe(1_000_000);
    clock.advance(2.5);
    expect(clock.wallUs()).toBe(1_002_500);
    expect(clock.monotonicMs()).toBe(2.5);
    expect(() => {
      clock.advance(-1);
    }).toThrow('time moves forward');
  });

  test('timers fire in order of time, then of setting, at their own time', () => {
    const clock = new ManualClock();
    const fired: string[] = [];
    const note = (name: string) => () => fired.push(`${name}@${String(clock.monotonicMs())}`);
    clock.after(20, note('b'));
    clock.after(10, note('a'));
    clock.after(20, note('c'));
    const cancel = clock.after(15, note('never'));
    expect(cancel()).toBe(true);
    clock.advance(15);
    expect(fired).toEqual(['a@10']);
    clock.advance(10);
    expect(fired).toEqual(['a@10', 'b@20', 'c@20']);
    expect(clock.timerCount).toBe(0);
  });

  test('a timer set by a timer fires in the same advance when due', () => {
    const clock = new ManualClock();
    const fired: number[] = [];
    const tick = () => {
      fired.push(clock.monotonicMs());
      clock.after(10, tick);
    };
    clock.after(10, tick);
    clock.advance(35);
    expect(fired).toEqual([10, 20, 30]);
    expect(clock.timerCount).toBe(1);
  });
});

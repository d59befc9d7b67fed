import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { gatewayLimits } from '../../../platform/gateway/gateway-limits.ts';
import { Movement } from '../../../platform/gateway/movement.ts';

const idleMs = 1000;
const { longLeastBytes } = gatewayLimits;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

test('what moves a little at a time is given up as what stands still', () => {
  const giveUp = vi.fn();
  const movement = new Movement(idleMs, giveUp);
  for (let step = 0; step < 3; step++) {
    vi.advanceTimersByTime(idleMs - 1);
    movement.moved(longLeastBytes / 2);
    movement.moved(longLeastBytes / 2);
  }
  vi.advanceTimersByTime(idleMs - 1);
  movement.moved(longLeastBytes - 1);
  expect(giveUp).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(giveUp).toHaveBeenCalledWith(expect.objectContaining({ code: 'TIMEOUT' }));
  movement.moved(longLeastBytes);
  vi.advanceTimersByTime(idleMs);
  expect(giveUp).toHaveBeenCalledOnce();
});

test('what has ended is not given up', () => {
  const giveUp = vi.fn();
  const movement = new Movement(idleMs, giveUp);
  movement.end();
  movement.moved(longLeastBytes);
  vi.advanceTimersByTime(idleMs);
  expect(giveUp).not.toHaveBeenCalled();
});

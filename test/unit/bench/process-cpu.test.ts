import { expect, test } from 'vitest';
import { ticksInStat, ticksOf } from '../../bench/process-cpu.ts';

test('ticks are read after the name, whatever the name holds', () => {
  const rest = 'S 1 2 3 0 -1 4194560 100 0 0 0 71 29 0 0 20 0 11 0 5 6 7';
  expect(ticksInStat(`42 (node) ${rest}`)).toBe(100);
  expect(ticksInStat(`42 (a) b) (c d) ${rest}`)).toBe(100);
});

test('this process has used the processor', () => {
  const before = ticksOf(process.pid);
  const until = performance.now() + 60;
  let sum = 0;
  while (performance.now() < until) sum += Math.sqrt(sum + 1);
  expect(Number.isInteger(before)).toBe(true);
  expect(ticksOf(process.pid)).toBeGreaterThanOrEqual(before);
});

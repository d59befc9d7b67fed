import { expect, test } from 'vitest';
import { knownCow } from '../../../../pipelines/dairy/risk/known-cow.ts';

const micros = (text: string): number => Date.parse(text) * 1000;
const at = micros('2024-10-04T09:00Z');
const measured = (date: string, value: number) => ({
  eventTime: micros(`${date}T18:00Z`),
  value,
});
const insemination = { date: '2024-01-01', parity: 2, lastCalving: '2023-10-01' };
const none = { yields: [], fats: [], proteins: [] };

test('only what was written down before the moment counts', () => {
  const records = {
    insemination,
    yields: [measured('2024-10-04', 99), measured('2024-10-03', 20), measured('2024-10-02', 22)],
    fats: [measured('2024-10-04', 9), measured('2024-10-03', 4)],
    proteins: [],
  };
  expect(knownCow(records, at)).toEqual({
    daysSinceInsemination: 277,
    parity: 2,
    daysSinceCalving: 369,
    milk: { daysSinceRecord: 1, yield: 21, fat: 4, protein: null },
  });
});

test('of monthly records only the last counts, of daily ones the last ten days', () => {
  const yields = [measured('2024-09-20', 10), measured('2024-08-20', 30)];
  expect(knownCow({ ...none, insemination, yields }, at)?.milk).toMatchObject({
    daysSinceRecord: 14,
    yield: 10,
  });
  const daily = Array.from({ length: 20 }, (_, i) => ({
    eventTime: micros('2024-09-30T18:00Z') - i * 86_400_000_000,
    value: i < 10 ? 12 : 40,
  }));
  expect(knownCow({ ...none, insemination, yields: daily }, at)?.milk?.yield).toBe(12);
});

test('milk of an earlier lactation is none of this one', () => {
  const yields = [measured('2023-09-01', 15)];
  expect(knownCow({ ...none, insemination, yields }, at)?.milk).toBeNull();
});

test('a heifer, and an insemination that has not been yet or has no date', () => {
  const heifer = { date: '2024-01-01', parity: 0, lastCalving: null };
  expect(knownCow({ ...none, insemination: heifer }, at)).toEqual({
    daysSinceInsemination: 277,
    parity: 0,
    daysSinceCalving: null,
    milk: null,
  });
  expect(knownCow({ ...none, insemination: { ...heifer, date: '2024-10-05' } }, at)).toBeNull();
  expect(knownCow({ ...none, insemination: { ...heifer, date: 'soon' } }, at)).toBeNull();
});

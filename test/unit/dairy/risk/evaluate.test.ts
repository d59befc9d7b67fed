import { expect, test } from 'vitest';
import { calvesWithin, readCowDays } from '../../../../pipelines/dairy/risk/cow-days.ts';
import type { LabelledDay } from '../../../../pipelines/dairy/risk/cow-days.ts';
import {
  brier,
  calibration,
  crossValidate,
  toRows,
} from '../../../../pipelines/dairy/risk/evaluate.ts';
import type { HeldOut } from '../../../../pipelines/dairy/risk/evaluate.ts';
import { fitTable, lookUp } from '../../../../pipelines/dairy/risk/insemination-table.ts';
import { testData } from '../../../support/mod.ts';

const day: LabelledDay = {
  herd: 'h',
  cow: 'c',
  daysSinceInsemination: 280,
  parity: 0,
  daysSinceCalving: null,
  milk: null,
  daysToCalving: 3,
  daysKnown: Infinity,
};

test('a calving within the horizon counts its first day and not the one after its last', () => {
  expect([0, 2, 3, 4].map((days) => calvesWithin({ ...day, daysToCalving: days }, 3))).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(calvesWithin({ ...day, daysToCalving: null }, 3)).toBe(false);
});

test('the table holds shares, and the ends of the span outside it', () => {
  const rows = [1, 1, 0, 0, 0].map((calved) => ({
    daysSinceInsemination: 281,
    isCalving: calved === 1,
  }));
  const table = fitTable([...rows, { daysSinceInsemination: 330, isCalving: false }]);
  expect(lookUp(table, 281)).toBeCloseTo(2.5 / 6);
  expect(lookUp(table, 500)).toBeCloseTo(0.5 / 2);
  expect(lookUp(table, 10)).toBe(Math.min(...table));
});

test('scores and calibration of answers that are known', () => {
  const rows: HeldOut[] = [
    { herd: 'a', day, isCalving: true, model: 0.8, table: 0.5 },
    { herd: 'a', day, isCalving: false, model: 0.4, table: 0.5 },
  ];
  expect(brier(rows, 'model')).toBeCloseTo((0.04 + 0.16) / 2);
  expect(brier(rows, 'table')).toBeCloseTo(0.25);
  expect(calibration(rows, [0, 0.5, 1])).toEqual([
    { from: 0, to: 0.5, days: 1, predicted: 0.4, observed: 0 },
    { from: 0.5, to: 1, days: 1, predicted: 0.8, observed: 1 },
  ]);
});

/** Every fourth cow: enough to tell, and a quarter of the time. */
test('on real herds held out the model beats the table, within 7 days', async (context) => {
  const folder = testData(context, 'tables');
  const all = await readCowDays(folder, 7);
  const days = all.filter(({ cow }) => Number(cow.slice(2)) % 4 === 0);
  const splits = crossValidate(toRows(days, 7), 2, 1);
  const herds = splits.map((split) => new Set(split.map(({ herd }) => herd)));
  expect([...(herds[0] ?? [])].filter((herd) => herds[1]?.has(herd))).toEqual([]);
  const cows = splits.map((split) => new Set(split.map((row) => row.day.cow)));
  expect([...(cows[0] ?? [])].filter((cow) => cows[1]?.has(cow))).toEqual([]);
  expect(splits.flat()).toHaveLength(days.length);
  for (const split of splits) {
    expect(brier(split, 'model')).toBeLessThan(brier(split, 'table'));
  }
  // A cow's milk is always of a day before the one in question, and of this lactation.
  for (const { milk, daysSinceCalving } of all) {
    if (milk === null) continue;
    if (milk.daysSinceRecord < 1 || milk.daysSinceRecord > (daysSinceCalving ?? 0)) {
      expect([milk.daysSinceRecord, daysSinceCalving]).toEqual('a record of this lactation');
    }
  }
});

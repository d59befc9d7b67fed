import { createReadStream } from 'node:fs';
import { expect, test } from 'vitest';
import {
  expectedFat,
  expectedProtein,
  expectedYield,
  generateHerd,
  gestation,
  toPuts,
} from '../../../../pipelines/dairy/records/mod.ts';
import { readCsv } from '../../../../platform/client/mod.ts';
import type { HerdRecord } from '../../../../pipelines/dairy/records/mod.ts';
import { testData } from '../../../support/mod.ts';

const cows = Array.from({ length: 200 }, (_, i) => ({ name: String(i) }));
const firstDay = 19_000;
const options = { cows, firstDay, lastDay: firstDay + 1500, seed: 11 };
const herd = generateHerd(options);
const of = <K extends HerdRecord['kind']>(kind: K) =>
  herd.filter((record): record is Extract<HerdRecord, { kind: K }> => record.kind === kind);
const byCow = new Map<string, HerdRecord[]>(cows.map(({ name }) => [name, []]));
for (const record of herd) byCow.get(record.cow)?.push(record);
const ownOf = (cow: string) => byCow.get(cow) ?? [];
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

test('the same seed gives the same records, another one others', () => {
  const few = { ...options, cows: cows.slice(0, 5) };
  expect(generateHerd(few)).toEqual(generateHerd(few));
  expect(generateHerd({ ...few, seed: 12 })).not.toEqual(generateHerd(few));
});

test('a cow is the same in a smaller herd and in shorter records', () => {
  const alone = generateHerd({ ...options, cows: [{ name: '7' }], lastDay: firstDay + 700 });
  expect(alone).toEqual(ownOf('7').filter(({ day }) => day <= firstDay + 700));
});

test('each calving comes a gestation after the last insemination, and none without', () => {
  const gaps: number[] = [];
  for (const { name } of cows) {
    let insemination: number | null = null;
    for (const record of ownOf(name)) {
      if (record.kind === 'insemination') insemination = record.day;
      if (record.kind === 'calving' && insemination !== null) gaps.push(record.day - insemination);
      if (record.kind === 'calving') insemination = null;
    }
  }
  expect(gaps.length).toBeGreaterThan(400);
  expect(Math.abs(mean(gaps) - gestation.mean)).toBeLessThan(1.5);
  const deviation = Math.sqrt(mean(gaps.map((gap) => (gap - mean(gaps)) ** 2)));
  expect(Math.abs(deviation - gestation.deviation)).toBeLessThan(1);
});

test('parity counts calvings, and what an insemination says of the last one is true', () => {
  for (const { name } of cows) {
    let parity: number | null = null;
    let calving: number | null = null;
    for (const record of ownOf(name)) {
      if (record.kind === 'calving') {
        if (parity !== null) expect(record.parity).toBe(parity + 1);
        parity = record.parity;
        calving = record.day;
      }
      if (record.kind === 'insemination') {
        if (parity !== null) expect(record.parity).toBe(parity);
        if (calving !== null) expect(record.lastCalvingDay).toBe(calving);
        expect(record.parity === 0).toBe(record.lastCalvingDay === null);
        parity = record.parity;
      }
    }
  }
});

test('milk flows every day from calving to dry-off, and never from a heifer or a dry cow', () => {
  for (const { name } of cows) {
    const records = ownOf(name);
    const calvings = records.flatMap((r) => (r.kind === 'calving' ? [r.day] : []));
    const days = records.flatMap((r) => (r.kind === 'milk' ? [r.day] : []));
    const milk = new Set(days);
    expect(milk.size).toBe(days.length);
    for (const calving of calvings) {
      if (calving < options.lastDay) expect(milk.has(calving + 1)).toBe(true);
      // At least a month dry, whatever the gestation.
      for (let day = calving - 29; day <= calving; day += 1) {
        if (milk.has(day)) expect([name, calving, day]).toEqual('no milk');
      }
    }
  }
});

test('daily values lie around the curves', () => {
  const milk = of('milk');
  expect(mean(milk.map((r) => r.yield))).toBeGreaterThan(18);
  expect(mean(milk.map((r) => r.yield))).toBeLessThan(30);
  expect(mean(milk.map((r) => r.fat))).toBeCloseTo(4, 0);
  expect(mean(milk.map((r) => r.protein))).toBeCloseTo(3.4, 0);
  expect(expectedYield(3, 50)).toBeGreaterThan(expectedYield(1, 50));
  expect(expectedYield(3, 50)).toBeGreaterThan(expectedYield(3, 300) * 1.5);
});

test('records become the puts of the dairy pools', () => {
  const puts = toPuts({ kind: 'milk', cow: '128', day: 20_000, yield: 14.2, fat: 4, protein: 3 });
  const eventTime = Date.parse('2024-10-04T18:00Z') * 1000;
  expect(puts).toEqual([
    { key: '/dairy/daily_yield/cow_128', value: { yield: 14.2 }, eventTime },
    { key: '/dairy/daily_fat/cow_128', value: { fat: 4 }, eventTime },
    { key: '/dairy/daily_protein/cow_128', value: { protein: 3 }, eventTime },
  ]);
  const [served] = toPuts({
    kind: 'insemination',
    cow: '128',
    day: 20_000,
    parity: 1,
    lastCalvingDay: 19_900,
  });
  expect(served).toMatchObject({
    key: '/dairy/insemination/cow_128',
    value: { date: '2024-10-04', parity: 1, lastCalving: '2024-06-26' },
  });
});

test('records without end are refused', () => {
  expect(() => generateHerd({ ...options, lastDay: firstDay - 1 })).toThrow(RangeError);
  expect(() => generateHerd({ ...options, lastDay: firstDay + 40_000 })).toThrow(RangeError);
});

test('the curves lie near the test days of real herds', async (context) => {
  const file = testData(context, 'tables', 'dairyherd_rec_20herds.csv');
  const ratios = { yield: [] as number[], fat: [] as number[], protein: [] as number[] };
  for await (const row of readCsv(createReadStream(file))) {
    if (row.kind === 'bad' || row.at.line === 1) continue;
    const [, date = '', , parity, calving = '', milk, fat, protein] = row.fields;
    const inMilk = (Date.parse(date) - Date.parse(calving)) / 86_400_000;
    if (inMilk < 5 || inMilk > 305) continue;
    ratios.yield.push(Number(milk) / expectedYield(Number(parity), inMilk));
    ratios.fat.push(Number(fat) / expectedFat(inMilk));
    ratios.protein.push(Number(protein) / expectedProtein(inMilk));
  }
  expect(ratios.yield.length).toBeGreaterThan(40_000);
  for (const values of Object.values(ratios)) {
    expect(mean(values)).toBeGreaterThan(0.85);
    expect(mean(values)).toBeLessThan(1.15);
  }
});

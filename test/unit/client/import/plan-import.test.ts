import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { planImport } from '../../../../platform/client/import/plan-import.ts';
import type { ImportItem, ImportOptions } from '../../../../platform/client/import/plan-import.ts';
import { testData } from '../../../support/mod.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'freshet-import-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const wide: Omit<ImportOptions, 'file'> = {
  keyTemplate: '/dairy/daily_{field}/cow_{cow}',
  eventTimeColumn: 'date',
};

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

async function itemsOf(text: string, options: Partial<ImportOptions> = {}): Promise<ImportItem[]> {
  const file = join(folder, 'table.csv');
  writeFileSync(file, text);
  return collect(planImport({ ...wide, file, ...options }));
}
const putsOf = (items: ImportItem[]) => items.filter((item) => item.kind === 'put');
const badOf = (items: ImportItem[]) => items.filter((item) => item.kind === 'bad');
const day = (text: string): number => Date.parse(text) * 1000;

test('a wide row becomes one put a value column, holes none', async () => {
  const items = await itemsOf('date,cow,yield,fat\n2024-05-01,128,14.2,4.1\n2024-05-02,128,NA,4\n');
  expect(putsOf(items)).toEqual([
    {
      kind: 'put',
      key: '/dairy/daily_yield/cow_128',
      value: { yield: 14.2 },
      eventTime: day('2024-05-01'),
      line: 2,
    },
    {
      kind: 'put',
      key: '/dairy/daily_fat/cow_128',
      value: { fat: 4.1 },
      eventTime: day('2024-05-01'),
      line: 2,
    },
    {
      kind: 'put',
      key: '/dairy/daily_fat/cow_128',
      value: { fat: 4 },
      eventTime: day('2024-05-02'),
      line: 3,
    },
  ]);
});

test('without {field} a row is one put of all its values; columns can be renamed', async () => {
  const items = await itemsOf('d;anim;milk;breed\n1-5-2024;7;20;HO\n', {
    keyTemplate: '/byre/{cow}/day',
    eventTimeColumn: 'date',
    timeFormat: 'd-m-y',
    delimiter: ';',
    rename: { d: 'date', anim: 'cow', milk: 'litres' },
    textFields: ['breed'],
  });
  expect(putsOf(items)).toMatchObject([
    { key: '/byre/7/day', value: { litres: 20, breed: 'HO' }, eventTime: day('2024-05-01') },
  ]);
});

test('a bad row gives no put and is listed with its line and what is wrong', async () => {
  const rows = [
    '2024-05-01,1,14.2,4.1',
    '2024-05-32,1,14.2,4.1',
    '2024-05-01,1,viel,4.1',
    '2024-05-01,1,14.2',
    '2024-05-01,a/b,14.2,4.1',
    '2024-05-01,..,14.2,4.1',
    '2024-05-01,,14.2,4.1',
    '"2024-05-01',
    '",1,0x10,4.1',
    '2024-05-01,1,Infinity,4.1',
    '2024-05-02,1,14,4.2',
  ];
  const items = await itemsOf(`date,cow,yield,fat\n${rows.join('\n')}\n`);
  expect(badOf(items).map(({ line, reason }) => `${line}: ${reason}`)).toEqual([
    '3: date is "2024-05-32", not a time as iso',
    '4: yield is "viel", not a number',
    '5: 3 cells, the header has 4',
    '6: cow contains a slash, so it cannot be in a key',
    '7: cow contains two dots, so it cannot be in a key',
    '8: cow is empty, so it cannot be in a key',
    '9: yield is "0x10", not a number',
    '11: yield is "Infinity", not a number',
  ]);
  expect(putsOf(items).map((put) => put.line)).toEqual([2, 2, 12, 12]);
});

test('an import goes on after any row, with the lines of the whole file', async () => {
  const lines = Array.from({ length: 40 }, (_, i) =>
    i % 9 === 4 ? 'broken' : `2024-05-01,${i},${i}.5,"4,1"`.replace('"4,1"', '4.1'),
  );
  const text = `date,cow,yield,fat\n${lines.join('\r\n')}`;
  const whole = await itemsOf(text);
  const tokens = whole.flatMap((item, i) =>
    item.kind === 'row' ? [{ i, token: item.token }] : [],
  );
  expect(tokens).toHaveLength(40);
  for (const { i, token } of tokens) {
    expect(await itemsOf(text, { from: token })).toEqual(whole.slice(i + 1));
  }
});

test('what cannot be imported at all is refused before any row', async () => {
  const text = 'date,cow,yield\n2024-05-01,1,2\n';
  const refused = (options: Partial<ImportOptions>, table = text) =>
    expect(itemsOf(table, options)).rejects;
  const code = 'INVALID_ARGUMENT';
  await refused({ eventTimeColumn: 'day' }).toMatchObject({
    code,
    message: 'there is no column day; the columns are date, cow, yield',
  });
  await refused({ keyTemplate: '/a/{kuh}/{field}' }).toThrow('no column kuh');
  await refused({ keyTemplate: '/a/{cow/{field}' }).toThrow('braces');
  await refused({ keyTemplate: 'a/{cow}' }).toThrow('must start with /');
  await refused({ fields: ['fat'] }).toThrow('no column fat');
  await refused({ fields: [] }).toThrow('no column is left for values');
  await refused({}, '').toThrow('is empty');
  await refused({}, 'date,cow,yield,yield\n').toThrow('two columns are called yield');
  await refused({ from: '12:3:99' }).toMatchObject({ code });
  await refused({ from: 'x' }).toMatchObject({ code });
  await refused({ file: join(folder, 'absent.csv') }).toMatchObject({ code });
  await refused({ file: folder }).toMatchObject({ code });
});

test('the real milk records of twenty herds are read whole', async (context) => {
  const items = planImport({
    file: testData(context, 'tables', 'dairyherd_rec_20herds.csv'),
    keyTemplate: '/dairy/daily_{field}/cow_{cow}',
    eventTimeColumn: 'ctrl_date',
    rename: { anim_id: 'cow', milk: 'yield', prot: 'protein' },
    fields: ['yield', 'fat', 'protein'],
  });
  const counts = { put: 0, bad: 0, row: 0 };
  const keys = new Set<string>();
  let litres = 0;
  for await (const item of items) {
    counts[item.kind] += 1;
    if (item.kind !== 'put') continue;
    keys.add(item.key);
    litres += Number(item.value['yield'] ?? 0);
  }
  expect(counts).toEqual({ put: 3 * 49_960, bad: 0, row: 49_960 });
  expect(keys.size).toBe(3 * 2404);
  // Test-day yields of dairy cows, kg a day.
  expect(litres / 49_960).toBeGreaterThan(15);
  expect(litres / 49_960).toBeLessThan(35);
});

test('a table with days first and other names', async (context) => {
  const items = await collect(
    planImport({
      file: testData(context, 'tables', 'lactationcurve_testday.csv'),
      keyTemplate: '/herd/lactation_{TestId}',
      eventTimeColumn: 'TestDate',
      timeFormat: 'd-m-y',
      fields: ['DaysInMilk', 'Parity', 'MilkingYield'],
    }),
  );
  expect(badOf(items)).toEqual([]);
  expect(putsOf(items)).toHaveLength(33_346);
});

import { expect, test } from 'vitest';
import { tableLines } from '../../bench/table.ts';

const columns = [
  { title: 'name', side: 'left' },
  { title: 'n', side: 'right' },
] as const;

test('columns are as wide as their widest cell, numbers flush right, no blanks at the end', () => {
  const rows = [
    ['a', '1'],
    ['longer', '1,000'],
  ];
  expect(tableLines(columns, rows)).toEqual([
    'name        n',
    '------  -----',
    'a           1',
    'longer  1,000',
  ]);
});

test('a missing cell is empty, a table of nothing is its head', () => {
  expect(tableLines(columns, [['x']]).at(-1)).toBe('x');
  expect(tableLines(columns, [])).toEqual(['name  n', '----  -']);
});

import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type Figure, type Row, plainRow } from '../../bench/row.ts';
import { runRow, summarised } from '../../bench/run-rows.ts';

const figure = (value: number, raw: number | null): Figure => ({
  name: 'f',
  unit: 'puts/s',
  value,
  raw: raw === null ? null : { name: 'bare', value: raw },
});

const context = {
  root: '/',
  quick: true,
  coreBench: () => Promise.resolve(''),
  say: () => undefined,
};

test('the ratio is the median of the ratios of the runs, not the ratio of the medians', () => {
  const [one] = summarised('row', [[figure(10, 5)], [figure(30, 10)], [figure(20, 40)]]);
  expect(one?.summary.median).toBe(20);
  expect(one?.raw?.summary.median).toBe(10);
  expect(one?.ratio).toBe(2);
});

test('without a raw block there is no ratio', () => {
  expect(summarised('row', [[figure(1, null)]])[0]).toMatchObject({ raw: null, ratio: null });
});

test('a row runs as often as asked, is closed, and its folder is gone', async () => {
  const log: string[] = [];
  let seen = '';
  const row: Row = {
    name: 'row',
    method: '',
    open: ({ folder }) => {
      seen = folder;
      return Promise.resolve({
        run: () => {
          log.push('run');
          return Promise.resolve([figure(log.length, null)]);
        },
        close: () => {
          log.push('close');
          return Promise.resolve();
        },
      });
    },
  };
  const result = await runRow(row, 3, context);
  expect(log).toEqual(['run', 'run', 'run', 'close']);
  expect(result.failure).toBeNull();
  expect(result.figures[0]?.summary.values).toEqual([1, 2, 3]);
  expect(existsSync(seen)).toBe(false);
});

test('a failing run is told and keeps what was measured before', async () => {
  let runs = 0;
  const row = plainRow('row', '', () => {
    runs += 1;
    if (runs === 2) throw new Error('it broke');
    return Promise.resolve([figure(5, null)]);
  });
  const { failure, figures } = await runRow(row, 3, context);
  expect(failure).toBe('it broke');
  expect(figures[0]?.summary.values).toEqual([5]);
});

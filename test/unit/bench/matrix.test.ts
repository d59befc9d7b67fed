import { expect, test } from 'vitest';
import { largeLoad, matrixLines } from '../../bench/matrix.ts';

const MiB = 2 ** 20;

test('a message is put whole if a value may be as long', () => {
  const { title, options } = largeLoad(100 * MiB, 1024 * MiB);
  expect(title).toBe('100 MiB');
  expect(options(8)).toMatchObject({ size: 100 * MiB, window: 1, puts: 1 });
  expect(options(1)).toMatchObject({ puts: 4 });
});

test('a longer one is put as several values of one length', () => {
  const { title, options } = largeLoad(100 * MiB, 64 * MiB);
  expect(title).toBe('100 MiB as 2 × 50');
  expect(options(8)).toMatchObject({ size: 50 * MiB, window: 2, puts: 2 });
  expect(options(1)).toMatchObject({ puts: 8 });
});

test('rates stand in one line, the shares of the agents below', () => {
  const cell = 'matrix: 2 members, one sending, 1 MiB raw';
  const figure = (name: string, value: number) => ({
    ...{ row: 'matrix', name, unit: '', raw: null, ratio: null },
    summary: { median: value, min: value, max: value, values: [value] },
  });
  const figures = [
    figure(cell, 123.4),
    ...Object.entries({ protocol: 17.2, copy: 9.6, system: 43, idle: 30.2 }).map(([work, share]) =>
      figure(`${cell}: agents, ${work}`, share),
    ),
  ];
  const result = { name: 'matrix', method: '', figures, failure: '2 members: no answer' };
  const lines = matrixLines(result, false);
  const at = lines.findIndex((line) => /^ +2 +one \(1\) .* 123 /.test(line));
  expect(lines[at + 1]).toContain('17 10 43 30');
  expect(lines.at(-1)).toBe('2 members: no answer');
});

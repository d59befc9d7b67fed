import { expect, test } from 'vitest';
import { SeededRandom } from '../../platform/base/mod.ts';
import { drawRound, roundNames } from './faults.ts';
import { parseLine, parseScript } from './script.ts';

test('a script has what is to be there first, and steps with their lines', () => {
  const text = [
    '# A comment',
    'members 5',
    'disk 2 700',
    'value 16KiB',
    '',
    'cut 1 2 | 3 4 # both ways',
    'cut 5 -> 1 2',
    'view all at 1',
  ];
  const script = parseScript('some.txt', text.join('\n'));
  expect(script).toMatchObject({ members: 5, valueBytes: 16_384 });
  expect([...script.disks]).toEqual([[2, 700]]);
  expect(script.lines.map(({ number, step }) => ({ number, ...step }))).toEqual([
    { number: 6, verb: 'cut', from: [1, 2], to: [3, 4] },
    { number: 7, verb: 'cut-one-way', from: 5, to: [1, 2] },
    { number: 8, verb: 'view', members: 'all', at: [1] },
  ]);
});

test.each([
  ['start', /some\.txt:2: expected another word/],
  ['started 1', /expected a known verb, not started/],
  ['cut 1 2', /expected -> at word 4/],
  ['cut 1 2 -> 3', /expected one member before ->/],
  ['delay 1 100', /expected a number of ms/],
  ['heal all', /expected the end of the line at word 2/],
])('%s is refused with its place', (line, reason) => {
  expect(() => parseScript('some.txt', `start all\n${line}`)).toThrow(reason);
});

test('every round of the soak is made of lines, alike for a seed, and ends in a view of all', () => {
  for (const members of [2, 3, 5]) {
    const ids = Array.from({ length: members }, (_, nth) => nth + 1);
    for (const name of roundNames) {
      const lines = drawRound(name, ids, new SeededRandom(7));
      expect(drawRound(name, ids, new SeededRandom(7))).toEqual(lines);
      expect(lines.map((line) => parseLine(line).verb)).toContain('view');
    }
  }
});

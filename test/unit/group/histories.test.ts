import { describe, expect, test } from 'vitest';
import { compareHistories } from '../../../platform/group/histories.ts';
import type { Checkpoint, History } from '../../../platform/group/log-calls.ts';

const point = (version: number, digest: string, epoch = 1): Checkpoint => ({
  epoch,
  sequence: version + 10,
  version,
  digest,
});

function history(end: Checkpoint, ...checkpoints: Checkpoint[]): History {
  return { end, checkpoints };
}

describe('histories are compared', () => {
  test('at the newest checkpoint that all have, while each goes on', () => {
    const { version, minority, verdicts } = compareHistories(
      new Map([
        [1, history(point(2500, 'x'), point(1024, 'a'), point(2048, 'b'))],
        [2, history(point(2600, 'y'), point(1024, 'a'), point(2048, 'b'))],
        [3, history(point(2000, 'z'), point(1024, 'a'))],
      ]),
      3,
    );
    expect(version).toBe(1024);
    expect(minority).toEqual([]);
    expect([...verdicts.values()]).toEqual(['same', 'same', 'same']);
  });

  test('where they end, when nothing is put', () => {
    const all = [1, 2, 3].map((node) => [node, history(point(7, 'a'))] as const);
    expect(compareHistories(new Map(all), 3)).toMatchObject({ version: 7, minority: [] });
  });

  test('and the one that differs is the minority', () => {
    const compared = compareHistories(
      new Map([
        [1, history(point(7, 'wrong'))],
        [2, history(point(7, 'a'))],
        [3, history(point(7, 'a'))],
      ]),
      3,
    );
    expect(compared).toMatchObject({ version: 7, minority: [1] });
    expect(compared.verdicts.get(1)).toBe('differs');
    expect(compared.verdicts.get(2)).toBe('same');
  });

  test('and without a majority all are', () => {
    const two = new Map([
      [1, history(point(7, 'a'))],
      [2, history(point(7, 'b'))],
    ]);
    expect(compareHistories(two, 2).minority).toEqual([1, 2]);
    // Two that agree are most of three; one and one are not.
    expect(compareHistories(two, 3).minority).toEqual([1, 2]);
  });

  test('not across epochs that share a sequence, nor with nobody', () => {
    const apart = new Map([
      [1, history(point(7, 'a', 1))],
      [2, history(point(7, 'b', 2))],
    ]);
    const { version, minority, verdicts } = compareHistories(apart, 3);
    expect([version, minority]).toEqual([null, []]);
    expect([...verdicts.values()]).toEqual(['unknown', 'unknown']);
    expect(compareHistories(new Map(), 3)).toMatchObject({ version: null, minority: [] });
  });
});

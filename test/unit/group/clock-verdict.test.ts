import { describe, expect, test } from 'vitest';
import { ClockOffsets } from '../../../platform/group/clock-offsets.ts';
import {
  clockAccusations,
  type ClockVerdict,
  clockVerdict,
  explainClock,
} from '../../../platform/group/clock-verdict.ts';

const second = 1_000_000;

/** What each of members 1, 2 … tells of the last one: null: it was not compared with it. */
function judge(told: readonly (number | null)[], running: readonly number[], members = 0) {
  const node = told.length + 1;
  return {
    node,
    told: new Map(
      told.map((aheadMs, nth) => [
        nth + 1,
        { runs: running.includes(nth + 1), clocks: aheadMs === null ? [] : [{ node, aheadMs }] },
      ]),
    ),
    members: members === 0 ? told.length + 1 : members,
  };
}

describe('whose clock is right', () => {
  const table: readonly (readonly [
    string,
    readonly (number | null)[],
    readonly number[],
    ClockVerdict,
  ])[] = [
    ['near all of a view', [0, 0], [1, 2], 'well'],
    ['far from all of a view', [900, 800], [1, 2], 'off'],
    ['far from one of two in a view', [900, 0], [1, 2], 'well'],
    ['far from two of three in a view', [900, 0, -900], [1, 2, 3], 'off'],
    ['compared with one of three', [0, null, null], [1, 2, 3], 'unknown'],
    ['far from the one of three that was compared', [900, null, null], [1, 2, 3], 'unknown'],
    ['who has no view has no say where one goes on', [900, 900, 0], [3], 'well'],
    ['no view: near one of three', [0, null], [], 'well'],
    ['no view: near nobody of three', [900, -900], [], 'off'],
    ['no view: one of two', [900], [], 'off'],
    ['no view: one is still to tell', [900, null], [], 'unknown'],
    ['no view: not compared', [null, null], [], 'unknown'],
    ['no view: near one, but four are needed', [0, 900, 900, 900, 900], [], 'off'],
  ];
  test.each(table)('%s', (_name, told, running, verdict) => {
    expect(clockVerdict(judge(told, running))).toBe(verdict);
  });

  test('a member alone in its cluster is right', () => {
    expect(clockVerdict({ node: 1, told: new Map(), members: 1 })).toBe('well');
    expect(clockVerdict({ node: 1, told: new Map(), members: 2 })).toBe('unknown');
  });

  test('says by how much, and by whom', () => {
    const accusations = clockAccusations(judge([3_600_000, -800, 0], [1, 2, 3]));
    expect(explainClock('the clock', accusations, 500)).toBe(
      'the clock is 3600.0 s ahead of that of member 1, 0.8 s behind that of member 2 ' +
        '(maxClockSkewMs allows 500 ms)',
    );
  });
});

describe('what is told of clocks', () => {
  test('only what is off for certain is told to be', () => {
    const offsets = new ClockOffsets(500);
    expect(offsets.note(2, { leastUs: 400_000, mostUs: 5 * second }, 0)).toBe(true);
    expect(offsets.told).toEqual([{ node: 2, aheadMs: 0 }]);
    expect(offsets.note(2, { leastUs: -5 * second, mostUs: -600_000 }, 0)).toBe(true);
    expect(offsets.told).toEqual([{ node: 2, aheadMs: -600 }]);
  });

  test('small changes are no news', () => {
    const offsets = new ClockOffsets(500);
    expect(offsets.note(2, { leastUs: 3_000_000, mostUs: 3_001_000 }, 0)).toBe(true);
    expect(offsets.note(2, { leastUs: 3_010_000, mostUs: 3_012_000 }, 0)).toBe(false);
  });

  test('who comes with the time as machines have it now is not off', () => {
    const offsets = new ClockOffsets(500);
    const offset = { leastUs: 60 * second, mostUs: 60 * second };
    offsets.note(2, offset, 60 * second);
    expect(offsets.told).toEqual([{ node: 2, aheadMs: 0 }]);
    offsets.note(2, offset, 30 * second);
    expect(offsets.told).toEqual([{ node: 2, aheadMs: 30_000 }]);
  });

  test('moves along with my clock', () => {
    const offsets = new ClockOffsets(500);
    offsets.note(2, { leastUs: -3 * second, mostUs: -3 * second }, 0);
    expect(offsets.shift(-3 * second)).toBe(true);
    expect(offsets.told).toEqual([{ node: 2, aheadMs: 0 }]);
    expect(offsets.aheadUs(2)).toBe(0);
  });
});

describe('how far my clock may go ahead', () => {
  function excess(others: readonly number[], members = others.length + 1): number | null {
    const offsets = new ClockOffsets(500);
    for (const [nth, us] of others.entries()) {
      offsets.note(nth + 2, { leastUs: us, mostUs: us }, 0);
    }
    const nodes = Array.from({ length: members }, (_, nth) => nth + 1);
    return offsets.excessUs(nodes, 1);
  }

  test('of the middle of three, of the lower of two', () => {
    expect(excess([-2 * second, 9 * second])).toBe(-500_000);
    expect(excess([-2 * second, -second])).toBe(500_000);
    expect(excess([-2 * second])).toBe(1_500_000);
    expect(excess([2 * second])).toBe(-500_000);
  });

  test('is not known with too few to compare with', () => {
    expect(excess([])).toBeNull();
    expect(excess([-2 * second], 4)).toBeNull();
    expect(excess([-2 * second, -second], 4)).toBe(500_000);
  });
});

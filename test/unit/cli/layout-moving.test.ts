import { describe, expect, test } from 'vitest';
import { FreshetError, type LayoutReport } from '../../../platform/base/mod.ts';
import { carryOut } from '../../../platform/cli/layout-moving.ts';
import { fakeLayouts, reportOf } from './fake-layouts.ts';

const move = { shard: 2, from: 1, to: 3 };

function makeCluster(layouts: readonly LayoutReport[], refusals: (FreshetError | null)[] = []) {
  const asked: unknown[] = [];
  const { notes, watch, layout } = fakeLayouts(layouts, 10_000);
  const door = {
    layout,
    moveShard: (given: unknown) => {
      asked.push(given);
      const refusal = refusals.shift() ?? null;
      return refusal === null ? Promise.resolve() : Promise.reject(refusal);
    },
  };
  return { asked, notes, carrying: { ...watch, door } };
}

describe('a move', () => {
  test('is asked for, shown step by step, and done when the old member is gone', async () => {
    const layouts = [
      reportOf([1, 2]),
      reportOf([1, 2]),
      reportOf([1, 2, 3], { leaving: [1] }),
      reportOf([2, 3]),
    ];
    const { asked, notes, carrying } = makeCluster(layouts);
    await carryOut(move, carrying);
    expect(asked).toEqual([move]);
    expect(notes).toEqual([
      'shard 2 has 1 2; member 3 is filled',
      'shard 2 has 1> 2 3; the old member is let go',
    ]);
  });

  test('is asked for again when it was forgotten, or nobody led', async () => {
    const layouts = [...Array.from({ length: 10 }, () => reportOf([1, 2])), reportOf([2, 3])];
    const { asked, carrying } = makeCluster(layouts, [new FreshetError('NOT_CURRENT', 'nobody')]);
    await carryOut(move, carrying);
    expect(asked).toEqual([move, move]);
  });

  test('is refused as the member that leads refuses it', async () => {
    for (const members of [
      [1, 2],
      [1, 3],
      [2, 3],
    ]) {
      const refusal = new FreshetError('INVALID_ARGUMENT', 'reserved');
      const { carrying } = makeCluster([reportOf(members)], [refusal]);
      await expect(carryOut(move, carrying)).rejects.toBe(refusal);
    }
  });

  test('that takes too long goes on without whoever asked', async () => {
    const { carrying } = makeCluster([reportOf([1, 2])]);
    await expect(carryOut(move, carrying)).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: 'shard 2 from member 1 to 3: not done after 10 s',
    });
  });
});

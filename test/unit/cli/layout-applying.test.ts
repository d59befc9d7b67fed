import { describe, expect, test } from 'vitest';
import { FreshetError, type HeldShard, type LayoutReport } from '../../../platform/base/mod.ts';
import { applyLayout, changeLines } from '../../../platform/cli/layout-applying.ts';
import { fakeLayouts, reportOf } from './fake-layouts.ts';

const planned = {
  from: 1,
  to: 2,
  lines: ['the subgroup milk: replicas 2 becomes 3'],
  shards: [
    { shard: 2, subgroup: 'milk', index: 0, before: [1, 2], after: [1, 2, 3] },
    { shard: 3, subgroup: 'barn', index: 0, before: null, after: [1, 3] },
    { shard: 4, subgroup: 'hay', index: 0, before: [2, 3], after: [] },
  ],
};
const wanted = { subgroups: [], exclusive: null, expect: 1, dryRun: true };

/** The shard is to have all three. */
function shown(version: number, members: readonly number[], given: Partial<HeldShard> = {}) {
  return { ...reportOf(members, { wanted: [1, 2, 3], ...given }), version };
}

type Answer = number | FreshetError;

/** `answers`: `from` of each answer, or why it is refused; the last one for ever. */
function makeCluster(reports: readonly LayoutReport[], answers: readonly Answer[]) {
  let asked = 0;
  const { notes, watch, layout, nowMs } = fakeLayouts(reports, 20_000);
  const door = {
    layout,
    changeLayout: ({ dryRun }: { readonly dryRun: boolean }) => {
      expect(dryRun).toBe(false);
      const answer = answers[Math.min(asked++, answers.length - 1)] as Answer;
      if (typeof answer !== 'number') return Promise.reject(answer);
      return Promise.resolve({ from: answer, to: 2, lines: [], shards: [] });
    },
  };
  return { asked: () => asked, notes, nowMs, applying: { ...watch, door } };
}

test('a change is shown with the members of each shard before and after', () => {
  expect(changeLines(planned)).toEqual([
    'layout version 1 becomes 2',
    '  the subgroup milk: replicas 2 becomes 3',
    '  milk[0], shard 2: members 1 2 become 1 2 3',
    '  barn[0], shard 3: new, members 1 3',
    '  hay[0], shard 4: taken away from members 2 3',
  ]);
  expect(changeLines({ from: 4, to: 4, lines: [], shards: [] })).toEqual([
    'layout version 4 says the same already',
  ]);
});

describe('a layout', () => {
  test('is asked for, and done when every shard has its members', async () => {
    const reports = [shown(1, [1, 2]), shown(2, [1, 2]), shown(2, [1, 2]), shown(2, [1, 2, 3])];
    const { asked, notes, applying } = makeCluster(reports, [1, 2]);
    expect(await applyLayout(wanted, planned, applying)).toBeNull();
    expect(asked()).toBe(2);
    expect(notes).toEqual(['layout version 1 counts', 'milk[0] has 1 2, and is to have 1 2 3']);
  });

  test('is asked for again when nobody led, or it was forgotten', async () => {
    const reports = [...Array.from({ length: 15 }, () => shown(1, [1, 2])), shown(2, [1, 2, 3])];
    const nobody = new FreshetError('NOT_CURRENT', 'nobody leads');
    const { asked, applying } = makeCluster(reports, [nobody, 1, 2]);
    await applyLayout(wanted, planned, applying);
    expect(asked()).toBe(3);
  });

  test('waits for no shard that stands still, but for one that is left', async () => {
    const reports = [shown(2, [1, 2, 3], { leaving: [3] }), shown(2, [])];
    const { notes, applying } = makeCluster(reports, [2]);
    await applyLayout(wanted, planned, applying);
    expect(notes).toEqual(['milk[0] has 1 2 3>, and is to have 1 2 3']);
  });

  test('that another has overtaken is told, and so is one that does not come', async () => {
    const late = new FreshetError('CONDITION_FAILED', 'the layout is version 3 by now');
    const overtaken = makeCluster([shown(3, [1, 2, 3])], [late]);
    await expect(applyLayout(wanted, planned, overtaken.applying)).rejects.toBe(late);
    const never = makeCluster([shown(1, [1, 2])], [1]);
    await expect(applyLayout(wanted, planned, never.applying)).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: 'layout version 1 counts: not done after 20 s',
      mend: expect.stringContaining('It may come yet') as string,
    });
  });

  test('that counts and takes long is no failure: it is said how far it is', async () => {
    const { applying, nowMs } = makeCluster([shown(2, [1, 2])], [2]);
    const left = await applyLayout(wanted, planned, applying);
    expect([left, nowMs()]).toEqual(['milk[0] has 1 2, and is to have 1 2 3', 20_000]);
  });

  test('that waits for who is away alone is left to itself after a moment', async () => {
    const away = { ...shown(2, [1, 2], { homes: [1, 2, 3] }), members: [1, 2] };
    const line = 'milk[0] has 1 2 3?, and is to have 1 2 3 (member 3 is away, and keeps its place)';
    const gone = makeCluster([shown(1, [1, 2]), away], [1, 2]);
    expect(await applyLayout(wanted, planned, gone.applying)).toBe(line);
    expect(gone.nowMs()).toBeLessThan(20_000);
    const back = makeCluster([away, away, shown(2, [1, 2, 3])], [2]);
    expect(await applyLayout(wanted, planned, back.applying)).toBeNull();
    expect(back.notes).toEqual([line]);
  });
});

import { describe, expect, test } from 'vitest';
import { FreshetError, type HeldShard, type LayoutReport } from '../../../platform/base/mod.ts';
import { applyLayout, changeLines } from '../../../platform/cli/layout-applying.ts';

const planned = {
  from: 1,
  to: 2,
  lines: ['the subgroup milk: replicas 2 becomes 3'],
  shards: [
    { shard: 2, subgroup: 'milk', index: 0, before: [1, 2], after: [1, 2, 3] },
    { shard: 3, subgroup: 'barn', index: 0, before: null, after: [1, 3] },
  ],
};
const wanted = { subgroups: [], exclusive: null, expect: 1, dryRun: true };

function reportOf(version: number, members: readonly number[], given: Partial<HeldShard> = {}) {
  const lists = { members, homes: members, wanted: [1, 2, 3], leaving: [], reserved: [] };
  const place = { shard: 2, subgroup: 'milk', index: 0, min: 1, max: 3, version: 1 };
  const shards = [{ ...place, ...lists, ...given }];
  const layout = { version, source: '', exclusive: false };
  const report: LayoutReport = { view: 1, members: [1, 2, 3], ...layout, shards };
  return report;
}

type Answer = number | FreshetError;

/** A cluster that shows these one after the other, the last one for ever; `to` of each answer. */
function makeCluster(reports: readonly LayoutReport[], answers: readonly Answer[]) {
  let nowMs = 0;
  let nth = 0;
  let asked = 0;
  const notes: string[] = [];
  const applying = {
    door: {
      layout: () => Promise.resolve(reports[Math.min(nth++, reports.length - 1)] as LayoutReport),
      changeLayout: ({ dryRun }: { readonly dryRun: boolean }) => {
        expect(dryRun).toBe(false);
        const answer = answers[Math.min(asked++, answers.length - 1)] as Answer;
        if (typeof answer !== 'number') return Promise.reject(answer);
        return Promise.resolve({ from: answer, to: 2, lines: [], shards: [] });
      },
    },
    clock: { monotonicMs: () => nowMs },
    sleep: (delayMs: number) => {
      nowMs += delayMs;
      return Promise.resolve();
    },
    note: (text: string) => {
      notes.push(text);
    },
    waitMs: 20_000,
  };
  return { asked: () => asked, notes, applying };
}

test('a change is shown with the members of each shard before and after', () => {
  expect(changeLines(planned)).toEqual([
    'layout version 1 becomes 2',
    '  the subgroup milk: replicas 2 becomes 3',
    '  milk[0], shard 2: members 1 2 become 1 2 3',
    '  barn[0], shard 3: new, members 1 3',
  ]);
  expect(changeLines({ from: 4, to: 4, lines: [], shards: [] })).toEqual([
    'layout version 4 says the same already',
  ]);
});

describe('a layout', () => {
  test('is asked for, and done when every shard has its members', async () => {
    const reports = [
      reportOf(1, [1, 2]),
      reportOf(2, [1, 2]),
      reportOf(2, [1, 2]),
      reportOf(2, [1, 2, 3]),
    ];
    const { asked, notes, applying } = makeCluster(reports, [1, 2]);
    await applyLayout(wanted, planned, applying);
    expect(asked()).toBe(2);
    expect(notes).toEqual(['layout version 1 counts', 'milk[0] has 1 2, and is to have 1 2 3']);
  });

  test('is asked for again when nobody led, or it was forgotten', async () => {
    const reports = [
      ...Array.from({ length: 15 }, () => reportOf(1, [1, 2])),
      reportOf(2, [1, 2, 3]),
    ];
    const nobody = new FreshetError('NOT_CURRENT', 'nobody leads');
    const { asked, applying } = makeCluster(reports, [nobody, 1, 2]);
    await applyLayout(wanted, planned, applying);
    expect(asked()).toBe(3);
  });

  test('waits for no shard that stands still, but for one that is left', async () => {
    const reports = [reportOf(2, [1, 2, 3], { leaving: [3] }), reportOf(2, [])];
    const { notes, applying } = makeCluster(reports, [2]);
    await applyLayout(wanted, planned, applying);
    expect(notes).toEqual(['milk[0] has 1 2 3>, and is to have 1 2 3']);
  });

  test('that another has overtaken is told, and so is one that takes too long', async () => {
    const late = new FreshetError('CONDITION_FAILED', 'the layout is version 3 by now');
    const overtaken = makeCluster([reportOf(3, [1, 2, 3])], [late]);
    await expect(applyLayout(wanted, planned, overtaken.applying)).rejects.toBe(late);
    const slow = makeCluster([reportOf(2, [1, 2])], [2]);
    await expect(applyLayout(wanted, planned, slow.applying)).rejects.toMatchObject({
      code: 'TIMEOUT',
      mend: expect.stringContaining('It goes on') as string,
    });
  });
});

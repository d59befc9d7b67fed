import { describe, expect, test } from 'vitest';
import { FreshetError } from '../../../platform/base/mod.ts';
import { groupLimits } from '../../../platform/group/group-limits.ts';
import { Layout } from '../../../platform/group/layout.ts';
import { defaultSubgroups } from '../../../platform/group/layout-options.ts';

const MiB = 1024 * 1024;

function refusal(run: () => unknown): FreshetError {
  try {
    run();
  } catch (caught) {
    if (caught instanceof FreshetError) {
      return caught;
    }
  }
  throw new Error('It was not refused');
}

describe('the default layout', () => {
  test('has the catalog first and numbers shards from 1', () => {
    const layout = new Layout([3, 1, 2], defaultSubgroups);
    expect(layout.members).toEqual([1, 2, 3]);
    expect(layout.subgroups.map(({ name }) => name)).toEqual([
      'catalog',
      'volatile',
      'persistent',
      'trigger',
    ]);
    expect(layout.shards.map(({ shard }) => shard)).toEqual(
      Array.from({ length: 13 }, (_, nth) => nth + 1),
    );
    expect(layout.shard(1)).toMatchObject({ subgroup: 'catalog', persistent: true });
    expect(layout.subgroup('trigger').shards.every(({ persistent }) => !persistent)).toBe(true);
  });

  test('spreads shards evenly, alike wherever it is computed', () => {
    const members = [5, 9, 2, 7, 11];
    const layout = new Layout(members, defaultSubgroups);
    const again = new Layout([...members].reverse(), defaultSubgroups);
    expect(again.fingerprint()).toBe(layout.fingerprint());
    for (const { shards } of layout.subgroups.slice(1)) {
      for (const shard of shards) {
        expect(shard.members).toHaveLength(3);
        expect(new Set(shard.members).size).toBe(3);
      }
    }
    const counts = layout.members.map((node) => layout.heldBy(node).length);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2);
  });

  test('has as many members a shard as there are, up to its replicas', () => {
    const sizes = (count: number) => {
      const nodes = Array.from({ length: count }, (_, nth) => nth + 1);
      const { shards } = new Layout(nodes, defaultSubgroups);
      return [...new Set(shards.map(({ members }) => members.length))];
    };
    // The catalog is at all of them.
    expect([1, 2, 3, 4, 16].map(sizes)).toEqual([[1], [2], [3], [4, 3], [16, 3]]);
  });

  test('keeps its numbers: shards of three members', () => {
    expect(new Layout([1, 2, 3], defaultSubgroups).fingerprint()).toBe(
      [
        '1:catalog:p:1,2,3',
        '2:volatile:v:2,3,1;3:volatile:v:3,1,2;4:volatile:v:1,2,3;5:volatile:v:2,3,1',
        '6:persistent:p:3,1,2;7:persistent:p:1,2,3;8:persistent:p:2,3,1;9:persistent:p:3,1,2',
        '10:trigger:v:1,2,3;11:trigger:v:2,3,1;12:trigger:v:3,1,2;13:trigger:v:1,2,3',
      ].join(';'),
    );
  });
});

test('a layout says who sends, which its fingerprint tells apart', () => {
  const layoutOf = (senders: { readonly senders?: readonly number[] }) => {
    const shards = [{ replicas: 3, reserved: [2, 3], ...senders }];
    return new Layout([1, 2, 3], [{ name: 'a', kind: 'volatile', shards, replicas: null }]);
  };
  const some = layoutOf({ senders: [3] });
  expect(some.shard(2)).toMatchObject({ members: [2, 3, 1], senders: [1], delivery: 'ordered' });
  expect(layoutOf({}).shard(2).senders).toEqual([0, 1, 2]);
  expect(some.fingerprint()).not.toBe(layoutOf({}).fingerprint());
  // Rings are those of senders: three of the catalog, one here.
  expect(some.ringSize(1, 4 * groupLimits.ringSizeMin)).toBe(groupLimits.ringSizeMin);
});

describe('ring sizes', () => {
  const layout = new Layout([1, 2, 3], defaultSubgroups);

  test('share the budget of the member, as powers of two', () => {
    // 13 shards of three senders are 39 rings.
    expect(layout.ringSize(1, 512 * MiB)).toBe(groupLimits.ringSizeMax);
    expect(layout.ringSize(1, 48 * MiB)).toBe(MiB);
    expect(layout.ringSize(1, 39 * groupLimits.ringSizeMin)).toBe(groupLimits.ringSizeMin);
  });

  test('refuse a budget that has no room, with the least that has', () => {
    const error = refusal(() => layout.ringSize(1, MiB));
    expect(error.code).toBe('INVALID_CONFIG');
    expect(error.mend).toContain(String(39 * groupLimits.ringSizeMin));
  });

  test('are those of the member that holds most', () => {
    const uneven = new Layout(
      [1, 2, 3],
      [{ name: 'pairs', kind: 'volatile', shards: 1, replicas: 1 }],
    );
    const sizes = uneven.members.map((node) => uneven.ringSize(node, MiB));
    expect(uneven.commonRingSize(MiB)).toBe(Math.min(...sizes));
  });

  test('leave room for what spares take over', () => {
    const pairs = [{ name: 'milk', kind: 'persistent', shards: 4, replicas: 2 }] as const;
    const spacious = new Layout([1, 2, 3, 4], pairs);
    // Four of the catalog and two shards of two senders; of three members one has three shards.
    expect(spacious.ringSize(1, 8 * MiB)).toBe(MiB);
    expect(spacious.commonRingSize(8 * MiB)).toBe(MiB / 2);
  });
});

describe('impossible layouts name the nearest fix', () => {
  const cases: readonly [string, () => unknown, RegExp][] = [
    ['no members', () => new Layout([], []), /every member of the cluster once/],
    ['an id twice', () => new Layout([1, 2, 2], []), /such as 3/],
    ['an id of 0', () => new Layout([0], []), /from 1/],
    [
      'too few members',
      () =>
        new Layout(
          [1, 2],
          [{ name: 'a', kind: 'volatile', shards: 1, replicas: 5, minReplicas: 4 }],
        ),
      /Add 2 to members, or lower minReplicas of this shard by 2/,
    ],
    [
      'senders that are no members',
      () =>
        new Layout(
          [1, 2],
          [
            {
              name: 'a',
              kind: 'volatile',
              shards: [{ reserved: [3], senders: [3] }],
              replicas: null,
            },
          ],
        ),
      /Add one of them to members/,
    ],
    [
      'no shards',
      () => new Layout([1], [{ name: 'a', kind: 'volatile', shards: 0, replicas: 1 }]),
      /Give 1 to 1024/,
    ],
    [
      'a name twice',
      () =>
        new Layout(
          [1],
          [
            { name: 'a', kind: 'volatile', shards: 1, replicas: 1 },
            { name: 'a', kind: 'persistent', shards: 1, replicas: 1 },
          ],
        ),
      /Call it a-/,
    ],
    [
      'the name of the catalog',
      () => new Layout([1], [{ name: 'catalog', kind: 'persistent', shards: 1, replicas: 1 }]),
      /Call it catalog-/,
    ],
  ];
  test.each(cases)('%s', (_name, run, mend) => {
    const error = refusal(run);
    expect(error.code).toBe('INVALID_CONFIG');
    expect(error.mend).toMatch(mend);
  });

  test('an unknown subgroup names the nearest', () => {
    const layout = new Layout(
      [1],
      defaultSubgroups.map((one) => ({ ...one, replicas: 1 })),
    );
    const error = refusal(() => layout.subgroup('persistant'));
    expect(error.message).toContain('did you mean persistent?');
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LayoutPlan, PlannedShard } from '../../../platform/group/layout-plan.ts';
import type { SubgroupOptions } from '../../../platform/group/layout-options.ts';
import {
  changeLayout,
  type LayoutRules,
  resolveLayout,
  type ShardRules,
} from '../../../platform/group/layout-rules.ts';
import { planShards } from '../../../platform/group/shard-plan.ts';
import { anyLayout, anySteps, shardOf, type Step } from './layout-worlds.ts';

interface Moment extends Step {
  readonly layout: LayoutRules;
  readonly before: LayoutPlan | null;
  readonly plan: LayoutPlan;
}

/** Plans every step from the one before. */
function walk(layout: LayoutRules, steps: readonly Step[]): readonly Moment[] {
  let before: LayoutPlan | null = null;
  return steps.map((step) => {
    const plan = planShards(layout, before, step.present, step.joining);
    const moment: Moment = { ...step, layout, before, plan };
    before = plan;
    return moment;
  });
}

type ShardMoment = Moment & {
  readonly rules: ShardRules;
  readonly planned: PlannedShard;
  readonly previous: PlannedShard | null;
  /** Members of its open epoch that went on into this view. */
  readonly survivors: readonly number[];
};

/** Checks something of every shard at every step of every walk. */
function always(checkShard: (moment: ShardMoment) => void): void {
  fc.assert(
    fc.property(anyLayout, anySteps, (layout, steps) => {
      for (const moment of walk(layout, steps)) {
        for (const { shard } of layout.shards) {
          const { rules, planned } = shardOf(layout, moment.plan, shard);
          const previous =
            moment.before === null ? null : shardOf(layout, moment.before, shard).planned;
          const survivors = (previous?.members ?? []).filter(
            (node) => moment.present.includes(node) && !moment.joining.includes(node),
          );
          checkShard({ ...moment, rules, planned, previous, survivors });
        }
      }
    }),
    { numRuns: 300 },
  );
}

describe('as members join, leave and crash', () => {
  test('a shard is closed, or has its minimum and at most one above its maximum', () => {
    always(({ rules, planned, present }) => {
      const { members, waits, leaving, senders } = planned;
      expect(new Set(members).size).toBe(members.length);
      expect(members.every((node) => present.includes(node))).toBe(true);
      if (waits === null) {
        expect(members.length).toBeGreaterThanOrEqual(rules.min);
        expect(members.length - leaving.length).toBeLessThanOrEqual(rules.max);
        expect(leaving.length).toBeLessThanOrEqual(1);
        expect(senders.length).toBeGreaterThan(0);
      } else {
        expect([members, senders, leaving]).toEqual([[], [], []]);
        expect(waits.count).toBeGreaterThan(0);
        expect(waits.reason).toContain(rules.subgroup);
      }
    });
  });

  test('reserved members hold their shards whenever they are present', () => {
    always(({ rules, planned, present }) => {
      if (planned.waits === null) {
        const due = rules.reserved.filter((node) => present.includes(node));
        expect(planned.members).toEqual(expect.arrayContaining(due));
      }
    });
  });

  test('survivors keep their order and are dropped only for reserved ones', () => {
    always(({ rules, planned, survivors, previous }) => {
      if (planned.waits !== null || survivors.length === 0) {
        return;
      }
      const kept = survivors.filter((node) => planned.members.includes(node));
      expect(planned.members.slice(0, kept.length)).toEqual(kept);
      const newReserved = rules.reserved.filter(
        (node) => planned.members.includes(node) && !survivors.includes(node),
      );
      const room = rules.max + (previous?.leaving.length ?? 0) - survivors.length;
      const dropped = survivors.filter((node) => !planned.members.includes(node));
      const mayDrop = Math.max(0, newReserved.length - room) + (previous?.leaving.length ?? 0);
      expect(dropped.length).toBeLessThanOrEqual(mayDrop);
      expect(dropped.filter((node) => rules.reserved.includes(node))).toEqual([]);
    });
  });

  test('no shard with survivors loses all of them in one step', () => {
    always(({ planned, survivors }) => {
      if (survivors.length > 0) {
        const kept = survivors.filter((node) => planned.holders.includes(node));
        expect(kept.length).toBeGreaterThan(0);
        expect(planned.isEmpty).toBe(false);
      }
    });
  });

  test('nobody but old members opens a persistent shard that had a history', () => {
    const holdersOf = new Map<number, readonly number[]>();
    always(({ rules, planned, before, survivors, previous }) => {
      if (before === null) {
        holdersOf.delete(rules.shard);
      }
      const holders = holdersOf.get(rules.shard) ?? [];
      if (rules.persistent && holders.length > 0) {
        expect(planned.isEmpty).toBe(false);
        if (planned.waits === null) {
          expect(planned.members.some((node) => holders.includes(node))).toBe(true);
        }
      }
      // An oracle of its own: open epochs narrow to survivors, if any; closed ones to nobody.
      if (planned.waits === null) {
        holdersOf.set(rules.shard, planned.members);
      } else if (previous?.waits === null && survivors.length > 0) {
        holdersOf.set(rules.shard, survivors);
      }
      expect(rules.persistent ? planned.holders : []).toEqual(
        rules.persistent ? (holdersOf.get(rules.shard) ?? []) : [],
      );
    });
  });

  test('spares take the places of the lost, unless each holds one shard only', () => {
    always(({ layout, rules, planned, present }) => {
      if (!layout.exclusive && planned.waits === null) {
        expect(planned.members.length).toBeGreaterThanOrEqual(Math.min(rules.max, present.length));
      }
    });
  });

  test('a member that holds one shard only is in no second one, and none idles for nothing', () => {
    fc.assert(
      fc.property(anyLayout, anySteps, (layout, steps) => {
        fc.pre(layout.exclusive);
        for (const { plan, present } of walk(layout, steps)) {
          const inShards = plan.shards.slice(1);
          const reserved = new Set(layout.shards.flatMap((rules) => rules.reserved));
          for (const node of present.filter((one) => !reserved.has(one))) {
            const held = inShards.filter(({ members }) => members.includes(node));
            expect(held.length).toBeLessThanOrEqual(1);
            const isIdle = inShards.every(({ members, holders }) =>
              [...members, ...holders].every((one) => one !== node),
            );
            const isWanted = inShards.some(({ shard, members, waits }) => {
              const { max } = shardOf(layout, plan, shard).rules;
              return waits === null && members.length < max;
            });
            expect(isIdle && isWanted).toBe(false);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test('nothing moves when nobody comes or goes, once members have handed over', () => {
    fc.assert(
      fc.property(anyLayout, anySteps, (layout, steps) => {
        const last = walk(layout, steps).at(-1);
        fc.pre(last !== undefined);
        const settled = planShards(layout, last.plan, last.present);
        expect(settled.shards.flatMap(({ leaving }) => leaving)).toEqual([]);
        expect(planShards(layout, settled, last.present)).toEqual({
          shards: settled.shards.map((shard) => ({
            ...shard,
            isEmpty: shard.isEmpty && shard.waits !== null,
          })),
        });
      }),
      { numRuns: 300 },
    );
  });

  test('the same input gives the same plan, wherever it comes from', () => {
    fc.assert(
      fc.property(anyLayout, anySteps, (layout, steps) => {
        for (const { before, plan, present, joining } of walk(layout, steps)) {
          const told = structuredClone({ layout, before, joining: [...joining].reverse() });
          expect(planShards(told.layout, told.before, [...present], told.joining)).toEqual(plan);
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe('load', () => {
  /** The least sum of squared loads over all ways to choose `counts[s]` spares for each shard. */
  function leastSquares(
    present: readonly number[],
    shards: readonly { readonly fixed: readonly number[]; readonly count: number }[],
  ): number {
    let states = new Map([[present.map(() => 0).join(), present.map(() => 0)]]);
    for (const { fixed, count } of shards) {
      const next = new Map<string, number[]>();
      const free = present.filter((node) => !fixed.includes(node));
      for (const state of states.values()) {
        for (const chosen of combinations(free, count)) {
          const holds = new Set([...fixed, ...chosen]);
          const loads = state.map((load, nth) => load + Number(holds.has(present[nth] as number)));
          next.set(loads.join(), loads);
        }
      }
      states = next;
    }
    return Math.min(
      ...[...states.values()].map((loads) => loads.reduce((sum, load) => sum + load * load, 0)),
    );
  }

  function combinations(items: readonly number[], count: number): number[][] {
    if (count === 0) {
      return [[]];
    }
    return items.flatMap((item, nth) =>
      combinations(items.slice(nth + 1), count - 1).map((rest) => [item, ...rest]),
    );
  }

  test('is as even as what is fixed allows: nobody could choose spares better', () => {
    fc.assert(
      fc.property(anyLayout, anySteps, (layout, steps) => {
        fc.pre(!layout.exclusive);
        for (const { before, plan, present } of walk(layout, steps.slice(0, 3))) {
          const open = plan.shards.slice(1).filter(({ waits }) => waits === null);
          const shards = open.map(({ shard, members }) => {
            const { rules } = shardOf(layout, plan, shard);
            const old = before === null ? null : shardOf(layout, before, shard).planned;
            const stays = [...(old?.holders ?? []), ...rules.reserved];
            const fixed = members.filter((node) => stays.includes(node));
            return { fixed, count: members.length - fixed.length };
          });
          const loads = present.map(
            (node) => open.filter(({ members }) => members.includes(node)).length,
          );
          const squares = loads.reduce((sum, load) => sum + load * load, 0);
          expect(squares).toBe(leastSquares(present, shards));
        }
      }),
      { numRuns: 150 },
    );
  });

  test('differs by one shard at most when a cluster begins without reservations', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 16 }),
        fc.array(
          fc.record({
            shards: fc.integer({ min: 1, max: 24 }),
            replicas: fc.integer({ min: 1, max: 16 }),
          }),
          { minLength: 1, maxLength: 4 },
        ),
        (count, subgroups) => {
          const present = Array.from({ length: count }, (_, nth) => nth + 1);
          const layout = resolveLayout(
            subgroups.map((one, nth) => ({ ...one, name: `s${String(nth)}`, kind: 'volatile' })),
          );
          const { shards } = planShards(layout, null, present);
          const loads = present.map(
            (node) => shards.filter(({ members }) => members.includes(node)).length,
          );
          expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1);
        },
      ),
      { numRuns: 100 },
    );
  });
});

test('where each holds one shard, a spare goes where there is history to keep', () => {
  const shards = [{ replicas: 1 }, { replicas: 2, minReplicas: 2 }];
  const layout = resolveLayout([{ name: 'a', kind: 'volatile', shards, replicas: null }], true);
  const first = planShards(layout, null, [1, 2, 3]);
  expect(first.shards.slice(1).map(({ members }) => members)).toEqual([[1], [2, 3]]);
  const [, lost, kept] = planShards(layout, first, [2, 4], [4]).shards;
  expect(kept?.members).toEqual([2, 4]);
  expect(lost?.waits?.reason).toBe(
    'shard 0 of the subgroup a needs 1 more member for its minimum of 1: 1 or others',
  );
});

describe('one shard', () => {
  const layoutOf = (options: Partial<SubgroupOptions>, exclusive = false): LayoutRules =>
    resolveLayout(
      [{ name: 'one', kind: 'persistent', shards: 1, replicas: 3, ...options }],
      exclusive,
    );
  const planOf = (
    layout: LayoutRules,
    before: LayoutPlan | null,
    present: readonly number[],
    joining: readonly number[] = [],
  ) => {
    const plan = planShards(layout, before, present, joining);
    return { plan, shard: shardOf(layout, plan, 2).planned };
  };

  test('stops below its minimum, says what it waits for, and goes on when it is met', () => {
    const layout = layoutOf({ minReplicas: 3 });
    const full = planOf(layout, null, [1, 2, 3]);
    expect(full.shard).toMatchObject({ members: [2, 3, 1], isEmpty: true, waits: null });
    const left = planOf(layout, full.plan, [1]);
    expect(left.shard).toMatchObject({ members: [], senders: [], holders: [1] });
    expect(left.shard.waits).toEqual({
      count: 2,
      of: [2, 3],
      orAny: true,
      reason:
        'shard 0 of the subgroup one needs 2 more members for its minimum of 3: 2, 3 or others',
    });
    const back = planOf(layout, left.plan, [1, 4, 3], [4, 3]);
    expect(back.shard).toMatchObject({ isEmpty: false, waits: null });
    expect(back.shard.members[0]).toBe(1);
    expect(new Set(back.shard.members)).toEqual(new Set([1, 4, 3]));
  });

  test('promotes a spare, and leaves it there when the lost member is back', () => {
    const layout = layoutOf({ replicas: 2 });
    const first = planOf(layout, null, [1, 2, 3]);
    expect(first.shard.members).toEqual([2, 3]);
    const lost = planOf(layout, first.plan, [1, 2]);
    expect(lost.shard.members).toEqual([2, 1]);
    const back = planOf(layout, lost.plan, [1, 2, 3], [3]);
    expect(back.shard.members).toEqual([2, 1]);
  });

  test('that is persistent waits for an old member; a volatile one begins empty', () => {
    const persistent = layoutOf({ replicas: 2 });
    const first = planOf(persistent, null, [2, 3]);
    const lost = planOf(persistent, first.plan, [4, 5], [4, 5]);
    expect(lost.shard.holders).toEqual([3, 2]);
    expect(lost.shard.waits?.reason).toBe(
      'shard 0 of the subgroup one needs 1 more member with its history: 2, 3',
    );
    const found = planOf(persistent, lost.plan, [4, 5, 2], [2]);
    expect(found.shard).toMatchObject({ isEmpty: false, waits: null });
    expect(found.shard.members[0]).toBe(2);

    const volatile = layoutOf({ replicas: 2, kind: 'volatile' });
    const begun = planOf(volatile, null, [2, 3]);
    const restarted = planOf(volatile, begun.plan, [3, 2], [3, 2]);
    expect(restarted.shard).toMatchObject({ members: [3, 2], isEmpty: true });
  });

  test('waits for those that alone have all of it, not for any that once held it', () => {
    const layout = layoutOf({ replicas: 2, minReplicas: 2 });
    const first = planOf(layout, null, [2, 3]);
    // 3 goes on alone for a moment: what it delivered at the end 2 may lack.
    const alone = planOf(layout, first.plan, [3]);
    expect(alone.shard.holders).toEqual([3]);
    const swapped = planOf(layout, alone.plan, [2, 4], [2, 4]);
    expect(swapped.shard.waits).toMatchObject({ count: 1, of: [3], orAny: false });
  });

  test('hands over to a reserved member without a moment that nobody knows it', () => {
    const layout = layoutOf({ replicas: null, shards: [{ replicas: 1, reserved: [1] }] });
    const first = planOf(layout, null, [5]);
    const both = planOf(layout, first.plan, [5, 1], [1]);
    expect(both.shard).toMatchObject({ members: [5, 1], leaving: [5], isEmpty: false });
    const done = planOf(layout, both.plan, [5, 1]);
    expect(done.shard).toMatchObject({ members: [1], leaving: [] });
    // Lost before it was complete: the old member stays.
    expect(planOf(layout, both.plan, [5]).shard).toMatchObject({ members: [5], leaving: [] });
  });

  test('has the senders that are named, by rank, and waits for one', () => {
    const shards = [{ replicas: 3, reserved: [3, 4], senders: [4] }];
    const layout = layoutOf({ shards });
    const first = planOf(layout, null, [1, 3, 4]);
    expect(first.shard).toMatchObject({ members: [3, 4, 1], senders: [1] });
    const silent = planOf(layout, first.plan, [1, 3]);
    expect(silent.shard).toMatchObject({ holders: [3, 1], waits: { of: [4], orAny: false } });
    expect(planOf(layout, silent.plan, [1, 3, 4], [4]).shard).toMatchObject({
      members: [3, 1, 4],
      senders: [2],
      isEmpty: false,
    });
  });

  test('follows a layout that is changed online', () => {
    const before = layoutOf({});
    const first = planOf(before, null, [1, 2, 3, 4]);
    expect(first.shard.members).toEqual([2, 3, 4]);
    const reserving = changeLayout(before, [
      { name: 'new', kind: 'volatile', shards: 2, replicas: 1 },
      { name: 'one', kind: 'persistent', shards: [{ replicas: 2, reserved: [1] }], replicas: null },
    ]);
    const changed = planOf(reserving, first.plan, [1, 2, 3, 4]);
    expect(changed.shard.members).toEqual([2, 1]);
    expect(changed.plan.shards.map(({ shard }) => shard)).toEqual([1, 2, 3, 4]);
  });
});

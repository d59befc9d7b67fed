import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LayoutPlan } from '../../../platform/group/layout-plan.ts';
import { type LayoutRules, resolveLayout } from '../../../platform/group/layout-rules.ts';
import { beginMove, planMoves, type ShardMove } from '../../../platform/group/shard-moves.ts';
import { planShards } from '../../../platform/group/shard-plan.ts';
import { anyLayout, anySteps, loadsOf, shardOf } from './layout-worlds.ts';

interface Cluster {
  readonly layout: LayoutRules;
  readonly plan: LayoutPlan;
  readonly present: readonly number[];
  readonly weightOf: (shard: number) => number;
}

const anyCluster = fc
  .record({
    layout: anyLayout,
    steps: anySteps,
    weights: fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 13, maxLength: 13 }),
  })
  .map(({ layout, steps, weights }): Cluster => {
    let plan = planShards(layout, null, [1]);
    let present: readonly number[] = [1];
    for (const step of steps) {
      plan = planShards(layout, plan, step.present, step.joining);
      present = step.present;
    }
    // Nobody is handing anything over.
    plan = planShards(layout, plan, present);
    return { layout, plan, present, weightOf: (shard) => weights[shard - 2] ?? 0 };
  });

/** Carries a move out: the newcomer in, then the old member out. */
function carryOut({ layout, present }: Cluster, plan: LayoutPlan, move: ShardMove): LayoutPlan {
  return planShards(layout, beginMove(layout, plan, move), present);
}

function squares(loads: ReadonlyMap<number, number>): number {
  return [...loads.values()].reduce((sum, load) => sum + load * load, 0);
}

describe('moves', () => {
  const options = { max: 4, gainMin: 0 };

  test('are at most as many as allowed, of different shards, possible, and none is in vain', () => {
    fc.assert(
      fc.property(anyCluster, (cluster) => {
        const { layout, present, weightOf } = cluster;
        let { plan } = cluster;
        const moves = planMoves(layout, plan, present, weightOf, options);
        expect(moves.length).toBeLessThanOrEqual(options.max);
        expect(new Set(moves.map(({ shard }) => shard)).size).toBe(moves.length);
        for (const move of moves) {
          const { rules } = shardOf(layout, plan, move.shard);
          expect(rules.reserved).not.toContain(move.from);
          const after = carryOut(cluster, plan, move);
          const before = loadsOf(plan, present, weightOf);
          const loads = loadsOf(after, present, weightOf);
          expect(squares(loads)).toBeLessThan(squares(before));
          expect(Math.max(...loads.values())).toBeLessThanOrEqual(Math.max(...before.values()));
          plan = after;
        }
      }),
      { numRuns: 300 },
    );
  });

  test('change one shard each, which never has fewer members than it had', () => {
    fc.assert(
      fc.property(anyCluster, (cluster) => {
        const { layout, present, plan, weightOf } = cluster;
        for (const move of planMoves(layout, plan, present, weightOf, options)) {
          const old = shardOf(layout, plan, move.shard).planned;
          const begun = beginMove(layout, plan, move);
          const ended = planShards(layout, begun, present);
          expect(shardOf(layout, begun, move.shard).planned).toMatchObject({
            members: [...old.members, move.to],
            leaving: [move.from],
          });
          expect(shardOf(layout, ended, move.shard).planned).toMatchObject({
            members: [...old.members.filter((node) => node !== move.from), move.to],
            leaving: [],
            isEmpty: false,
          });
          const others = ({ shards }: LayoutPlan) =>
            shards.filter(({ shard }) => shard !== move.shard).map(({ members }) => members);
          expect(others(begun)).toEqual(others(plan));
          expect(others(ended)).toEqual(others(plan));
        }
      }),
      { numRuns: 300 },
    );
  });

  test('end: then no single move makes the loads more even', () => {
    fc.assert(
      fc.property(anyCluster, (cluster) => {
        const { layout, present, weightOf } = cluster;
        let { plan } = cluster;
        let moves = planMoves(layout, plan, present, weightOf, options);
        for (let round = 0; moves.length > 0; round++) {
          expect(round).toBeLessThan(200);
          plan = moves.reduce((now, move) => carryOut(cluster, now, move), plan);
          moves = planMoves(layout, plan, present, weightOf, options);
        }
        fc.pre(!layout.exclusive);
        const loads = loadsOf(plan, present, weightOf);
        for (const { shard, members, waits } of plan.shards.slice(1)) {
          const { rules } = shardOf(layout, plan, shard);
          const isSpare = (node: number) => !members.includes(node);
          for (const from of members.filter((node) => !rules.reserved.includes(node))) {
            for (const to of waits === null ? present.filter(isSpare) : []) {
              const moved = new Map(loads);
              moved.set(from, (moved.get(from) ?? 0) - weightOf(shard));
              moved.set(to, (moved.get(to) ?? 0) + weightOf(shard));
              expect(squares(moved)).toBeGreaterThanOrEqual(squares(loads));
            }
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  test('bring newcomers their share: no member holds two shards more than another', () => {
    const layout = resolveLayout([{ name: 'a', kind: 'persistent', shards: 12, replicas: 3 }]);
    let plan = planShards(layout, null, [1, 2, 3]);
    const present = [1, 2, 3, 4, 5];
    const cluster = { layout, plan, present, weightOf: () => 1 };
    plan = planShards(layout, plan, present, [4, 5]);
    expect([...loadsOf(plan, present).values()]).toEqual([12, 12, 12, 0, 0]);
    for (let round = 0; round < 4; round++) {
      const moves = planMoves(layout, plan, present, () => 1, { max: 4 });
      plan = moves.reduce((now, move) => carryOut(cluster, now, move), plan);
    }
    const loads = [...loadsOf(plan, present).values()];
    expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1);
  });

  test('are not worth a small gain', () => {
    const layout = resolveLayout([{ name: 'a', kind: 'volatile', shards: 3, replicas: 1 }]);
    const plan = planShards(layout, null, [1, 2]);
    expect(plan.shards.slice(1).map(({ members }) => members)).toEqual([[2], [1], [2]]);
    // 119 at member 2, 95 at member 1: after a move of the small one still 100 and 114.
    const weights = [100, 95, 19];
    const weightOf = (shard: number) => weights[shard - 2] ?? 0;
    const move = { shard: 4, from: 2, to: 1 };
    expect(planMoves(layout, plan, [1, 2], weightOf, { max: 8, gainMin: 0 })).toEqual([move]);
    expect(planMoves(layout, plan, [1, 2], weightOf, { max: 8, gainMin: 0.04 })).toEqual([move]);
    expect(planMoves(layout, plan, [1, 2], weightOf, { max: 8 })).toEqual([]);
  });

  test('leave a shard alone that is closed, being moved, or everywhere', () => {
    const layout = resolveLayout([{ name: 'a', kind: 'volatile', shards: 2, replicas: 1 }]);
    const plan = planShards(layout, null, [1]);
    const move = { shard: 2, from: 1, to: 2 };
    const weightOf = (shard: number) => (shard === 2 ? 10 : 0);
    expect(planMoves(layout, beginMove(layout, plan, move), [1, 2], () => 1, options)).toEqual([]);
    expect(planMoves(layout, plan, [1, 2], weightOf, options)).toEqual([]);
    expect(planMoves(layout, plan, [1, 2], () => 1, options)).toEqual([move]);
  });
});

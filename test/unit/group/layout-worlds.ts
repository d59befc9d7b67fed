/** Random layouts, and members that come, go and start again, for the tests of planning. */
import fc from 'fast-check';
import type { LayoutPlan, PlannedShard } from '../../../platform/group/layout-plan.ts';
import type { ShardOptions, SubgroupOptions } from '../../../platform/group/layout-options.ts';
import {
  type LayoutRules,
  resolveLayout,
  type ShardRules,
} from '../../../platform/group/layout-rules.ts';

const nodeIds: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8];

const anyShard = fc
  .record({
    max: fc.integer({ min: 1, max: 4 }),
    min: fc.integer({ min: 1, max: 4 }),
    reserved: fc.subarray([...nodeIds], { maxLength: 3 }),
    hasSender: fc.boolean(),
  })
  .map(({ max, min, reserved, hasSender }): ShardOptions => ({
    replicas: Math.max(max, min, reserved.length),
    minReplicas: min,
    reserved,
    ...(hasSender && reserved.length > 0 ? { senders: reserved.slice(0, 1) } : {}),
  }));

const anySubgroup = fc.record({
  kind: fc.constantFrom('volatile' as const, 'persistent' as const),
  shards: fc.array(anyShard, { minLength: 1, maxLength: 4 }),
});

/** Any layout that is possible, of up to 12 shards besides the catalog. */
export const anyLayout = fc
  .record({
    exclusive: fc.boolean(),
    subgroups: fc.array(anySubgroup, { minLength: 1, maxLength: 3 }),
  })
  .map(({ exclusive, subgroups }): LayoutRules => {
    const named = subgroups.map(({ kind, shards }, nth): SubgroupOptions => {
      const name = `s${String(nth)}`;
      return { name, kind, replicas: null, shards: exclusive ? disjoint(shards) : shards };
    });
    return resolveLayout(named, exclusive);
  });

/** Without the reservations that an earlier shard of the subgroup has. */
function disjoint(shards: readonly ShardOptions[]): readonly ShardOptions[] {
  const seen = new Set<number>();
  return shards.map((shard) => {
    const { reserved = [], replicas = null, minReplicas = 1 } = shard;
    if (reserved.some((node) => seen.has(node))) {
      return { replicas, minReplicas };
    }
    reserved.forEach((node) => seen.add(node));
    return shard;
  });
}

/** One change of the view: who is gone, who started again at once, who is new. */
export interface Step {
  readonly present: readonly number[];
  readonly joining: readonly number[];
}

/** From an empty cluster; in rank order, who stays before who joins. */
export const anySteps = fc
  .array(
    fc.record({
      gone: fc.subarray([...nodeIds], { maxLength: 4 }),
      again: fc.subarray([...nodeIds], { maxLength: 2 }),
      come: fc.subarray([...nodeIds], { maxLength: 4 }),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((changes): readonly Step[] => {
    let present: readonly number[] = [];
    return changes.flatMap(({ gone, again, come }) => {
      const left = present.filter((node) => !gone.includes(node));
      const stay = left.filter((node) => !again.includes(node));
      const back = left.filter((node) => again.includes(node));
      const joining = [...back, ...come.filter((node) => !left.includes(node))];
      present = [...stay, ...joining];
      return present.length === 0 ? [] : [{ present, joining }];
    });
  });

/** Both of one shard, which both have. */
export function shardOf(
  layout: LayoutRules,
  plan: LayoutPlan,
  shard: number,
): { readonly rules: ShardRules; readonly planned: PlannedShard } {
  const rules = layout.shards.find((one) => one.shard === shard);
  const planned = plan.shards.find((one) => one.shard === shard);
  if (rules === undefined || planned === undefined) {
    throw new Error(`There is no shard ${String(shard)}`);
  }
  return { rules, planned };
}

/** Shards that each member holds, without the catalog. */
export function loadsOf(
  plan: LayoutPlan,
  present: readonly number[],
  weightOf: (shard: number) => number = () => 1,
): ReadonlyMap<number, number> {
  const loads = new Map(present.map((node) => [node, 0]));
  for (const { shard, members } of plan.shards.slice(1)) {
    for (const node of members) {
      loads.set(node, (loads.get(node) ?? 0) + weightOf(shard));
    }
  }
  return loads;
}

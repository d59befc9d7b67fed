/** Who holds which shard now, and how much was put there: for people, and for balancing. */
import type { HeldShard, LayoutReport } from './base/mod.ts';
import type { Member } from './node.ts';

export async function layoutReport({ group, store }: Member): Promise<LayoutReport> {
  const { status, layout } = group;
  const shards = await Promise.all(
    layout.shards.map(async (rules): Promise<HeldShard> => {
      const { shard, subgroup, index, min, max, reserved } = rules;
      const { nodes, leaving } = group.homes(shard);
      const members = group.holders(shard);
      const version = members.length === 0 ? 0 : await store.newestVersion(shard);
      const rest = { reserved, members, homes: nodes, leaving, version };
      return { shard, subgroup, index, min, max, ...rest };
    }),
  );
  return { view: status.view, members: status.members, exclusive: layout.rules.exclusive, shards };
}

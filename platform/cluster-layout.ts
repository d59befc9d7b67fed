/** Who holds which shard now, and how much was put there: for people, and for balancing. */
import type { HeldShard, LayoutReport } from './base/mod.ts';
import type { Member } from './node.ts';

export async function layoutReport({ group, store }: Member): Promise<LayoutReport> {
  const { status, layout, wanted } = group;
  const shards = await Promise.all(
    layout.shards.map(async (rules): Promise<HeldShard> => {
      const { shard, subgroup, index, min, max, reserved } = rules;
      const { nodes, leaving } = group.homes(shard);
      const members = group.holders(shard);
      const version = members.length === 0 ? 0 : await store.newestVersion(shard);
      const places = { homes: nodes, leaving, wanted: wanted.get(shard) ?? nodes };
      const rest = { reserved, members, ...places, version };
      return { shard, subgroup, index, min, max, ...rest };
    }),
  );
  const { exclusive } = layout.rules;
  const source = JSON.stringify({ subgroups: layout.options, layout: { exclusive } }, null, 2);
  const common = { view: status.view, version: group.layoutVersion, source };
  return { ...common, members: status.members, exclusive, shards };
}

import type { LayoutReport } from '../../base/mod.ts';
import type { LayoutReply } from '../../wire/mod.ts';

export function layoutToWire({ shards, members, ...report }: LayoutReport): LayoutReply {
  return {
    ...report,
    members: [...members],
    shards: shards.map((shard) => ({
      ...shard,
      reserved: [...shard.reserved],
      members: [...shard.members],
      homes: [...shard.homes],
      leaving: [...shard.leaving],
    })),
  };
}

export function layoutFromWire(reply: LayoutReply): LayoutReport {
  return reply;
}

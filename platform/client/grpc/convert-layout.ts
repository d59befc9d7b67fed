import type { LayoutChange, LayoutReport } from '../../base/mod.ts';
import type { ChangeLayoutReply, LayoutReply } from '../../wire/mod.ts';

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
      wanted: [...shard.wanted],
    })),
  };
}

export function layoutFromWire(reply: LayoutReply): LayoutReport {
  return reply;
}

export function layoutChangeToWire({ from, to, lines, shards }: LayoutChange): ChangeLayoutReply {
  return {
    from,
    to,
    lines: [...lines],
    shards: shards.map(({ before, after, ...shard }) => ({
      ...shard,
      isNew: before === null,
      before: [...(before ?? [])],
      after: [...after],
    })),
  };
}

export function layoutChangeFromWire({ shards, ...reply }: ChangeLayoutReply): LayoutChange {
  return {
    ...reply,
    shards: shards.map(({ isNew, before, ...shard }) => ({
      ...shard,
      before: isNew ? null : before,
    })),
  };
}

import type { NativeDoorInfo, PoolKind } from '../../base/mod.ts';
import type { NativeDoorReply } from '../../wire/mod.ts';
import { asBuffer } from './convert.ts';

export function nativeDoorToWire(info: NativeDoorInfo): NativeDoorReply {
  const { ticket, view, members, shards, pools } = info;
  return {
    ticket: asBuffer(ticket.ticket),
    key: asBuffer(ticket.key),
    expires: ticket.expires,
    clusterId: asBuffer(ticket.clusterId),
    view,
    members: [...members],
    shards: shards.map((shard) => ({
      ...shard,
      members: [...shard.members],
      senders: [...shard.senders],
    })),
    pools: pools.map(({ name, id, kind, shards: places, maxValueBytes, locations }) => ({
      name,
      id,
      kind,
      shards: [...places],
      maxValueBytes,
      locations: { ...locations },
    })),
  };
}

export function nativeDoorFromWire(wire: NativeDoorReply): NativeDoorInfo {
  const { ticket, key, expires, clusterId, view, members, shards, pools } = wire;
  return {
    ticket: { ticket, key, expires, clusterId },
    view,
    members,
    shards,
    pools: pools.map((pool) => ({ ...pool, kind: pool.kind as PoolKind })),
  };
}

/** A member of the row about large values: puts them, and tells which blocks it passed on. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { traceBlocks } from '../../../platform/group/mod.ts';
import type { Member } from '../../../platform/node.ts';
import { type ParentCall, runMemberProcess } from '../../../platform/member-process.ts';
import type { PoolOptions } from '../../../platform/store/mod.ts';
import { largeSubgroup } from './orders.ts';

const pieceBytes = 1024 * 1024;

function shardOf(member: Member): number {
  const found = member.group.layout.shards.find(({ subgroup }) => subgroup === largeSubgroup);
  return found?.shard ?? 0;
}

const calls: Readonly<Record<string, ParentCall>> = {
  createPool: (member, options) => member.store.objects.createPool(options as PoolOptions),
  /** From the put to its being delivered, ms; a put is delivered once all members have it. */
  putLarge: async (member, argument) => {
    const { key, size } = argument as { key: string; size: number };
    const value = Buffer.alloc(size, 0x6c);
    const began = performance.now();
    await member.store.objects.put({ key, value, timeoutMs: 120_000 });
    return performance.now() - began;
  },
  /** From this member's host to a sink: from the first byte to its having taken all, ms. */
  sendCopy: async (_member, argument) => {
    const { host, port, size } = argument as { host: string; port: number; size: number };
    const socket = connect(port, host).setNoDelay(true);
    await once(socket, 'connect');
    const piece = Buffer.alloc(pieceBytes, 0x6c);
    const began = performance.now();
    for (let sent = 0; sent < size; sent += piece.byteLength) {
      const rest = piece.subarray(0, Math.min(piece.byteLength, size - sent));
      if (!socket.write(rest)) await once(socket, 'drain');
    }
    socket.end();
    // The sink closes its side once it has read everything.
    socket.resume();
    await once(socket, 'close');
    return performance.now() - began;
  },
  traceBlocks: (member) => traceBlocks(member.core, shardOf(member)),
  /** In the order of their ranks. */
  holders: (member) => Promise.resolve(member.group.holders(shardOf(member))),
};

runMemberProcess({ calls });

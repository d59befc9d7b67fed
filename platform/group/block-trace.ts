/**
 * Which blocks of large values a member has sent to whom: what the schedules of
 * `native/core/multicast_schedule.h` say, as it came about.
 *
 * Thread: event loop.
 */
import type { MemberCore } from './member-core.ts';

/** A block that was sent for the first time. */
export interface SentBlock {
  /** Node ids: of the value's sender, of who sent the block, and of who gets it. */
  readonly sender: number;
  readonly from: number;
  readonly to: number;
  /** Of the sender's transfers in this epoch, from 1, modulo 2^32. */
  readonly transfer: number;
  /** Of the schedule. */
  readonly step: number;
  readonly block: number;
}

/** Six u32: BlockSent in `native/core/outputs.h`. */
const sentBytes = 24;

/**
 * The blocks that this member has sent in a shard since the last call, from which on they are
 * recorded; the first 65,536. NOT_A_MEMBER: it does not hold the shard.
 */
export async function traceBlocks(core: MemberCore, shard: number): Promise<readonly SentBlock[]> {
  const bytes = await core.call(`Tracing the blocks of shard ${String(shard)}`, (token) =>
    core.addon.traceBlocks(core.handle, shard, token),
  );
  if (bytes === null) return [];
  return Array.from({ length: bytes.byteLength / sentBytes }, (_, nth) => {
    const field = (index: number): number => bytes.readUInt32LE(nth * sentBytes + index * 4);
    return {
      sender: field(0),
      transfer: field(1),
      step: field(2),
      from: field(3),
      to: field(4),
      block: field(5),
    };
  });
}

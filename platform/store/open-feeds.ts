/**
 * The feeds that a watch reads: one of each shard, from where the watch was, or from its beginning.
 */
import { FreshetError, type Position } from '../base/mod.ts';
import type { FeedOptions, ShardAccess, ShardFeed } from './shard-access.ts';

export interface OpenFeedsOptions extends Pick<FeedOptions, 'prefix' | 'frontier'> {
  /** Shards without a position are read from their first version, not from now. */
  readonly isFromStart: boolean;
}

/**
 * By shard; notes in `positions` where each begins. Rejects COMPACTED for a position that is no
 * more, and what starting a feed rejects; then none is left open.
 */
export async function openFeeds(
  shards: readonly ShardAccess[],
  positions: Map<number, Position>,
  { prefix, frontier, isFromStart }: OpenFeedsOptions,
): Promise<ReadonlyMap<number, ShardFeed>> {
  const feeds = new Map<number, ShardFeed>();
  try {
    for (const shard of shards) {
      const position = positions.get(shard.shard);
      const first = isFromStart ? 1 : null;
      const from = position === undefined ? first : position.version + 1;
      const epochBefore = position?.epoch ?? 0;
      feeds.set(shard.shard, shard.feed({ prefix, from, epochBefore, frontier }));
      await checkPosition(shard, position);
    }
    for (const [shard, feed] of feeds) {
      await feed.start();
      if (!positions.has(shard)) {
        // An epoch of 0 says: whatever history this version belongs to.
        positions.set(shard, { epoch: 0, version: Math.max(0, feed.position - 1) });
      }
    }
  } catch (caught) {
    for (const feed of feeds.values()) feed.close();
    throw caught;
  }
  return feeds;
}

/** The position's version must be of the history that the shard has now. */
async function checkPosition(shard: ShardAccess, position: Position | undefined): Promise<void> {
  if (position === undefined || position.version === 0 || position.epoch === 0) {
    return;
  }
  const epoch = await shard.epochOf(position.version);
  if (epoch !== position.epoch) {
    const where = `version ${String(position.version)} of shard ${String(shard.shard)}`;
    const message =
      epoch === null
        ? `${where} is no longer kept`
        : `${where} belongs to epoch ${String(epoch)}, the token to ${String(position.epoch)}`;
    throw new FreshetError('COMPACTED', message, {
      details: { shard: shard.shard, version: position.version },
    });
  }
}

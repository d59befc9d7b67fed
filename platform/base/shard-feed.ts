import type { ObjectRecord, WatchEvent } from './object.ts';

export interface FeedEvent {
  readonly kind: WatchEvent['kind'];
  readonly object: ObjectRecord;
}

/** Records of a shard in version order, without a gap. Values are views into larger buffers. */
export interface ShardFeed {
  /** The version after the last one handed out (or where it starts). Known once started. */
  readonly position: number;
  /** Of the version before it; 0: not known, or none. */
  readonly epochBefore: number;
  /** Resolves once `position` is fixed; nothing after it is missed. */
  start(): Promise<void>;
  /**
   * Waits for at least one; rejects COMPACTED when the next is no longer kept or the history is
   * another one than that of the version before, CLOSED after close.
   */
  next(max: number): Promise<readonly FeedEvent[]>;
  close(): void;
}

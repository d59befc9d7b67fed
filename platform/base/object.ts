import type { FreshetError } from './errors.ts';

/**
 * What the store answers, and every door with it: plain numbers and bytes, no classes, so that the
 * same shapes pass a worker, a member message and the network. Versions and epochs are safe
 * integers from 1, times microseconds since 1970.
 */

export type Meta = Readonly<Record<string, string>>;

/** One version of one object. */
export interface ObjectRecord {
  readonly key: string;
  /** null: removed, not asked for (`stat`), or longer than was asked for. */
  readonly value: Uint8Array | null;
  readonly removed: boolean;
  readonly size: number;
  readonly version: number;
  readonly epoch: number;
  readonly time: number;
  readonly eventTime: number | null;
  readonly previousVersionOfKey: number | null;
  readonly meta: Meta;
}

/** With ack none nothing is known: all 0. */
export interface PutResult {
  /** Contiguous in the key's shard; names a place in history together with `epoch`. */
  readonly version: number;
  readonly epoch: number;
  /** Commit time, µs, strictly monotone in version. */
  readonly time: number;
  readonly previousVersionOfKey: number | null;
}

/** What became of one put among many. */
export type PutOutcome = PutResult | FreshetError;

export interface WatchEvent {
  readonly kind: 'put' | 'remove' | 'trigger';
  readonly object: ObjectRecord;
  /** Where to resume: what has been seen of every shard of the pool, this event included. */
  readonly token: string;
}

export interface TriggerResult {
  /** Members that took the trigger in; its lambdas run after this. */
  readonly members: readonly number[];
  /** µs, of the member's clock. */
  readonly time: number;
}

export interface ShardFrontier {
  readonly shard: number;
  readonly epoch: number;
  /** Versions: applied at the answering member; in memory everywhere; on disk everywhere. */
  readonly delivered: number;
  readonly stable: number;
  readonly persisted: number;
}

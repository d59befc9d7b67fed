import type { Meta } from './object.ts';
import type { TimeAxis } from './pool.ts';

/**
 * The seam between queries and the store: what a shard can be asked, and what it gives.
 *
 * Contract of a scan:
 * 1. It reads one fixed cut of the shard: up to `toVersion`, and up to `atTime` on `atAxis`;
 *    without either, what the shard has when the scan starts. A record without an event
 *    time has its commit time for one.
 * 2. `versions` gives every record of the cut, ordered by (version, key). `objects` gives for each
 *    key the newest record of the cut unless that is a removal, ordered by key. Keys are ordered by
 *    their UTF-8 bytes. `reverse` gives exactly the opposite order.
 * 3. Of these, only records pass whose key starts with `prefix`, whose version is at least
 *    `fromVersion`, and for which `program` is true. Removals may be given for `versions`.
 * 4. `fromTime` may be ignored; it only says that no older commit time is wanted.
 * 5. At most `limit` records are given. The scan reads on only when it is asked for the next
 *    batch, and lets go of everything when it is returned or `signal` is aborted.
 */

/** One shard of a pool. */
export interface ShardRef {
  /** Its place among the shards of the pool: the same on every member, and for every query. */
  readonly index: number;
}

export interface ScanRequest {
  readonly prefix: string;
  readonly kind: 'versions' | 'objects';
  readonly fromVersion: number | null;
  /** For `objects` this and `atTime` choose the cut, before the newest of a key is taken. */
  readonly toVersion: number | null;
  /** Commit time, µs. */
  readonly fromTime: number | null;
  /** µs on `atAxis`. */
  readonly atTime: number | null;
  readonly atAxis: TimeAxis;
  readonly reverse: boolean;
  readonly limit: number | null;
  /** A native filter program, see `nativeOpcodes` of platform/expression; null passes everything. */
  readonly program: Uint8Array | null;
  readonly wantValues: boolean;
}

export interface ScannedRecord {
  readonly key: string;
  readonly epoch: number;
  readonly version: number;
  readonly time: number;
  readonly eventTime: number | null;
  readonly previousVersionOfKey: number | null;
  readonly meta: Meta | null;
  readonly removed: boolean;
  /** Null where values were not wanted. */
  readonly value: Uint8Array | null;
  /** Bytes of the stored value, wanted or not. */
  readonly size: number;
}

export interface ShardSource {
  /** Rejects UNKNOWN_POOL. */
  shards(pool: string): Promise<readonly ShardRef[]>;
  scan(
    shard: ShardRef,
    request: ScanRequest,
    signal: AbortSignal,
  ): AsyncIterable<readonly ScannedRecord[]>;
}

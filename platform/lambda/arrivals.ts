import type { FreshetError, GetRequest, ObjectRecord } from '../base/mod.ts';

/** A shard of a pool that this member holds. */
export interface ShardPlace {
  readonly shard: number;
  /** This member's place among the shard's members, and how many they are. */
  readonly rank: number;
  readonly size: number;
  /** Node ids in rank order. */
  readonly members: readonly number[];
  /** Of raw delivery: each member counts its own versions. */
  readonly raw: boolean;
}

/** A change or a trigger under a subscribed prefix. */
export interface Arrival {
  readonly kind: 'put' | 'trigger' | 'remove';
  readonly shard: number;
  readonly key: string;
  readonly version: number | null;
  readonly epoch: number | null;
  readonly time: number;
  readonly eventTime: number | null;
  readonly meta: Readonly<Record<string, string>>;
  /** null: to be read by (shard, version) where it is needed. */
  readonly bytes: Uint8Array | null;
  /** Version and epoch are places at this member alone: no lambda is told them. */
  readonly raw?: boolean;
}

/** A place in a shard's history. */
export interface Position {
  readonly epoch: number;
  readonly version: number;
}

export interface ArrivalSubscription {
  readonly close: () => void;
}

/** Where a dispatcher gets its work from: the member's own shards. */
export interface ArrivalSource {
  /** Shards held here of the pool to which `prefix` belongs. */
  places(prefix: string): readonly ShardPlace[];
  /** The newest version applied here, and the epoch that runs. */
  newest(shard: number): Position;
  /** The epoch in which a version was made; null: unknown, or no such version. */
  epochOf(shard: number, version: number): number | null;
  /**
   * Arrivals under `prefix` (at any depth below it) from a version on, in version order, no earlier
   * than the pool's frontier allows: persisted everywhere for a persistent pool. `onEnd` tells why
   * a subscription ended by itself (the shard stopped, the start was pruned).
   */
  subscribe(
    request: {
      readonly shard: number;
      readonly prefix: string;
      readonly from: number;
      readonly eager: boolean;
      /** What is asked for with no delay: keys with hash % size === rank; null: all. */
      readonly share: { readonly rank: number; readonly size: number } | null;
    },
    onArrivals: (arrivals: readonly Arrival[]) => void,
    onEnd: (error: FreshetError) => void,
  ): ArrivalSubscription;
  /** Everything up to `version` has been taken in; admission of puts looks at it. */
  setDispatched(shard: number, version: number): void;
  /** The same at every member, for choosing which one acts on a key. */
  hash(key: string): bigint;
  /** As the door's `get`, but a large value that lies here may be one that others read too. */
  getShared(request: GetRequest): Promise<ObjectRecord | null>;
  /**
   * The number by which a worker opens the shared record that these bytes lie in, as long as they
   * are held here; null: in none.
   */
  sharedAt(bytes: Uint8Array): number | null;
  /** For reading values inside workers; null: arrivals bring their bytes. */
  readonly memberKey: number | null;
}

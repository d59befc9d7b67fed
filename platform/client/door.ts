import type { FreshetError } from '../base/mod.ts';

/**
 * What every way into a cluster offers: inside a member, from a lambda's worker, over gRPC, over
 * HTTP. Values are bytes here; {@link Database} puts types on top. All failures are FreshetError.
 */
export interface Door {
  put(request: PutRequest): Promise<PutResult>;
  /** Many puts, not atomic; results in the order of the requests, each on its own. */
  putMany(requests: readonly PutRequest[]): Promise<readonly (PutResult | FreshetError)[]>;
  remove(request: RemoveRequest): Promise<PutResult>;
  /** null: there is no such object (never written, removed, or not yet at the asked moment). */
  get(request: GetRequest): Promise<ObjectRecord | null>;
  /** As `get`, without the value. */
  stat(request: GetRequest): Promise<ObjectRecord | null>;
  history(request: HistoryRequest): AsyncIterable<ObjectRecord>;
  /** Keys under a prefix, in byte order. */
  list(request: ListRequest): AsyncIterable<string>;
  watch(request: WatchRequest): AsyncIterable<WatchEvent>;
  triggerPut(request: TriggerRequest): Promise<TriggerResult>;
  /** Rows of a query plan as `Query.toPlan` makes it; a count is one row with a number. */
  query(plan: unknown, signal?: AbortSignal): AsyncIterable<unknown>;
  frontier(pool: string): Promise<readonly ShardFrontier[]>;

  pools(): Promise<readonly PoolInfo[]>;
  createPool(options: PoolOptions): Promise<PoolInfo>;
  removePool(name: string): Promise<void>;
  members(): Promise<ViewInfo>;
  close(): Promise<void>;
}

/** When a put is answered; the pool's kind gives the default. */
export type Ack = 'none' | 'delivered' | 'persisted';
/** What a read may miss; see architecture decision 13 in the README's map. */
export type ReadLevel = 'local' | 'stable' | 'linearizable';

export interface Expectation {
  /** The shard's newest version. */
  readonly version?: number;
  /** The key's newest version; 0: the key must not exist. */
  readonly versionOfKey?: number;
  /** The history that these versions belong to. */
  readonly epoch?: number;
}

export interface PutOptions {
  readonly ack?: Ack;
  readonly expect?: Expectation;
  /** Microseconds since the Unix epoch. */
  readonly eventTime?: number;
  readonly meta?: Readonly<Record<string, string>>;
  /** false: an ordered trigger that stores nothing. */
  readonly store?: boolean;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface PutRequest extends PutOptions {
  readonly key: string;
  readonly value: Uint8Array;
}

export interface RemoveRequest extends Omit<PutOptions, 'store'> {
  readonly key: string;
}

export interface PutResult {
  /** Contiguous in the key's shard; names a place in history together with `epoch`. */
  readonly version: number;
  readonly epoch: number;
  /** Commit time, µs, strictly monotone in version. */
  readonly time: number;
  readonly previousVersionOfKey: number | null;
}

export interface ReadOptions {
  readonly read?: ReadLevel;
  /** The newest version of the key at or below this version of its shard. */
  readonly version?: number;
  /** This very version. */
  readonly exact?: boolean;
  /** The newest version at or before this moment, µs, on the pool's time axis. */
  readonly at?: number;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface GetRequest extends ReadOptions {
  readonly key: string;
}

export interface HistoryOptions {
  /** Newest first. */
  readonly reverse?: boolean;
  readonly limit?: number;
  readonly fromVersion?: number;
  readonly toVersion?: number;
  readonly signal?: AbortSignal;
}

export interface HistoryRequest extends HistoryOptions {
  readonly key: string;
}

export interface ListRequest {
  readonly prefix: string;
  readonly after?: string;
  readonly limit?: number;
  readonly at?: number;
  readonly signal?: AbortSignal;
}

export interface WatchOptions {
  /** Continue after the event that carried this token; absent: from now on. */
  readonly from?: string;
  /** 'delivered' may show what a total restart undoes; default: the pool's own frontier. */
  readonly frontier?: 'delivered' | 'persisted';
  readonly signal?: AbortSignal;
}

export interface WatchRequest extends WatchOptions {
  readonly prefix: string;
}

export interface WatchEvent {
  readonly kind: 'put' | 'remove' | 'trigger';
  readonly object: ObjectRecord;
  /** Resume token: what has been seen of every shard of the pool, this event included. */
  readonly token: string;
}

export interface TriggerRequest {
  readonly key: string;
  readonly value: Uint8Array;
  /** 'one' (default): a member that holds the key; or all of them, or members by id. */
  readonly to?: 'one' | 'all' | readonly number[];
  readonly meta?: Readonly<Record<string, string>>;
  readonly eventTime?: number;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface TriggerResult {
  /** Members that took the trigger in; its lambdas run after this. */
  readonly members: readonly number[];
  /** µs, of the member's clock. */
  readonly time: number;
}

/** One version of one object. */
export interface ObjectRecord {
  readonly key: string;
  /** null: removed, or not asked for (`stat`). */
  readonly value: Uint8Array | null;
  readonly removed: boolean;
  readonly size: number;
  readonly version: number;
  readonly epoch: number;
  readonly time: number;
  readonly eventTime: number | null;
  readonly previousVersionOfKey: number | null;
  readonly meta: Readonly<Record<string, string>>;
}

export interface ShardFrontier {
  readonly shard: number;
  readonly epoch: number;
  /** Versions: applied at the answering member; in memory everywhere; on disk everywhere. */
  readonly delivered: number;
  readonly stable: number;
  readonly persisted: number;
}

export type PoolKind = 'volatile' | 'persistent' | 'trigger';
export type SchemaKind = 'json' | 'msgpack' | 'raw';

export interface PoolOptions {
  readonly name: string;
  readonly kind: PoolKind;
  /** Versions of a key that a volatile pool keeps; 0: all that fit. */
  readonly history?: number;
  readonly maxValueBytes?: number;
  /** Which time `at` means. */
  readonly timeAxis?: 'commit' | 'event';
  readonly schema?: SchemaKind;
  readonly subgroup?: string;
}

export interface PoolInfo extends Required<PoolOptions> {
  readonly id: number;
  readonly shards: readonly number[];
}

export interface MemberInfo {
  readonly nodeId: number;
  readonly host: string;
  readonly ports: Readonly<Record<string, number>>;
  readonly up: boolean;
}

export interface ViewInfo {
  readonly view: number;
  readonly me: number;
  readonly members: readonly MemberInfo[];
  /** What the cluster waits for, in words; null when it answers. */
  readonly waitingFor: string | null;
}

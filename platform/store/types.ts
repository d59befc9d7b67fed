import type { FreshetError } from '../base/mod.ts';

/**
 * What the store is asked and what it answers: plain numbers and bytes, no classes, so that the
 * same shapes pass a worker, a member message and every door. Versions and epochs are safe integers
 * from 1, times microseconds since 1970.
 */

export type Meta = Readonly<Record<string, string>>;
export type Ack = 'none' | 'delivered' | 'persisted';
export type ReadLevel = 'local' | 'stable' | 'linearizable';

/** What a change demands of what it meets; otherwise CONDITION_FAILED. */
export interface Expectation {
  /** The shard's newest version. */
  readonly version?: number;
  /** The key's newest version; 0: the key has none. */
  readonly versionOfKey?: number;
  /** The history that these versions belong to. */
  readonly epoch?: number;
}

/** Names a request of a client, so that a retry is applied once. Each from 1. */
export interface SessionStamp {
  readonly session: number;
  readonly request: number;
  readonly lowestUnanswered: number;
}

export interface CallLimits {
  /** Default: `limits.requestTimeoutMsDefault`. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface RemoveRequest extends CallLimits {
  readonly key: string;
  /** Default: persisted for a persistent pool, else delivered. */
  readonly ack?: Ack;
  readonly expect?: Expectation;
  readonly eventTime?: number;
  readonly meta?: Meta;
  readonly session?: SessionStamp;
}

export interface PutRequest extends RemoveRequest {
  readonly value: Uint8Array;
  /** false: an ordered trigger, which takes a version and stores nothing. */
  readonly store?: boolean;
}

/** With ack none nothing is known: all 0. */
export interface PutResult {
  readonly version: number;
  readonly epoch: number;
  readonly time: number;
  readonly previousVersionOfKey: number | null;
}

export interface GetRequest extends CallLimits {
  readonly key: string;
  /** Default: linearizable. */
  readonly read?: ReadLevel;
  /** The newest version of the key at or below this one. */
  readonly version?: number;
  /** This very version. */
  readonly exact?: boolean;
  /** The newest version at or before this time, on the pool's axis. */
  readonly at?: number;
}

/** One version of one object. */
export interface ObjectRecord {
  readonly key: string;
  /** null: removed, or not asked for. */
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

export interface HistoryRequest extends CallLimits {
  readonly key: string;
  /** Newest first. */
  readonly reverse?: boolean;
  readonly limit?: number;
  readonly fromVersion?: number;
  readonly toVersion?: number;
}

export interface ListRequest extends CallLimits {
  /** The keys' first bytes: a pool, a folder below one, or what several pools have in common. */
  readonly prefix: string;
  /** Only keys after this one, in byte order. */
  readonly after?: string;
  readonly limit?: number;
  readonly at?: number;
}

export interface WatchRequest {
  /** As in `ListRequest`. */
  readonly prefix: string;
  /** Token of the last event seen; absent: from now on; `start`: from version 1. */
  readonly from?: string;
  /** Default: persisted for a persistent pool, else delivered. */
  readonly frontier?: 'delivered' | 'persisted';
  readonly signal?: AbortSignal;
}

export interface WatchEvent {
  readonly kind: 'put' | 'remove' | 'trigger';
  readonly object: ObjectRecord;
  /** Where to resume after this event. */
  readonly token: string;
}

export interface TriggerRequest extends CallLimits {
  readonly key: string;
  readonly value: Uint8Array;
  /** One member of the shard (the same for the same key while it is up), all, or these node ids. */
  readonly to?: 'one' | 'all' | readonly number[];
  readonly meta?: Meta;
  readonly eventTime?: number;
}

export interface TriggerResult {
  readonly members: readonly number[];
  readonly time: number;
}

/** A trigger put that has arrived at this member. */
export interface TriggerEvent {
  readonly key: string;
  readonly shard: number;
  readonly value: Uint8Array;
  readonly meta: Meta;
  readonly eventTime: number | null;
  /** µs, this member's clock. */
  readonly time: number;
  /** The member that sent it. */
  readonly from: number;
}

/** Takes a trigger in; throws OVERLOADED when it cannot. Answered to the sender once it returns. */
export type TriggerHandler = (event: TriggerEvent) => Promise<void> | void;

export interface ShardFrontier {
  readonly shard: number;
  readonly epoch: number;
  readonly delivered: number;
  readonly stable: number;
  readonly persisted: number;
}

export type PutOutcome = PutResult | FreshetError;

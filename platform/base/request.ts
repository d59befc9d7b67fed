import type { Meta } from './object.ts';

/** What the store and every door are asked; the answers are in object.ts. */

/** When a change is answered; the pool's kind gives the default. */
export type Ack = 'none' | 'delivered' | 'persisted';
/** What a read may miss; see "What you can rely on" in the README. */
export type ReadLevel = 'local' | 'stable' | 'linearizable';

export interface CallLimits {
  /** Default: `limits.requestTimeoutMsDefault`, and more for a large value. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** What a change demands of what it meets; otherwise CONDITION_FAILED. */
export interface Expectation {
  /** The shard's newest version. */
  readonly version?: number;
  /** The key's newest version; 0: the key must not exist. */
  readonly versionOfKey?: number;
  /** The history that these versions belong to. */
  readonly epoch?: number;
}

/**
 * Names a request of a session, each from 1, so that a retry is applied once and answered as the
 * first time. SESSION_EXPIRED: whoever asks has answered for it, or its session is forgotten.
 */
export interface SessionStamp {
  readonly session: number;
  readonly request: number;
  /** Answers of requests below it are not asked for again. */
  readonly lowestUnanswered: number;
}

export interface RemoveOptions extends CallLimits {
  /** Default: persisted for a persistent pool, else delivered. */
  readonly ack?: Ack;
  readonly expect?: Expectation;
  /** Microseconds since the Unix epoch. */
  readonly eventTime?: number;
  readonly meta?: Meta;
}

export interface RemoveRequest extends RemoveOptions {
  readonly key: string;
  readonly session?: SessionStamp;
}

export interface PutOptions extends RemoveOptions {
  /** false: an ordered trigger, which takes a version and stores nothing. */
  readonly store?: boolean;
}

export interface PutRequest extends PutOptions {
  readonly key: string;
  readonly value: Uint8Array;
  readonly session?: SessionStamp;
}

export interface ReadOptions extends CallLimits {
  /** Default: linearizable. */
  readonly read?: ReadLevel;
  /** The newest version of the key at or below this version of its shard. */
  readonly version?: number;
  /** This very version. */
  readonly exact?: boolean;
  /** The newest version at or before this moment, µs, on the pool's time axis. */
  readonly at?: number;
}

export interface GetRequest extends ReadOptions {
  readonly key: string;
  /** A longer value is left out: `value` is null, `size` tells. Default: none is. */
  readonly maxBytes?: number;
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
  /** The keys' first bytes: a pool, a folder below one, or what several pools have in common. */
  readonly prefix: string;
  /** Only keys after this one, in byte order. */
  readonly after?: string;
  readonly limit?: number;
  /** µs, commit time. */
  readonly at?: number;
  /** Default: linearizable. */
  readonly read?: ReadLevel;
  readonly signal?: AbortSignal;
}

export interface WatchOptions {
  /** Token of the last event seen; absent: from now on; `start`: from version 1. */
  readonly from?: string;
  /** `delivered` may show what a total restart undoes; default: the pool's own frontier. */
  readonly frontier?: 'delivered' | 'persisted';
  readonly signal?: AbortSignal;
}

/**
 * A watch ends with COMPACTED where a change may be left out: it was pruned before it was handed
 * out, or the shard goes on without what was handed out before, or from anew.
 */
export interface WatchRequest extends WatchOptions {
  /** As in `ListRequest`. */
  readonly prefix: string;
}

export interface TriggerRequest extends CallLimits {
  readonly key: string;
  readonly value: Uint8Array;
  /**
   * `one` (default): a member of the shard, the same for the same key while it is up; or all of
   * them, or members by id.
   */
  readonly to?: 'one' | 'all' | readonly number[];
  readonly meta?: Meta;
  readonly eventTime?: number;
}

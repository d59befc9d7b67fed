import type {
  ObjectChange,
  ObjectRecord,
  PutOutcome,
  PutResult,
  ReadLevel,
  ShardFeed,
  ShardFrontier,
} from '../base/mod.ts';
import type { ScanOptions } from '../bridge/mod.ts';
import type { EventShare, PackedRecord } from '../group/mod.ts';

export type { FeedEvent, ShardFeed } from '../base/mod.ts';

/** A change of one shard, checked and complete; `pool` 0: of the shard itself. */
export interface ShardChange extends Omit<ObjectChange, 'kind'> {
  readonly kind: ObjectChange['kind'] | 'control';
}

export interface ShardRead {
  readonly key: string;
  readonly read: ReadLevel;
  readonly version: number | null;
  readonly exact: boolean;
  readonly at: number | null;
  readonly wantValue: boolean;
  /** A large value may be one that others read too, which is not to be written to. Default: no. */
  readonly shared?: boolean;
  /** A longer value is left out. Default: none is. */
  readonly maxBytes?: number;
}

/** A version is another one where its epoch is another one. */
export interface VersionPlace {
  readonly version: number;
  readonly epoch: number;
}

export interface ShardCallLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | null;
}

export interface ShardScan extends Omit<ScanOptions, 'shard' | 'batchBytes' | 'resume' | 'floor'> {
  /** `linearizable`: a page waits until what was received is shown, as `ShardAccess.read` does. */
  readonly read: ReadLevel;
  /** Also tell, record by record, the key's version before. */
  readonly withPrevious: boolean;
}

/** What a scan is unless it says otherwise: over all that is there, without values. */
export const plainScan = {
  read: 'linearizable',
  fromVersion: 0,
  toVersion: Infinity,
  fromTime: -Infinity,
  toTime: Infinity,
  reverse: false,
  limit: Infinity,
  wantValues: false,
  wantRemoved: false,
  program: null,
  withPrevious: false,
} as const satisfies Partial<ShardScan>;

export interface ScanPage {
  readonly records: readonly PackedRecord[];
  /** The key's version before each record; empty unless asked for. */
  readonly previous: readonly (number | null)[];
  /** Where to go on; null: complete. */
  readonly resume: Uint8Array | null;
}

export interface FeedOptions {
  /** Bytes that keys begin with. */
  readonly prefix: string;
  /** First version wanted; null: the one after what the frontier shows now. */
  readonly from: number | null;
  /** Of the version before `from`, which the shard's history has to have; 0: whatever it has. */
  readonly epochBefore?: number;
  readonly frontier: 'delivered' | 'persisted';
  /** Changes of other keys may come a little later. Default: none may. */
  readonly share?: EventShare | null;
}

/** A change, and who hears once how it ended. */
export interface MadeChange {
  readonly change: ShardChange;
  /** Monotonic ms. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal | null;
  settle(outcome: PutOutcome): void;
}

/** One shard, held here or reached through another member. Every rejection is a FreshetError. */
export interface ShardAccess {
  readonly shard: number;
  put(change: ShardChange, call: ShardCallLimits): Promise<PutResult>;
  /** Not atomic; in order, each with its own outcome. */
  putMany(changes: readonly ShardChange[], call: ShardCallLimits): Promise<readonly PutOutcome[]>;
  /**
   * As `put` of each, in order, without a promise; NOT_A_MEMBER: it may be made elsewhere, by `put`.
   * false: none was begun, as they are not made here.
   */
  begin(changes: readonly MadeChange[]): boolean;
  read(read: ShardRead, call: ShardCallLimits): Promise<ObjectRecord | null>;
  /** The newest of a key as `read` would answer it, if that is known at once; null: ask `read`. */
  glance(key: string, read: ReadLevel): ObjectRecord | null;
  /** Bytes of a version's record, from its byte `from` on; none at its end. */
  readPart(place: VersionPlace, from: number, call: ShardCallLimits): Promise<Uint8Array>;
  /** Resolves once its whole record is as it was stored: mended, if it was damaged on disk. */
  checkVersion(place: VersionPlace, call: ShardCallLimits): Promise<void>;
  scan(scan: ShardScan, resume: Uint8Array | null, call: ShardCallLimits): Promise<ScanPage>;
  /** Heads of the versions of a key that are kept, newest first, without values. */
  history(
    key: string,
    from: number,
    to: number,
    limit: number,
    call: ShardCallLimits,
  ): Promise<readonly ObjectRecord[]>;
  feed(options: FeedOptions): ShardFeed;
  /** `local`: as its member knows it, which may be behind. Rejects where no epoch has begun. */
  frontier(read: ReadLevel, call: ShardCallLimits): Promise<ShardFrontier>;
  /** Which epoch a version belongs to; null: not kept or not there. */
  epochOf(version: number): Promise<number | null>;
  /** The newest version up to a commit time, µs. */
  versionAtTime(time: number, read: ReadLevel, call: ShardCallLimits): Promise<number>;
}

/** What passes between a member's native side and whoever uses it. */
import type { DiskRoom } from '../bridge/mod.ts';
import type { Lag } from './slow-members.ts';

/** The answer to one change. `status` 0: accepted. */
export interface Completion {
  readonly status: number;
  readonly epoch: number;
  readonly version: number;
  readonly time: number;
  /** With CONDITION_FAILED: the key's newest version. 0: none. */
  readonly previousVersionOfKey: number;
}

export interface CoreResult {
  readonly status: number;
  readonly bytes: Buffer | null;
}

/** What a change is, in the native side's terms (see `NativeAddon.submit`). */
export interface CoreChange {
  readonly shard: number;
  readonly kind: number;
  readonly ack: number;
  readonly pool: number;
  readonly key: string;
  readonly value: Uint8Array | null;
  readonly meta: Uint8Array | null;
  readonly extra: Float64Array | null;
}

/** Whoever wants to hear of rows that answer no call. */
export interface CoreListener {
  onPeer?(node: number, state: 'up' | 'down' | 'refused', status: number): void;
  onShardStopped?(shard: number, status: number, lostNode: number): void;
  onMessage?(from: number, bytes: Buffer): void;
  /** Of a client at the native door; `answerTrigger` of the addon answers the call. */
  onTrigger?(call: number, frame: Buffer): void;
  /** What a member has left on its disk; told while that is not enough, and when it is again. */
  onDisk?(node: number, freeBytes: number, room: DiskRoom): void;
  /** `notice` is one of viewNotices. */
  onView?(notice: number): void;
  /** It was made to wait for another member. */
  onLag?(lag: Lag): void;
  onDamage?(shard: number, status: number, segment: number, offset: number): void;
}

/** Epoch, sequence and entries of the sessions of a volatile shard (see `NativeAddon.readLog`). */
export type SessionsRead = readonly [epoch: number, sequence: number, entries: number];

export const noSessions: SessionsRead = [0, -1, 0];

/** Which keys a subscriber acts on: those with hash % size === rank (see `NativeAddon.subscribe`). */
export interface EventShare {
  readonly rank: number;
  readonly size: number;
}

export type SubscriptionHandler = (
  shard: number,
  epoch: number,
  version: number,
  time: number,
) => void;

/** What a client needs to speak with the native threads of members, as a member tells it. */
import type { PoolInfo } from './pool.ts';

/** Shows that its holder may come in, to any member of the cluster. */
export interface NativeTicket {
  readonly ticket: Uint8Array;
  /** Proves that the ticket is the holder's; never sent to the door. */
  readonly key: Uint8Array;
  /** µs; connections that there are live on. */
  readonly expires: number;
  readonly clusterId: Uint8Array;
}

/** Where the native door of a member listens. */
export interface NativeAddress {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
}

export interface NativeShard {
  readonly shard: number;
  /** Node ids of those that run it, in rank order. */
  readonly members: readonly number[];
  /** Those of them that take changes. */
  readonly senders: readonly number[];
  readonly persistent: boolean;
  /** Delivered without an order. */
  readonly raw: boolean;
}

export interface NativePool extends Pick<
  PoolInfo,
  'name' | 'id' | 'kind' | 'shards' | 'maxValueBytes'
> {
  /** Key → place among the shards, where the hash does not decide. */
  readonly locations: Readonly<Record<string, number>>;
}

export interface NativeDoorInfo {
  readonly ticket: NativeTicket;
  /** Number of the installed view; 0: none. */
  readonly view: number;
  /** Those whose door is known. */
  readonly members: readonly NativeAddress[];
  readonly shards: readonly NativeShard[];
  readonly pools: readonly NativePool[];
}

/** Who holds which shard now, as a running member tells it. */
export interface LayoutReport {
  /** Number of the view; 0: none runs. */
  readonly view: number;
  /** Of the layout: 1 as configured, one more with each change. */
  readonly version: number;
  /** The layout that counts, as JSON of a configuration: `subgroups` and `layout`. */
  readonly source: string;
  /** Node ids of its members, in rank order. */
  readonly members: readonly number[];
  /** A member holds one shard, but every one that reserves it. */
  readonly exclusive: boolean;
  /** By ascending number. */
  readonly shards: readonly HeldShard[];
}

export interface HeldShard {
  readonly shard: number;
  readonly subgroup: string;
  /** Place within its subgroup, from 0. */
  readonly index: number;
  readonly min: number;
  readonly max: number;
  readonly reserved: readonly number[];
  /** Node ids of those that run it, in rank order; empty: it stands still. */
  readonly members: readonly number[];
  /** Those that have a place in it: its members, and who is awaited. */
  readonly homes: readonly number[];
  /** Members whose places were given to others. */
  readonly leaving: readonly number[];
  /**
   * Those that are to hold it, with the members that the view has, and those that are away and keep
   * their places for ever (`layout.replaceAfterMs` null).
   */
  readonly wanted: readonly number[];
  /** Its newest version; 0: none, or unknown. */
  readonly version: number;
}

/** What a change of the layout changes. */
export interface LayoutChange {
  /** Version of the layout now. */
  readonly from: number;
  /** And with the change; the same: it changes nothing. */
  readonly to: number;
  /** What will be otherwise, for people. */
  readonly lines: readonly string[];
  readonly shards: readonly ShardChange[];
}

/** One shard whose members are to be others. Node ids. */
export interface ShardChange {
  readonly shard: number;
  readonly subgroup: string;
  readonly index: number;
  /** Null: there is no such shard yet. */
  readonly before: readonly number[] | null;
  /** Empty: it goes with its subgroup. */
  readonly after: readonly number[];
}

/** What `verify` tells about the logs and histories of all members. */

/** A place in a member's log: segment, and byte within its file. */
export interface LogPlace {
  readonly segment: number;
  readonly offset: number;
}

/**
 * same: sound, and as at most members; differs: another history than the majority's, or there is no
 * majority; unknown: no point in common with the others yet.
 */
export type MemberVerdictName = 'same' | 'differs' | 'damaged' | 'unknown' | 'unreachable';

export interface MemberVerdict {
  readonly nodeId: number;
  /** Its newest version; null: it did not tell. */
  readonly version: number | null;
  /** Of its history at the version compared, in hex; null: it has not got there. */
  readonly digest: string | null;
  /** Damage that could not be mended yet, the first place of each segment. */
  readonly damage: readonly LogPlace[];
  readonly verdict: MemberVerdictName;
}

export interface ShardVerdict {
  readonly shard: number;
  readonly subgroup: string;
  /** Where histories were compared: the newest point that all have; null: there is none. */
  readonly version: number | null;
  readonly members: readonly MemberVerdict[];
  /** Sound and alike at every member. */
  readonly ok: boolean;
}

/** Of all persistent shards. */
export interface VerifyReport {
  readonly shards: readonly ShardVerdict[];
  readonly ok: boolean;
}

/** How the group stands, for those around it. */
import type { MemberAddress } from './group-options.ts';

export interface MemberState extends MemberAddress {
  readonly up: boolean;
  readonly leads: boolean;
  readonly me: boolean;
}

/** How the group stands; given at every change. */
export interface GroupView {
  /** Number of the newest view that began; 0: none yet. */
  readonly number: number;
  readonly members: readonly MemberState[];
  /** Every shard that this member holds runs. */
  readonly running: boolean;
  /** Shards of this member that stand still. */
  readonly stopped: readonly number[];
  readonly problem: string | null;
}

import type { ShardRules } from './layout-rules.ts';

/** What a closed shard waits for. */
export interface ShardWait {
  /** So many members, */
  readonly count: number;
  /** of these, ascending; */
  readonly of: readonly number[];
  /** or, if true, of any others as well. */
  readonly orAny: boolean;
  /** In words, with the shard: `shard 2 of the subgroup volatile needs …`. */
  readonly reason: string;
}

/** Who holds one shard in a view. */
export interface PlannedShard {
  readonly shard: number;
  /** Node ids in rank order; empty while it is closed. */
  readonly members: readonly number[];
  /** Ranks of those that send, ascending; never empty unless closed. */
  readonly senders: readonly number[];
  /** Who has its whole history: `members`, or, while it is closed, those that had it last. */
  readonly holders: readonly number[];
  /** Members whose places are given away: they go with the next plan, if nobody is lost. */
  readonly leaving: readonly number[];
  /** It begins without history: nobody ever had any, or it was in the memory of lost members. */
  readonly isEmpty: boolean;
  /** null: it runs. */
  readonly waits: ShardWait | null;
}

/** Who holds what in a view. Plain data. */
export interface LayoutPlan {
  /** By ascending number, every shard of the layout. */
  readonly shards: readonly PlannedShard[];
}

/** Ranks of the members of a shard that send, ascending. */
export function sendersOf(
  { senders }: Pick<ShardRules, 'senders'>,
  members: readonly number[],
): readonly number[] {
  return members.flatMap((node, rank) =>
    senders === null || senders.includes(node) ? [rank] : [],
  );
}

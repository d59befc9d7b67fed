/**
 * Which members hold which shards, now and as members come and go: a pure function of the layout,
 * the plan before, and who is present. Every member that computes it gets the same.
 *
 * What has priority, in this order:
 *  1. A shard keeps at least one of its surviving members: history is never left to newcomers
 *     alone. Without any, a persistent shard waits for one of its old members; others begin empty.
 *  2. Reserved members hold their shards whenever they are present.
 *  3. No shard has more members than its maximum. (For one plan it may have one more: the last
 *     survivor, or the member whose place a move gives away, until the others are complete.)
 *  4. A shard with fewer members than its minimum, or without a sender, is closed and says what it
 *     waits for.
 *  5. Survivors stay, in their order. Spares fill what is free, the least loaded first.
 */
import { type LayoutPlan, type PlannedShard, sendersOf } from './layout-plan.ts';
import type { LayoutRules } from './layout-rules.ts';
import { beginDraft, type ShardDraft } from './shard-draft.ts';
import { fillExclusive, fillShared, turned } from './shard-spares.ts';

/**
 * `present`: node ids in rank order. `joining`: those of them that were not in the view before, or
 * were so by an earlier run of their process: what was in its memory is gone.
 */
export function planShards(
  layout: LayoutRules,
  previous: LayoutPlan | null,
  present: readonly number[],
  joining: readonly number[] = [],
): LayoutPlan {
  const before = new Map(previous?.shards.map((planned) => [planned.shard, planned]));
  const presence = { all: new Set(present), joining: new Set(joining) };
  // Neighbouring shards begin at neighbouring members, and subgroups begin shifted.
  const nth = new Map(layout.subgroups.map(({ name }, place) => [name, place]));
  const drafts = layout.shards.map((rules) => {
    const turn = rules.index + (nth.get(rules.subgroup) ?? 0);
    return beginDraft(
      rules,
      layout.exclusive ? 0 : turn,
      before.get(rules.shard) ?? null,
      presence,
    );
  });
  const fill = layout.exclusive ? fillExclusive : fillShared;
  fill(drafts, present);
  return { shards: drafts.map((draft) => finish(draft, present)) };
}

function finish(draft: ShardDraft, present: readonly number[]): PlannedShard {
  const { rules, fixed, leaving, added, survivors, waits } = draft;
  const { shard } = rules;
  if (waits !== null) {
    const closed = { shard, members: [], senders: [], leaving: [], isEmpty: false, waits };
    return { ...closed, holders: holdersOfClosed(draft) };
  }
  const members = [...fixed, ...turned(draft, present).filter((node) => added.has(node))];
  return {
    shard,
    members,
    senders: sendersOf(rules, members),
    holders: members,
    leaving,
    isEmpty: survivors.length === 0,
    waits,
  };
}

/** Nothing is delivered while a shard is closed, so who had its history goes on having it. */
function holdersOfClosed({ before, survivors, areComplete }: ShardDraft): readonly number[] {
  return areComplete ? survivors : (before?.holders ?? []);
}

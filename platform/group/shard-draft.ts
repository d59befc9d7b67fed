/** Planning, first part: of each shard by itself, who stays, who is reserved, and what it lacks. */
import type { PlannedShard, ShardWait } from './layout-plan.ts';
import { placeOf, type ShardRules } from './layout-rules.ts';

/** Where planning stands with one shard. */
export interface ShardDraft {
  readonly rules: ShardRules;
  /** Where among the present members the filling begins, so that not all shards begin alike. */
  readonly turn: number;
  readonly before: PlannedShard | null;
  /** Members with its history that are present, in rank order. */
  readonly survivors: readonly number[];
  /** Each of them has all of it; else the longest history among them is the truth. */
  readonly areComplete: boolean;
  /** Who is in it for certain, in rank order: survivors and reserved ones. */
  fixed: readonly number[];
  /** Members that start again within this view; their disk has most of the history. */
  readonly returning: readonly number[];
  readonly leaving: readonly number[];
  /** Spares that are to fill it. */
  readonly added: Set<number>;
  waits: ShardWait | null;
}

export interface Presence {
  readonly all: ReadonlySet<number>;
  /** New in this view; what was in the memory of an earlier run is gone. */
  readonly joining: ReadonlySet<number>;
}

export function beginDraft(
  rules: ShardRules,
  turn: number,
  before: PlannedShard | null,
  presence: Presence,
): ShardDraft {
  const { survivors, areComplete } = survivorsOf(rules, before, presence);
  const places = settle(rules, before, survivors, presence);
  const added = new Set<number>();
  const draft = { rules, turn, before, survivors, areComplete, ...places, added };
  return { ...draft, waits: historyWait(draft) ?? senderWait(draft) };
}

function survivorsOf(
  { persistent }: ShardRules,
  before: PlannedShard | null,
  { all, joining }: Presence,
): Pick<ShardDraft, 'survivors' | 'areComplete'> {
  const present = before?.holders.filter((node) => all.has(node)) ?? [];
  const inMemory = present.filter((node) => !joining.has(node));
  const isOpen = before?.waits === null;
  if (!persistent || (isOpen && inMemory.length > 0)) {
    return { survivors: inMemory, areComplete: true };
  }
  // Who starts again has its disk, but perhaps not the last that the others delivered.
  return { survivors: present, areComplete: false };
}

/** Who stays and who is reserved, within the maximum. */
function settle(
  { max, reserved }: ShardRules,
  before: PlannedShard | null,
  survivors: readonly number[],
  { all }: Presence,
): Pick<ShardDraft, 'fixed' | 'returning' | 'leaving'> {
  const wanted = unique([...survivors, ...reserved.filter((node) => all.has(node))]);
  const leavingBefore = before?.leaving ?? [];
  // First those whose place is given away already, then from the highest rank down.
  const dispensable = survivors
    .filter((node) => !reserved.includes(node))
    .sort((a, b) => {
      const given = Number(leavingBefore.includes(b)) - Number(leavingBefore.includes(a));
      return given === 0 ? survivors.indexOf(b) - survivors.indexOf(a) : given;
    });
  const dropped = dispensable.slice(0, Math.max(0, wanted.length - max));
  const isAll = dropped.length > 0 && dropped.length === survivors.length;
  const leaving = isAll ? dropped.splice(-1) : [];
  const fixed = wanted.filter((node) => !dropped.includes(node));
  const gone = [...dropped, ...leavingBefore, ...fixed];
  const returning = before?.members.filter((node) => all.has(node) && !gone.includes(node)) ?? [];
  return { fixed, returning, leaving };
}

function historyWait({
  rules,
  before,
  survivors,
}: Pick<ShardDraft, 'rules' | 'before' | 'survivors'>): ShardWait | null {
  const holders = before?.holders ?? [];
  if (!rules.persistent || holders.length === 0 || survivors.length > 0) {
    return null;
  }
  return waitFor(rules, { count: 1, of: holders, orAny: false }, 'with its history');
}

function senderWait({ rules, fixed }: Pick<ShardDraft, 'rules' | 'fixed'>): ShardWait | null {
  const { senders } = rules;
  if (senders === null || senders.some((node) => fixed.includes(node))) {
    return null;
  }
  return waitFor(rules, { count: 1, of: senders, orAny: false }, 'that may send');
}

/** What a shard waits for that has `count` members too few. */
export function memberWait({ rules, before, fixed }: ShardDraft, count: number): ShardWait {
  const known = [...(before?.holders ?? []), ...rules.reserved];
  const of = known.filter((node) => !fixed.includes(node));
  return waitFor(rules, { count, of, orAny: true }, `for its minimum of ${String(rules.min)}`);
}

function waitFor(rules: ShardRules, wait: Omit<ShardWait, 'reason'>, why: string): ShardWait {
  const of = unique(wait.of).sort((a, b) => a - b);
  const many = wait.count === 1 ? '1 more member' : `${String(wait.count)} more members`;
  const list = of.map(String).join(', ');
  const anyOf = list === '' ? 'any will do' : `${list} or others`;
  const whom = wait.orAny ? anyOf : list;
  return { ...wait, of, reason: `${placeOf(rules)} needs ${many} ${why}: ${whom}` };
}

function unique(nodes: readonly number[]): number[] {
  return [...new Set(nodes)];
}

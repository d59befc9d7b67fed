/** Planning, second part: which spare members fill what is free, and which shards stay closed. */
import { catalogSubgroup } from './layout-options.ts';
import type { ShardRules } from './layout-rules.ts';
import { evenOut } from './shard-balance.ts';
import { memberWait, type ShardDraft } from './shard-draft.ts';

/** The catalog is at every member and counts as nobody's load. */
export function isCatalog({ subgroup }: Pick<ShardRules, 'subgroup'>): boolean {
  return subgroup === catalogSubgroup;
}

/** Members that are present, those first whose turn it is in this shard. */
export function turned({ turn }: Pick<ShardDraft, 'turn'>, present: readonly number[]): number[] {
  const start = turn % Math.max(1, present.length);
  return [...present.slice(start), ...present.slice(0, start)];
}

/** Where members hold as many shards as it takes: every open shard fills up to its maximum. */
export function fillShared(drafts: readonly ShardDraft[], present: readonly number[]): void {
  for (const draft of drafts) {
    const lacking = draft.rules.min - present.length;
    if (draft.waits === null && lacking > 0) {
      draft.waits = memberWait(draft, lacking);
    }
  }
  const open = drafts.filter(({ waits }) => waits === null);
  for (const draft of open) {
    draft.fixed = [...draft.fixed, ...draft.returning.slice(0, roomOf(draft))];
  }
  const counted = open.filter(({ rules }) => !isCatalog(rules));
  const load = new Map(present.map((node) => [node, 0]));
  const loadOf = (node: number): number => load.get(node) ?? 0;
  counted
    .flatMap(({ fixed }) => fixed)
    .forEach((node) => {
      load.set(node, loadOf(node) + 1);
    });
  for (const draft of open) {
    const spares = turned(draft, present).filter((node) => !draft.fixed.includes(node));
    // Sorting is stable: among equals the turn decides.
    spares.sort((a, b) => loadOf(a) - loadOf(b));
    for (const node of spares.slice(0, roomOf(draft))) {
      draft.added.add(node);
      load.set(node, loadOf(node) + Number(!isCatalog(draft.rules)));
    }
  }
  evenOut(counted, present, load);
}

/**
 * Where a member without reservation holds one shard, as in Derecho: first every shard gets its
 * minimum, those with history before those without, then one more each in turn.
 */
export function fillExclusive(drafts: readonly ShardDraft[], present: readonly number[]): void {
  const single = drafts.filter(({ rules }) => !isCatalog(rules));
  const bound = new Set(single.flatMap(({ rules, fixed }) => [...rules.reserved, ...fixed]));
  const spares = present.filter((node) => !bound.has(node));
  const byNeed = single.filter(({ waits }) => waits === null);
  byNeed.sort((a, b) => Number(isNew(a)) - Number(isNew(b)));
  const short: ShardDraft[] = [];
  for (const draft of byNeed) {
    const lacking = Math.max(0, draft.rules.min - draft.fixed.length);
    if (lacking > spares.length) {
      short.push(draft);
    } else {
      take(draft, lacking, spares);
    }
  }
  giveRest(
    single.filter((draft) => draft.waits === null && !short.includes(draft)),
    spares,
  );
  for (const draft of short) {
    draft.waits = memberWait(draft, draft.rules.min - draft.fixed.length - spares.length);
  }
  for (const draft of drafts.filter(({ rules }) => isCatalog(rules))) {
    take(
      draft,
      roomOf(draft),
      present.filter((node) => !draft.fixed.includes(node)),
    );
  }
}

/** Who held the shard before comes first. */
function take({ returning, added }: ShardDraft, count: number, spares: number[]): void {
  for (let taken = 0; taken < count && spares.length > 0; taken++) {
    const known = spares.findIndex((node) => returning.includes(node));
    spares.splice(Math.max(0, known), 1).forEach((node) => added.add(node));
  }
}

function giveRest(open: readonly ShardDraft[], spares: number[]): void {
  let wanting = open.filter((draft) => roomOf(draft) > 0);
  while (wanting.length > 0 && spares.length > 0) {
    for (const draft of wanting) {
      take(draft, 1, spares);
    }
    wanting = wanting.filter((draft) => roomOf(draft) > 0);
  }
}

function roomOf({ rules, fixed, added }: ShardDraft): number {
  return Math.max(0, rules.max - fixed.length - added.size);
}

function isNew({ survivors }: ShardDraft): boolean {
  return survivors.length === 0;
}

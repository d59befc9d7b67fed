/**
 * Evens out how many shards each member holds, as far as what is fixed allows: semi-matching by
 * cost-reducing paths (Harvey, Ladner, Lovász and Tamir, "Semi-matchings for bipartite graphs and
 * load balancing", J. Algorithms 59(1), 2006). When no such path is left, no other choice of spares
 * has a smaller sum of squared loads, nor a smaller largest load.
 */
import type { ShardDraft } from './shard-draft.ts';

/** In this shard a member's place goes to another that does not hold it yet. */
interface Shift {
  readonly draft: ShardDraft;
  readonly from: number;
  readonly to: number;
}

/** Changes who was added to the drafts, and `load` (shards by member) with it. */
export function evenOut(
  drafts: readonly ShardDraft[],
  present: readonly number[],
  load: Map<number, number>,
): void {
  let path = findPath(drafts, present, load);
  while (path !== null) {
    for (const { draft, from, to } of path) {
      draft.added.delete(from);
      draft.added.add(to);
    }
    const first = path[0]?.from as number;
    const last = path.at(-1)?.to as number;
    load.set(first, (load.get(first) ?? 0) - 1);
    load.set(last, (load.get(last) ?? 0) + 1);
    path = findPath(drafts, present, load);
  }
}

/** The shortest way by which a member gives a shard away and one with two fewer gets one. */
function findPath(
  drafts: readonly ShardDraft[],
  present: readonly number[],
  load: ReadonlyMap<number, number>,
): readonly Shift[] | null {
  const loadOf = (node: number): number => load.get(node) ?? 0;
  const heaviestFirst = [...present].sort((a, b) => loadOf(b) - loadOf(a));
  const least = loadOf(heaviestFirst.at(-1) ?? 0);
  for (const start of heaviestFirst) {
    if (loadOf(start) - least < 2) {
      return null;
    }
    const path = pathFrom(start, drafts, present, (node) => loadOf(start) - loadOf(node) >= 2);
    if (path !== null) {
      return path;
    }
  }
  return null;
}

/** Breadth first: the shortest path, in which no shard occurs twice. */
function pathFrom(
  start: number,
  drafts: readonly ShardDraft[],
  present: readonly number[],
  isGoal: (node: number) => boolean,
): readonly Shift[] | null {
  const reachedBy = new Map<number, Shift | null>([[start, null]]);
  const queue = [start];
  for (let from = queue.shift(); from !== undefined; from = queue.shift()) {
    for (const draft of drafts.filter(({ added }) => added.has(from))) {
      for (const to of present) {
        if (reachedBy.has(to) || draft.added.has(to) || draft.fixed.includes(to)) {
          continue;
        }
        reachedBy.set(to, { draft, from, to });
        if (isGoal(to)) {
          return trace(to, reachedBy);
        }
        queue.push(to);
      }
    }
  }
  return null;
}

function trace(end: number, reachedBy: ReadonlyMap<number, Shift | null>): readonly Shift[] {
  const path: Shift[] = [];
  for (let shift = reachedBy.get(end) ?? null; shift !== null;) {
    path.unshift(shift);
    shift = reachedBy.get(shift.from) ?? null;
  }
  return path;
}

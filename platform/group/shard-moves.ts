/**
 * Moves of whole shards under load (a move changes one shard): the newcomer joins and is filled
 * beside the puts, then the old member goes. So a shard never has fewer members than it had.
 */
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { check, FreshetError } from '../base/mod.ts';
import { type LayoutPlan, type PlannedShard, sendersOf } from './layout-plan.ts';
import type { LayoutRules, ShardRules } from './layout-rules.ts';
import { isCatalog } from './shard-spares.ts';

const id = Type.Integer({ minimum: 1 });
const MoveSchema = Type.Object({ shard: id, from: id, to: id });

/** `from` gives its place in the shard to `to`. */
export type ShardMove = Readonly<Static<typeof MoveSchema>>;

/** What another member asked for. Throws INVALID_ARGUMENT. */
export function parseMove(value: unknown): ShardMove {
  if (Value.Check(MoveSchema, value)) return value;
  throw new FreshetError('INVALID_ARGUMENT', 'A move names a shard and two members');
}

export interface MoveOptions {
  /** At most so many moves, each of another shard. */
  readonly max: number;
  /**
   * A move has to lighten the heavier of its two members by more than this share of the members'
   * mean load, for state is copied over the network. 0: any gain. Default 0.1.
   */
  readonly gainMin?: number;
}

const defaultGainMin = 0.1;

/**
 * What to move so that the members' loads come together, the best first. `loadOf` tells what a
 * shard costs each of its members, in any unit, 0 or above. Members that are reserved for a shard
 * stay in it; shards that are closed or being moved are left alone. Each move makes the sum of the
 * squared loads smaller, so that planning again ends.
 */
export function planMoves(
  layout: LayoutRules,
  plan: LayoutPlan,
  present: readonly number[],
  loadOf: (shard: number) => number,
  options: MoveOptions,
): ShardMove[] {
  const planned = new Map(plan.shards.map((shard) => [shard.shard, shard]));
  const movable = layout.shards.flatMap((rules): Movable[] => {
    const shard = planned.get(rules.shard);
    const weight = loadOf(rules.shard);
    check(weight >= 0 && Number.isFinite(weight), 'a load is 0 or above', { weight });
    return shard !== undefined && isMovable(rules, shard) ? [{ rules, shard, weight }] : [];
  });
  const loads = loadsOf(plan, layout, present, loadOf);
  const mean = [...loads.values()].reduce((sum, load) => sum + load, 0) / present.length;
  const least = (options.gainMin ?? defaultGainMin) * mean;
  const busy = layout.exclusive ? busyMembers(layout, plan) : new Set<number>();
  const moves: ShardMove[] = [];
  while (moves.length < options.max) {
    const rest = movable.filter(({ rules }) => moves.every(({ shard }) => shard !== rules.shard));
    const best = bestMove(rest, present, loads, least, busy);
    if (best === null) {
      break;
    }
    const { shard, from, to } = best;
    loads.set(from, loadAt(loads, from) - best.weight);
    loads.set(to, loadAt(loads, to) + best.weight);
    busy.delete(from);
    if (layout.exclusive) {
      busy.add(to);
    }
    moves.push({ shard, from, to });
  }
  return moves;
}

/**
 * The plan with a move begun: the newcomer is in, the old member leaving. The next `planShards`
 * lets it go, or keeps it if another member is lost meanwhile.
 */
export function beginMove(layout: LayoutRules, plan: LayoutPlan, move: ShardMove): LayoutPlan {
  const rules = layout.shards.find(({ shard }) => shard === move.shard);
  const shards = plan.shards.map((planned): PlannedShard => {
    if (planned.shard !== move.shard || rules === undefined) {
      return planned;
    }
    const isPossible = planned.members.includes(move.from) && !planned.members.includes(move.to);
    check(isPossible && isMovable(rules, planned), 'the shard can be moved so', { ...move });
    const members = [...planned.members, move.to];
    const senders = sendersOf(rules, members);
    return { ...planned, members, holders: members, senders, leaving: [move.from] };
  });
  return { shards };
}

interface Movable {
  readonly rules: ShardRules;
  readonly shard: PlannedShard;
  readonly weight: number;
}

interface Candidate extends ShardMove {
  readonly weight: number;
  /** By how much the sum of squares shrinks, halved. */
  readonly gain: number;
}

/** A shard below its maximum has everyone already who could hold it. */
function isMovable(rules: ShardRules, { members, leaving, waits }: PlannedShard): boolean {
  const isFull = members.length === rules.max;
  return !isCatalog(rules) && isFull && leaving.length === 0 && waits === null;
}

function bestMove(
  movable: readonly Movable[],
  present: readonly number[],
  loads: ReadonlyMap<number, number>,
  least: number,
  busy: ReadonlySet<number>,
): Candidate | null {
  let best: Candidate | null = null;
  for (const { rules, shard, weight } of movable) {
    const givers = shard.members.filter((node) => !rules.reserved.includes(node));
    const takers = present.filter((node) => !shard.members.includes(node) && !busy.has(node));
    for (const from of givers) {
      for (const to of takers) {
        const difference = loadAt(loads, from) - loadAt(loads, to);
        const lighter = Math.min(weight, difference - weight);
        const gain = weight * (difference - weight);
        if (lighter > least && gain > (best?.gain ?? 0)) {
          best = { shard: rules.shard, from, to, weight, gain };
        }
      }
    }
  }
  return best;
}

function loadsOf(
  plan: LayoutPlan,
  layout: LayoutRules,
  present: readonly number[],
  loadOf: (shard: number) => number,
): Map<number, number> {
  const catalogs = new Set(layout.shards.filter(isCatalog).map(({ shard }) => shard));
  const loads = new Map(present.map((node) => [node, 0]));
  for (const { shard, members, leaving } of plan.shards) {
    if (catalogs.has(shard)) {
      continue;
    }
    for (const node of members.filter((member) => !leaving.includes(member))) {
      loads.set(node, loadAt(loads, node) + loadOf(shard));
    }
  }
  return loads;
}

/** Where a member holds one shard only: those that hold one, and those that are reserved. */
function busyMembers(layout: LayoutRules, plan: LayoutPlan): Set<number> {
  const catalogs = new Set(layout.shards.filter(isCatalog).map(({ shard }) => shard));
  const holding = plan.shards.filter(({ shard }) => !catalogs.has(shard));
  return new Set([
    ...layout.shards.flatMap(({ reserved }) => reserved),
    ...holding.flatMap(({ members, holders }) => [...members, ...holders]),
  ]);
}

function loadAt(loads: ReadonlyMap<number, number>, node: number): number {
  return loads.get(node) ?? 0;
}

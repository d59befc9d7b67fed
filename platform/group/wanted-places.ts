/**
 * Who is to hold each shard now, as the member that leads the view sees it: the planner's answer
 * (shard-plan.ts), from the homes and members that the view has and from who is here. A lost member
 * counts as here for a while, so that a restart copies nothing; where a shard lacks members for its
 * minimum it does not.
 *
 * Thread: event loop. A pure function.
 */
import type { GroupState } from './group-state.ts';
import type { LayoutPlan, PlannedShard } from './layout-plan.ts';
import type { ShardLayout } from './layout.ts';
import type { ShardMove } from './shard-moves.ts';
import { planShards } from './shard-plan.ts';

/** shard → node ids; who is not in the view may be among them. */
export type Places = ReadonlyMap<number, readonly number[]>;

export interface PlaceWishes {
  /** Members without a view that are about to be let in. */
  readonly coming: readonly number[];
  /** Members of the view that have been lost lately; their places are kept. */
  readonly awaited: readonly number[];
  /** shard → members that are being filled for it: nobody else is chosen meanwhile. */
  readonly filling: ReadonlyMap<number, readonly number[]>;
  readonly moves: readonly ShardMove[];
}

/** Only while a view is installed. Of a closed shard: its homes, which do not change. */
export function wantedPlaces(state: GroupState, wishes: PlaceWishes): Places {
  const { layout } = state;
  const previous = { shards: layout.shards.map((shard) => plannedNow(state, shard, wishes)) };
  const plans = new Map<string, LayoutPlan>();
  const places = new Map<number, readonly number[]>();
  for (const [nth, shard] of layout.shards.entries()) {
    const homes = state.homes(shard.shard);
    if (state.runners(shard.shard).length === 0) {
      places.set(shard.shard, homes.nodes);
      continue;
    }
    const present = presentFor(state, shard, wishes);
    const plan = plans.get(present.join()) ?? planShards(layout.rules, previous, present);
    plans.set(present.join(), plan);
    const { members, waits } = plan.shards[nth] as PlannedShard;
    // What it waits for nobody can give: whoever has a place in it may come back.
    const stay = homes.nodes.filter((node) => !homes.leaving.includes(node));
    const wanted = waits === null ? members : stay;
    places.set(shard.shard, moved(state, shard, wanted, wishes.moves));
  }
  return places;
}

function plannedNow(state: GroupState, { shard }: ShardLayout, wishes: PlaceWishes): PlannedShard {
  const { nodes, leaving } = state.homes(shard);
  const filling = wishes.filling.get(shard) ?? [];
  const members = [...nodes, ...filling.filter((node) => !nodes.includes(node))];
  const runners = state.runners(shard);
  const holders = runners.length === 0 ? nodes : runners;
  return { shard, members, senders: [], holders, leaving, isEmpty: false, waits: null };
}

/** In rank order, those who are about to come last. */
function presentFor(state: GroupState, layout: ShardLayout, wishes: PlaceWishes): number[] {
  const { shard, min } = layout;
  const members = (state.core.installed?.members ?? []).map(({ node }) => node);
  const here = [...members, ...wishes.coming].filter((node) => !state.refuses(node, shard));
  const isShort = state.runners(shard).length < min;
  const awaited = wishes.awaited.filter((node) => state.homes(shard).nodes.includes(node));
  return isShort ? here : [...here, ...awaited];
}

/** With the newcomer in place of the old member. */
function moved(
  state: GroupState,
  { shard }: ShardLayout,
  wanted: readonly number[],
  moves: readonly ShardMove[],
): readonly number[] {
  const move = moves.find((one) => one.shard === shard);
  const isMember = state.core.installed?.members.some(({ node }) => node === move?.to) === true;
  if (move === undefined || !isMember || wanted.includes(move.to)) return wanted;
  return wanted.map((node) => (node === move.from ? move.to : node));
}

/** Members that the shard is to have and lacks, and may be given now; none while it is closed. */
export function newcomersOf(state: GroupState, places: Places, shard: number): readonly number[] {
  const runners = state.runners(shard);
  const wanted = runners.length === 0 ? [] : (places.get(shard) ?? []);
  return wanted.filter(
    (node) => !runners.includes(node) && !state.refuses(node, shard) && state.mayTake(node, shard),
  );
}

/** Members that the shard is to be without, once it has all that it is to have. */
export function leaversOf(state: GroupState, places: Places, shard: number): readonly number[] {
  const runners = state.runners(shard);
  const wanted = places.get(shard) ?? [];
  const isComplete = wanted.length > 0 && wanted.every((node) => runners.includes(node));
  return isComplete ? runners.filter((node) => !wanted.includes(node)) : [];
}

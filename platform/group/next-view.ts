/**
 * The view that a leader proposes next, from the installed one and what the members say of
 * themselves. Pure functions. Whom to remove is the core's affair (native/core/view).
 */
import type { GroupState } from './group-state.ts';
import { type Layout, sendersAmong, type ShardLayout } from './layout.ts';
import { homesWith, homesWithin, membersMinOf, reshaped, type ShardHomes } from './shard-homes.ts';
import { type CoreMember, type CoreShard, type CoreView, nodesOf } from './view-codec.ts';
import type { ViewLayout } from './view-layout.ts';
import { leaversOf, newcomersOf, type Places } from './wanted-places.ts';

/** kMembersMax of the native side. */
const seatsMax = 16;

/** A member that is to come into shards, for which it was filled. */
export interface Comer {
  readonly node: number;
  /** Null: it is a member of the view already. */
  readonly incarnation: string | null;
  readonly shards: readonly number[];
}

/** Open shards that a member is to hold, does not refuse, and is not in. */
export function lackedBy(state: GroupState, places: Places, node: number): number[] {
  const lacks = (shard: number): boolean => newcomersOf(state, places, shard).includes(node);
  return state.layout.shards.map(({ shard }) => shard).filter(lacks);
}

/**
 * One with these members, in the shards that they lack and were filled for. Null: there is no seat
 * for one of them, or it left.
 */
export function viewTaking(
  state: GroupState,
  places: Places,
  comers: readonly Comer[],
): CoreView | null {
  const view = state.core.installed;
  const members = view === null ? null : seated(view, comers);
  if (view === null || members === null) {
    return null;
  }
  const shards = view.shards.map((shard) => {
    const newcomers = newcomersOf(state, places, shard.shard);
    const come = comers.filter(
      ({ node, shards: filled }) => newcomers.includes(node) && filled.includes(shard.shard),
    );
    const seats = come.map(({ node }) => seatOf(members, node));
    const all = [...shard.members, ...seats];
    return seats.length === 0 ? shard : reshaped(state.layout, members, shard, all);
  });
  return following(state, view, members, shards, places);
}

/** One in which a closed shard has these members of the view. Null: one of them left. */
export function viewOpening(
  state: GroupState,
  { shard }: ShardLayout,
  nodes: readonly number[],
): CoreView | null {
  const view = state.core.installed;
  const seats = nodes.map((node) => view?.members.find((one) => one.node === node)?.seat);
  const known = seats.filter((seat) => seat !== undefined);
  if (view === null || known.length < nodes.length) {
    return null;
  }
  const { members } = view;
  const shards = view.shards.map((core) =>
    core.shard === shard ? reshaped(state.layout, members, core, known) : core,
  );
  return following(state, view, members, shards, null);
}

/** One without those whose places were given to others that hold them by now. Null: nobody is. */
export function viewLettingGo(state: GroupState, places: Places): CoreView | null {
  return viewWithout(state, places, (node, shard) =>
    leaversOf(state, places, shard).includes(node),
  );
}

/** One in which nobody is in a shard that it refuses. Null: that is so already. */
export function viewWithoutRefusers(state: GroupState): CoreView | null {
  return viewWithout(state, null, (node, shard) => state.refuses(node, shard));
}

/** One without those of whom `goes` is true. Null: there are none. */
export function viewWithout(
  state: GroupState,
  places: Places | null,
  goes: (node: number, shard: number) => boolean,
): CoreView | null {
  const view = state.core.installed;
  if (view === null) {
    return null;
  }
  const shards = view.shards.map((shard) => {
    const left = shard.members.filter((seat) => !goes(nodeAt(view.members, seat), shard.shard));
    return left.length === shard.members.length
      ? shard
      : reshaped(state.layout, view.members, shard, left);
  });
  const isSame = shards.every((shard, nth) => shard === view.shards[nth]);
  return isSame ? null : following(state, view, view.members, shards, places);
}

/**
 * One under another layout. Shards that are new have the members that `places` tells, and begin
 * with it; of the others those end an epoch of which other members are to send. Those that it does
 * not have any more end theirs and stay in their places, closed: rows of members name shards by
 * place. The rest of what differs is done view by view afterwards. Null: a member of a new shard is
 * not there.
 */
export function viewUnder(
  state: GroupState,
  given: ViewLayout,
  layout: Layout,
  places: Places,
): CoreView | null {
  const view = state.core.installed;
  if (view === null) return null;
  const { members } = view;
  const known = view.shards.map((core) => {
    if (core.closed) return core;
    if (!layout.has(core.shard)) return reshaped(layout, members, core, []);
    const senders = sendersAmong(layout.shard(core.shard), nodesOf(view, core));
    const isSame = senders.join() === core.senders.join();
    return isSame ? core : reshaped(layout, members, core, core.members);
  });
  const fresh = layout.shards.filter(({ shard }) =>
    view.shards.every((core) => core.shard !== shard),
  );
  const begun = fresh.map((shard): CoreShard | null => {
    const nodes = places.get(shard.shard) ?? [];
    const isThere = nodes.length > 0 && nodes.every((node) => members.some((m) => m.node === node));
    return isThere ? firstEpoch(view, shard, nodes) : null;
  });
  const made = begun.filter((core) => core !== null);
  if (made.length < fresh.length) return null;
  const next = following(state, view, members, known, null, layout);
  const first = made.map((core): ShardHomes => {
    return { shard: core.shard, nodes: nodesOf(view, core), leaving: [] };
  });
  const shards = [...next.shards, ...made];
  return { ...next, shards, homes: [...next.homes, ...first], layout: given };
}

/** Above every epoch of a shard with its number in a view that was lost. */
function firstEpoch(view: CoreView, layout: ShardLayout, nodes: readonly number[]): CoreShard {
  const { shard, persistent } = layout;
  const epoch = view.number + 1;
  const seats = nodes.map((node) => seatOf(view.members, node));
  const senders = sendersAmong(layout, nodes);
  return {
    shard,
    epoch,
    persistent,
    closed: false,
    members: seats,
    senders,
    membersMin: layout.min,
  };
}

/**
 * The next view with these shards. Where `places` is given, those that are others than before have
 * the homes that go with it; a closed one keeps its own.
 */
function following(
  state: GroupState,
  view: CoreView,
  members: readonly CoreMember[],
  shards: readonly CoreShard[],
  places: Places | null,
  layout = state.layout,
): CoreView {
  const next: CoreView = {
    number: view.number + 1,
    parent: view.number,
    members,
    shards,
    homes: [],
    layout: view.layout,
  };
  const known = layout.shards.filter(({ shard }) => shards.some((one) => one.shard === shard));
  const homes = known.map((rules): ShardHomes => {
    const before = state.homes(rules.shard);
    const core = shards.find(({ shard }) => shard === rules.shard) as CoreShard;
    const wanted = places?.get(rules.shard);
    if (core.closed) return before;
    const nodes = nodesOf(next, core);
    // One that has whom it is to have gives nobody else's place away, whatever was begun before.
    const isWhole = wanted?.length === nodes.length && wanted.every((node) => nodes.includes(node));
    return wanted === undefined || (view.shards.includes(core) && !isWhole)
      ? homesWithin(rules, before, nodes)
      : homesWith(rules, before, nodes, wanted);
  });
  return { ...next, shards: shards.map((core) => withMin(layout, homes, core)), homes };
}

/** One that the layout does not have any more is closed. */
function withMin(layout: Layout, homes: readonly ShardHomes[], core: CoreShard): CoreShard {
  const places = homes.find(({ shard }) => shard === core.shard);
  if (places === undefined) return core;
  return { ...core, membersMin: membersMinOf(layout.shard(core.shard), places) };
}

function seated(view: CoreView, comers: readonly Comer[]): CoreMember[] | null {
  const members = [...view.members];
  for (const { node, incarnation } of comers) {
    const isMember = members.some((member) => member.node === node);
    const taken = new Set(members.map(({ seat }) => seat));
    const seat = Array.from({ length: seatsMax }, (_, at) => at).find((at) => !taken.has(at));
    if (isMember !== (incarnation === null) || (incarnation !== null && seat === undefined)) {
      return null;
    }
    if (incarnation !== null && seat !== undefined) members.push({ node, seat, incarnation });
  }
  return members;
}

function seatOf(members: readonly CoreMember[], node: number): number {
  return members.find((member) => member.node === node)?.seat ?? 0;
}

function nodeAt(members: readonly CoreMember[], seat: number): number {
  return members.find((member) => member.seat === seat)?.node ?? 0;
}

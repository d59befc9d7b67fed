/**
 * The view that a leader proposes next, from the installed one and what the members say of
 * themselves. Pure functions. Whom to remove is the core's affair (native/core/view).
 */
import type { GroupState } from './group-state.ts';
import { sendersAmong, type ShardLayout } from './layout.ts';
import { type CoreShard, type CoreView, nodesOf } from './view-codec.ts';

/** kMembersMax of the native side. */
const seatsMax = 16;

/** One that also has this member, in every shard that it is to hold. Null: there is no seat. */
export function viewWith(state: GroupState, node: number, incarnation: string): CoreView | null {
  const view = state.core.installed;
  const taken = new Set(view?.members.map(({ seat }) => seat));
  const seat = Array.from({ length: seatsMax }, (_, at) => at).find((at) => !taken.has(at));
  if (view === null || seat === undefined) {
    return null;
  }
  const members = [...view.members, { node, seat, incarnation }];
  const lacked = new Set(lackedBy(state, node));
  const shards = view.shards.map((shard) =>
    lacked.has(shard.shard) ? reshaped(state, members, shard, [...shard.members, seat]) : shard,
  );
  return { number: view.number + 1, parent: view.number, members, shards };
}

/** Open shards that a member is to hold, does not refuse or observe, and is not in. */
export function lackedBy(state: GroupState, node: number): number[] {
  const view = state.core.installed;
  const held = new Set(state.heldBy(node).map(({ shard }) => shard));
  const lacked = (view?.shards ?? []).filter(
    (shard) =>
      held.has(shard.shard) &&
      !shard.closed &&
      !nodesOf(view as CoreView, shard).includes(node) &&
      state.mayTake(node, shard.shard),
  );
  return lacked.map(({ shard }) => shard);
}

/** One in which a member of the view is also in the shards that it lacks. Null: it left. */
export function viewTaking(state: GroupState, node: number): CoreView | null {
  const view = state.core.installed;
  const seat = view?.members.find((member) => member.node === node)?.seat;
  if (view === null || seat === undefined) {
    return null;
  }
  const { members } = view;
  const lacked = new Set(lackedBy(state, node));
  const shards = view.shards.map((shard) =>
    lacked.has(shard.shard) ? reshaped(state, members, shard, [...shard.members, seat]) : shard,
  );
  return { number: view.number + 1, parent: view.number, members, shards };
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
    core.shard === shard ? reshaped(state, members, core, known) : core,
  );
  return { number: view.number + 1, parent: view.number, members, shards };
}

/** One in which nobody is in a shard that it refuses. Null: that is so already. */
export function viewWithoutRefusers(state: GroupState): CoreView | null {
  const view = state.core.installed;
  if (view === null) {
    return null;
  }
  const shards = view.shards.map((shard) => {
    const refuses = (seat: number): boolean => {
      const node = view.members.find((member) => member.seat === seat)?.node ?? 0;
      return state.hello(node)?.refused.includes(shard.shard) === true;
    };
    const left = shard.members.filter((seat) => !refuses(seat));
    return left.length === shard.members.length
      ? shard
      : reshaped(state, view.members, shard, left);
  });
  const isSame = shards.every((shard, nth) => shard === view.shards[nth]);
  return isSame
    ? null
    : { number: view.number + 1, parent: view.number, members: view.members, shards };
}

/** The next epoch of a shard, with these seats. */
export function reshaped(
  { layout }: GroupState,
  members: CoreView['members'],
  before: CoreShard,
  seats: readonly number[],
): CoreShard {
  const after = { ...before, epoch: before.epoch + 1, closed: seats.length === 0, members: seats };
  const nodes = nodesOf({ number: 0, parent: 0, members, shards: [] }, after);
  const senders = layout.has(before.shard)
    ? sendersAmong(layout.shard(before.shard), nodes)
    : nodes.map((_, rank) => rank);
  return { ...after, senders };
}

/** Whether a whole shard can be moved from one member to another now, and if not, what to mend. */
import { FreshetError } from '../base/mod.ts';
import type { GroupState } from './group-state.ts';
import type { ShardLayout } from './layout.ts';
import { placeOf } from './layout-rules.ts';
import type { ShardMove } from './shard-moves.ts';
import { isCatalog } from './shard-spares.ts';

/** Null: it can. Only while a view is installed here. */
export function moveRefusal(state: GroupState, move: ShardMove): FreshetError | null {
  const { layout } = state;
  if (!layout.has(move.shard)) {
    const most = String(layout.shards.at(-1)?.shard ?? 0);
    return refusal(move, `There is no shard ${String(move.shard)}`, `Name one from 2 to ${most}`);
  }
  const shard = layout.shard(move.shard);
  return ofShard(state, shard, move) ?? ofMembers(state, shard, move);
}

function ofShard(state: GroupState, shard: ShardLayout, move: ShardMove): FreshetError | null {
  const runners = state.runners(shard.shard);
  const here = runners.map(String).join(', ');
  if (isCatalog(shard)) {
    return refusal(move, 'The catalog is at every member', 'Name another shard');
  }
  if (runners.length === 0) {
    return refusal(move, `${placeOf(shard)} stands still`, 'Start the members that it waits for');
  }
  if (state.homes(shard.shard).leaving.length > 0) {
    const leaving = state.homes(shard.shard).leaving.map(String).join(', ');
    const text = `${placeOf(shard)} is being moved away from member ${leaving} already`;
    return refusal(move, text, 'Wait until that is done');
  }
  if (runners.length < shard.max) {
    const counts = `${String(runners.length)} of its ${String(shard.max)} members (${here})`;
    return refusal(move, `${placeOf(shard)} has ${counts}`, 'Wait until it has all of them');
  }
  return null;
}

function ofMembers(state: GroupState, shard: ShardLayout, move: ShardMove): FreshetError | null {
  const { from, to } = move;
  const runners = state.runners(shard.shard);
  const here = runners.map(String).join(', ');
  const members = (state.core.installed?.members ?? []).map(({ node }) => node);
  if (!runners.includes(from)) {
    const text = `Member ${String(from)} does not hold ${placeOf(shard)}`;
    return refusal(move, text, `Move it from one of ${here}`);
  }
  if (runners.includes(to)) {
    const text = `Member ${String(to)} holds ${placeOf(shard)} already`;
    const others = members.filter((node) => !runners.includes(node)).map(String);
    const mend = others.length === 0 ? 'Add a member to the cluster' : `Name ${others.join(', ')}`;
    return refusal(move, text, mend);
  }
  if (!members.includes(to)) {
    return refusal(move, `Member ${String(to)} is not in the view`, `Start member ${String(to)}`);
  }
  if (shard.reserved.includes(from)) {
    const text = `${placeOf(shard)} is reserved for member ${String(from)}`;
    return refusal(move, text, 'Change reserved in the configuration of all members');
  }
  if (state.refuses(to, shard.shard)) {
    const text = `Member ${String(to)} may not hold ${placeOf(shard)}: its log of it is not sound`;
    return refusal(move, text, 'Look into its log, or name another member');
  }
  return state.layout.rules.exclusive ? ofExclusive(state, move) : null;
}

/** Where a member holds one shard only. */
function ofExclusive(state: GroupState, move: ShardMove): FreshetError | null {
  const held = state.layout.shards.find(
    (one) => !isCatalog(one) && state.homes(one.shard).nodes.includes(move.to),
  );
  if (held === undefined) return null;
  const text = `Member ${String(move.to)} holds ${placeOf(held)}, and members hold one shard`;
  return refusal(move, text, 'Name a spare member, or set layout.exclusive to false');
}

function refusal({ shard, from, to }: ShardMove, message: string, mend: string): FreshetError {
  return new FreshetError('INVALID_ARGUMENT', message, { mend, details: { shard, from, to } });
}

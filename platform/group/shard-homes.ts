/**
 * To whom the places of shards belong: a member that is lost keeps its place for a while, until a
 * spare gets it. They travel with the view (view-codec.ts), so that whoever leads next, and a total
 * restart, find the histories where they are, not where the configuration first put them.
 *
 * Invariants
 *  1. The members of a shard are among its homes. So a shard that lost all of them was held last by
 *     some of its homes, and is opened again only with all of them (a volatile one: with any).
 *  2. The homes of a closed shard are never changed.
 */
import { type Layout, sendersAmong, type ShardLayout } from './layout.ts';
import { type CoreShard, type CoreView, nodesOf } from './view-codec.ts';
import type { ViewRecord } from './view-record.ts';

export interface ShardHomes {
  readonly shard: number;
  /** Node ids in the order in which places were given. */
  readonly nodes: readonly number[];
  /** Those of them whose places were given to others: they leave once these hold the shard. */
  readonly leaving: readonly number[];
}

/**
 * As a view has it; what it does not name is as configured. Null: no view is known. Nobody has a
 * place in a shard that was taken away.
 */
export function homesOf(layout: Layout, view: CoreView | null, shard: number): ShardHomes {
  const found = view?.homes.find((homes) => homes.shard === shard);
  const nodes = layout.has(shard) ? layout.shard(shard).members : [];
  return found ?? { shard, nodes, leaving: [] };
}

/**
 * With fewer members a shard with these homes stands still. A minimum that was raised counts once
 * the shard has had so many: its homes are as many then.
 */
export function membersMinOf({ min }: Pick<ShardLayout, 'min'>, { nodes }: ShardHomes): number {
  return Math.min(min, Math.max(1, nodes.length));
}

/** What a member opens when it starts: where its record, if it has one, gives it a place. */
export function heldByRecord(
  layout: Layout,
  { committed, prepared }: Pick<ViewRecord, 'committed' | 'prepared'>,
  node: number,
): readonly ShardLayout[] {
  const views = [committed, prepared].filter((view) => view !== null);
  const known = views.length === 0 ? [null] : views;
  const held = known.map((view) =>
    shardsIn(layout, view).filter(({ members }) => members.includes(node)),
  );
  const shards = new Set(held.flat().map(({ shard }) => shard));
  return layout.shards.filter(({ shard }) => shards.has(shard));
}

/** The shards with their homes as members, as a view has them. */
export function shardsIn(layout: Layout, view: CoreView | null): readonly ShardLayout[] {
  return layout.shards.map((shard) => ({
    ...shard,
    members: homesOf(layout, view, shard.shard).nodes,
  }));
}

/**
 * After the shard was given these members, of whom the plan keeps some: who is lost keeps its place
 * as long as nobody needs it.
 */
export function homesWith(
  { shard, max }: ShardLayout,
  before: ShardHomes,
  members: readonly number[],
  plan: readonly number[],
): ShardHomes {
  const leaving = members.filter((node) => !plan.includes(node));
  const away = before.nodes.filter((node) => !members.includes(node));
  const kept = [
    ...away.filter((node) => plan.includes(node)),
    ...away.filter((node) => !plan.includes(node) && !before.leaving.includes(node)),
  ];
  const room = Math.max(0, max - (members.length - leaving.length));
  return { shard, nodes: [...members, ...kept.slice(0, room)], leaving };
}

/**
 * Of a shard that keeps these members. Where a changed layout gives it fewer places than it had,
 * those that are away lose theirs.
 */
export function homesWithin(
  { max }: Pick<ShardLayout, 'max'>,
  before: ShardHomes,
  members: readonly number[],
): ShardHomes {
  const staying = members.filter((node) => !before.leaving.includes(node));
  const away = before.nodes.filter((node) => !members.includes(node));
  const lost = away.slice(Math.max(0, max - staying.length));
  return { ...before, nodes: before.nodes.filter((node) => !lost.includes(node)) };
}

/** The next epoch of a shard, with these seats. */
export function reshaped(
  layout: Layout,
  members: CoreView['members'],
  before: CoreShard,
  seats: readonly number[],
): CoreShard {
  const after = { ...before, epoch: before.epoch + 1, closed: seats.length === 0, members: seats };
  const nodes = nodesOf({ members }, after);
  const senders = layout.has(before.shard)
    ? sendersAmong(layout.shard(before.shard), nodes)
    : nodes.map((_, rank) => rank);
  return { ...after, senders };
}

/** What `freshet layout` shows of a running cluster, and what it plans for it. Pure. */
import type { HeldShard, LayoutReport } from '../base/mod.ts';
import {
  defaultMulticast,
  defaultSlowMember,
  type LayoutPlan,
  type LayoutRules,
  planMoves,
  type ShardMove,
  type ShardRules,
} from '../group/mod.ts';
import { table } from './layout-view.ts';

/** Lines for people: of every shard who runs it, and who of them leaves or is awaited. */
export function runningLines({ view, version, members, shards }: LayoutReport): string[] {
  const rows = shards.map((shard) => [
    placeOf(shard),
    String(shard.shard),
    `${String(shard.members.length)} of ${String(shard.min)}–${String(shard.max)}`,
    String(shard.version),
    membersOf(shard),
  ]);
  const head = ['subgroup', 'shard', 'has', 'versions', 'members (> leaves, ? awaited)'];
  const loads = members.map((member) => {
    const held = shards.filter((shard) => shard.members.includes(member));
    return [`member ${String(member)}`, `${String(held.length)} shards`];
  });
  const title = `view ${String(view)}, layout version ${String(version)}`;
  return [title, '', ...table([head, ...rows]), '', ...table(loads)];
}

function placeOf({ subgroup, index }: HeldShard): string {
  return `${subgroup}[${String(index)}]`;
}

export function membersOf({ members, homes, leaving }: HeldShard): string {
  const here = members.map((node) => `${String(node)}${leaving.includes(node) ? '>' : ''}`);
  const awaited = homes.filter((node) => !members.includes(node)).map((node) => `${String(node)}?`);
  const all = [...here, ...awaited].join(' ');
  return members.length === 0 ? `closed: ${all}` : all;
}

/** Versions that came to each shard between two looks; in all, when none came anywhere. */
export function loadsBetween(
  before: LayoutReport,
  after: LayoutReport,
): { readonly ofPuts: boolean; readonly loadOf: (shard: number) => number } {
  const old = new Map(before.shards.map(({ shard, version }) => [shard, version]));
  const came = new Map(
    after.shards.map(({ shard, version }) => [
      shard,
      Math.max(0, version - (old.get(shard) ?? version)),
    ]),
  );
  const ofPuts = [...came.values()].some((count) => count > 0);
  const all = new Map(after.shards.map(({ shard, version }) => [shard, version]));
  return { ofPuts, loadOf: (shard) => (ofPuts ? came : all).get(shard) ?? 0 };
}

/** The moves that bring the members' loads together, the best first. */
export function balancingMoves(
  report: LayoutReport,
  loadOf: (shard: number) => number,
  max: number,
): readonly ShardMove[] {
  return planMoves(rulesOf(report), planOf(report), report.members, loadOf, { max });
}

const unplanned = { slowMember: defaultSlowMember, multicast: defaultMulticast };

function rulesOf({ shards, exclusive }: LayoutReport): LayoutRules {
  const rules = shards.map((shard): ShardRules => {
    const { subgroup, index, min, max, reserved } = shard;
    // Of these a plan of moves knows nothing.
    const rest = { senders: null, delivery: 'ordered', ...unplanned } as const;
    return { shard: shard.shard, subgroup, index, persistent: true, min, max, reserved, ...rest };
  });
  return { subgroups: [], shards: rules, exclusive, nextShard: 0 };
}

function planOf({ shards }: LayoutReport): LayoutPlan {
  return {
    shards: shards.map(({ shard, members, leaving }) => {
      const wait = { count: 1, of: [], orAny: false, reason: 'it stands still' };
      const waits = members.length === 0 ? wait : null;
      return { shard, members, senders: [], holders: members, leaving, isEmpty: false, waits };
    }),
  };
}

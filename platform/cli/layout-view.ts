/** What `freshet layout` shows of a plan; pure, so that it can be tested. */
import type { LayoutPlan, LayoutRules, PlannedShard, ShardRules } from '../group/mod.ts';

/** One shard with what it asks for. `senders` and `members` are node ids. */
export interface ShownShard {
  readonly subgroup: string;
  readonly index: number;
  readonly shard: number;
  readonly kind: string;
  readonly delivery: string;
  readonly min: number;
  readonly max: number;
  readonly members: readonly number[];
  readonly senders: readonly number[];
  readonly reserved: readonly number[];
  readonly waitsFor: string | null;
}

export interface ShownLayout {
  readonly present: readonly number[];
  readonly shards: readonly ShownShard[];
  /** Shards of each present member, the catalog's among them. */
  readonly load: readonly { readonly member: number; readonly shards: readonly number[] }[];
}

export function showLayout(
  layout: LayoutRules,
  plan: LayoutPlan,
  present: readonly number[],
): ShownLayout {
  const planned = new Map(plan.shards.map((shard) => [shard.shard, shard]));
  const shards = layout.subgroups.flatMap(({ kind, shards: rules }) =>
    rules.flatMap((rule) => {
      const shard = planned.get(rule.shard);
      return shard === undefined ? [] : [shownShard(kind, rule, shard)];
    }),
  );
  const load = present.map((member) => ({
    member,
    shards: shards.filter(({ members }) => members.includes(member)).map(({ shard }) => shard),
  }));
  return { present, shards, load };
}

/** Lines for people. A member that alone may send with others has a star, a reserved one a pin. */
export function layoutLines({ shards, load }: ShownLayout): string[] {
  const rows = shards.map((shard) => [
    `${shard.subgroup}[${String(shard.index)}]`,
    String(shard.shard),
    shard.kind,
    shard.delivery,
    `${String(shard.members.length)} of ${String(shard.min)}–${String(shard.max)}`,
    shard.waitsFor === null ? shard.members.map((node) => marked(shard, node)).join(' ') : 'closed',
  ]);
  const head = ['subgroup', 'shard', 'kind', 'delivery', 'has', 'members (* sends, ! reserved)'];
  const closed = shards.flatMap(({ waitsFor }) => (waitsFor === null ? [] : [waitsFor]));
  return [
    ...table([head, ...rows]),
    '',
    ...table(load.map(({ member, shards: held }) => [`member ${String(member)}`, counted(held)])),
    ...(closed.length === 0 ? [] : ['', ...closed]),
  ];
}

function shownShard(kind: string, rules: ShardRules, planned: PlannedShard): ShownShard {
  const { subgroup, index, shard, delivery, min, max, reserved } = rules;
  const { members, senders, waits } = planned;
  return {
    ...{ subgroup, index, shard, kind, delivery, min, max, members },
    senders: senders.flatMap((rank) => members[rank] ?? []),
    reserved,
    waitsFor: waits?.reason ?? null,
  };
}

function marked({ senders, members, reserved }: ShownShard, node: number): string {
  const star = senders.length < members.length && senders.includes(node) ? '*' : '';
  return `${String(node)}${star}${reserved.includes(node) ? '!' : ''}`;
}

function counted(held: readonly number[]): string {
  // The catalog, shard 1, is at every member.
  return held.length <= 1 ? 'spare' : `${String(held.length)} shards`;
}

/** Columns under each other. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths?.[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

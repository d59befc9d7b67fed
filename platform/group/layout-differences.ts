/** How two layouts differ, in lines for people. Pure. */
import type { LayoutRules, ShardRules, SubgroupRules } from './layout-rules.ts';

/** Whether they ask for the same, however shards are numbered and subgroups ordered. */
export function isSameRules(a: LayoutRules, b: LayoutRules): boolean {
  return textOf(a) === textOf(b);
}

function textOf({ subgroups, exclusive }: LayoutRules): string {
  const named = subgroups.map(({ name, kind, shards }) => {
    return [name, kind, shards.map((rules) => ({ ...rules, shard: 0 }))] as const;
  });
  return JSON.stringify([exclusive, named.toSorted(([one], [other]) => (one < other ? -1 : 1))]);
}

/** What changes from `before` to `after`: subgroups that go or come, and settings of the others. */
export function describeRules(before: LayoutRules, after: LayoutRules): readonly string[] {
  const known = new Map(before.shards.map((rules) => [rules.shard, rules]));
  const going = goneFrom(before, after).map(({ name, kind, shards }) => {
    return `the subgroup ${name} is taken away: ${kind}, ${counted(shards)}`;
  });
  const others = after.subgroups.flatMap(({ name, kind, shards }): string[] => {
    if (before.subgroups.every((subgroup) => subgroup.name !== name)) {
      const [first] = shards;
      const raw = first?.delivery === 'raw' ? ', raw' : '';
      return [
        `the subgroup ${name} is added: ${kind}${raw}, ${counted(shards)} ${membersOf(shards)}`,
      ];
    }
    const differing = shards.flatMap((rules): [string, number][] => {
      const old = known.get(rules.shard);
      const text = old === undefined ? '' : settingsBetween(old, rules).join(', ');
      return text === '' ? [] : [[text, rules.index]];
    });
    return grouped(differing, shards.length).map((text) => `the subgroup ${name}${text}`);
  });
  return [...going, ...others];
}

/** Subgroups of `before` that `after` does not have. */
export function goneFrom(before: LayoutRules, after: LayoutRules): readonly SubgroupRules[] {
  const named = new Set(after.subgroups.map(({ name }) => name));
  return before.subgroups.filter(({ name }) => !named.has(name));
}

function counted({ length }: readonly ShardRules[]): string {
  return `${String(length)} ${length === 1 ? 'shard' : 'shards'}`;
}

/** What several shards have alike is said once. */
function grouped(differing: readonly (readonly [string, number])[], shards: number): string[] {
  const byText = new Map<string, number[]>();
  for (const [text, index] of differing) byText.set(text, [...(byText.get(text) ?? []), index]);
  return [...byText].map(([text, indices]) => {
    const where = indices.length === shards ? '' : `, shard ${indices.map(String).join(', ')}`;
    return `${where}: ${text}`;
  });
}

function membersOf(shards: readonly ShardRules[]): string {
  const counts = new Set(
    shards.map(({ min, max }) => `of ${String(min)} to ${String(max)} members`),
  );
  return [...counts].join(' or ');
}

function settingsBetween(before: ShardRules, after: ShardRules): string[] {
  const settings = [
    ['replicas', before.max, after.max],
    ['minReplicas', before.min, after.min],
    ['reserved', listOf(before.reserved), listOf(after.reserved)],
    ['senders', listOf(before.senders ?? []), listOf(after.senders ?? [])],
    ['slowMember', slowOf(before), slowOf(after)],
    ['multicast', multicastOf(before), multicastOf(after)],
  ] as const;
  return settings
    .filter(([, old, now]) => old !== now)
    .map(([name, old, now]) => `${name} ${String(old)} becomes ${String(now)}`);
}

function listOf(nodes: readonly number[]): string {
  return nodes.length === 0 ? 'none' : nodes.join(' ');
}

function slowOf({ slowMember }: ShardRules): string {
  return `${slowMember.policy} after ${String(slowMember.afterMs)} ms`;
}

function multicastOf({ multicast }: ShardRules): string {
  return `${multicast.algorithm} of ${String(multicast.blockBytes)} bytes`;
}

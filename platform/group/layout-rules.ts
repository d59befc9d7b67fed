/**
 * From the configured subgroups to what each shard asks for, checked. Shards are numbered from 1
 * through all subgroups in order, the catalog first; when a layout is changed online every shard
 * that stays keeps its number.
 */
import { FreshetError, limits } from '../base/mod.ts';
import { groupLimits } from './group-limits.ts';
import {
  catalogSubgroup,
  defaultMinReplicas,
  defaultMulticast,
  defaultReplicas,
  defaultSlowMember,
  type Delivery,
  type Multicast,
  type ShardOptions,
  type SlowMember,
  type SubgroupKind,
  type SubgroupOptions,
} from './layout-options.ts';

/** What a shard asks for. */
export interface ShardRules {
  readonly shard: number;
  readonly subgroup: string;
  /** Place within its subgroup, from 0: what a key's hash chooses. */
  readonly index: number;
  readonly persistent: boolean;
  /** With fewer members it is closed. */
  readonly min: number;
  /** With more members present the others are spare. */
  readonly max: number;
  /** Node ids, ascending: they hold it whenever they are present. At most `max`. */
  readonly reserved: readonly number[];
  /** Of the reserved ones those that alone send; null: every member sends. */
  readonly senders: readonly number[] | null;
  readonly delivery: Delivery;
  readonly slowMember: SlowMember;
  readonly multicast: Multicast;
}

export interface SubgroupRules {
  readonly name: string;
  readonly kind: SubgroupKind;
  readonly shards: readonly ShardRules[];
}

export interface LayoutRules {
  /** The catalog first. */
  readonly subgroups: readonly SubgroupRules[];
  /** Of all subgroups, by ascending number. */
  readonly shards: readonly ShardRules[];
  /**
   * As Derecho lays out: a member holds one shard at most, but every one that reserves it. Else
   * members hold as many shards as it takes.
   */
  readonly exclusive: boolean;
  /** Above every shard's number that was ever given. */
  readonly nextShard: number;
}

/** Throws INVALID_CONFIG, which names the place and the nearest fix. */
export function resolveLayout(
  subgroups: readonly SubgroupOptions[],
  exclusive = false,
): LayoutRules {
  return placedLayout(subgroups, exclusive, new Map());
}

/**
 * As `resolveLayout`, where some subgroups have their shards' numbers already: `firsts` has the
 * first one by the subgroup's name. `nextShard`: numbers below it were given before.
 */
export function placedLayout(
  subgroups: readonly SubgroupOptions[],
  exclusive: boolean,
  firsts: ReadonlyMap<string, number>,
  nextShard = 1,
): LayoutRules {
  checkNames(subgroups);
  return numbered(subgroups, exclusive, firsts, nextShard);
}

/**
 * The layout after a change online. A subgroup that stays has the same kind and number of shards,
 * since keys are hashed over them; everything else may differ. Numbers of shards of one that goes
 * are never given again: another subgroup of its name is a new one. Throws INVALID_CONFIG.
 */
export function changeLayout(
  before: LayoutRules,
  subgroups: readonly SubgroupOptions[],
  exclusive = before.exclusive,
): LayoutRules {
  checkNames(subgroups);
  const known = new Map(before.subgroups.map((subgroup) => [subgroup.name, subgroup]));
  for (const options of subgroups) {
    const old = known.get(options.name);
    if (old !== undefined) {
      checkUnchanged(old, options);
    }
  }
  return numbered(subgroups, exclusive, firstShards(before), before.nextShard);
}

/** Of each subgroup the number of its first shard. */
export function firstShards({ subgroups }: LayoutRules): Map<string, number> {
  return new Map(subgroups.map(({ name, shards }) => [name, shards[0]?.shard ?? 1]));
}

const catalogShard = 1;
const catalogOptions: SubgroupOptions = {
  name: catalogSubgroup,
  kind: 'persistent',
  shards: 1,
  replicas: groupLimits.shardMembers,
};

function numbered(
  subgroups: readonly SubgroupOptions[],
  exclusive: boolean,
  firsts: ReadonlyMap<string, number>,
  nextShard: number,
): LayoutRules {
  let next = nextShard;
  const resolved = [catalogOptions, ...subgroups].map((options): SubgroupRules => {
    // A view does not name the catalog, which is always there.
    const first = options === catalogOptions ? catalogShard : (firsts.get(options.name) ?? next);
    const shards = shardsOf(options).map((shard, index) =>
      resolveShard(options, shard, first + index, index),
    );
    next = Math.max(next, first + shards.length);
    if (exclusive) {
      checkDisjoint(options.name, shards);
    }
    return Object.freeze({ name: options.name, kind: options.kind, shards: Object.freeze(shards) });
  });
  const shards = resolved.flatMap((subgroup) => subgroup.shards);
  shards.sort((a, b) => a.shard - b.shard);
  if (shards.length > groupLimits.shards) {
    throw layoutError(
      `the subgroups have ${String(shards.length)} shards in all, with the catalog's; ` +
        `a cluster has at most ${String(groupLimits.shards)}`,
      `Give ${String(shards.length - groupLimits.shards)} fewer`,
    );
  }
  return Object.freeze({ subgroups: resolved, shards, exclusive, nextShard: next });
}

function shardsOf({ name, shards }: SubgroupOptions): readonly ShardOptions[] {
  const count = typeof shards === 'number' ? shards : shards.length;
  if (!Number.isInteger(count) || count < 1 || count > limits.shardsPerSubgroup) {
    const most = String(limits.shardsPerSubgroup);
    throw layoutError(`the subgroup ${name} has ${String(count)} shards`, `Give 1 to ${most}`);
  }
  return typeof shards === 'number' ? Array.from({ length: count }, () => ({})) : shards;
}

function resolveShard(
  subgroup: SubgroupOptions,
  options: ShardOptions,
  shard: number,
  index: number,
): ShardRules {
  const given = options.replicas ?? subgroup.replicas;
  const min = options.minReplicas ?? subgroup.minReplicas ?? defaultMinReplicas;
  const reserved = options.reserved ?? [];
  // What is only left out gives way to what is said.
  const max = given ?? Math.max(defaultReplicas, min, reserved.length);
  const rules: ShardRules = {
    shard,
    subgroup: subgroup.name,
    index,
    persistent: subgroup.kind === 'persistent',
    min,
    max,
    reserved: Object.freeze([...reserved].sort((a, b) => a - b)),
    senders: options.senders?.toSorted((a, b) => a - b) ?? null,
    delivery: options.delivery ?? subgroup.delivery ?? 'ordered',
    slowMember: Object.freeze({
      ...defaultSlowMember,
      ...(options.slowMember ?? subgroup.slowMember),
    }),
    multicast: Object.freeze({
      ...defaultMulticast,
      ...(options.multicast ?? subgroup.multicast),
    }),
  };
  checkDelivery(rules, subgroup.kind);
  checkCounts(rules);
  checkReserved(rules);
  checkSenders(rules);
  return Object.freeze(rules);
}

/** `shard 2 of the subgroup volatile` */
export function placeOf({ subgroup, index }: Pick<ShardRules, 'subgroup' | 'index'>): string {
  return `shard ${String(index)} of the subgroup ${subgroup}`;
}

/** What is stored has versions, alike at all members: that takes one order. */
function checkDelivery(rules: ShardRules, kind: SubgroupOptions['kind']): void {
  if (rules.delivery === 'raw' && kind !== 'trigger') {
    throw shardError(
      rules,
      `is ${kind} and of raw delivery, which gives what is stored no version`,
      'Set delivery to ordered, or make it a trigger subgroup',
    );
  }
}

function checkCounts(rules: ShardRules): void {
  const { min, max } = rules;
  for (const [name, value] of [['minReplicas', min] as const, ['replicas', max] as const]) {
    if (!Number.isInteger(value) || value < 1 || value > groupLimits.shardMembers) {
      const most = String(groupLimits.shardMembers);
      throw shardError(rules, `has ${name} ${String(value)}`, `Give 1 to ${most}`);
    }
  }
  if (min > max) {
    throw shardError(
      rules,
      `needs at least ${String(min)} members and may have at most ${String(max)}`,
      `Set minReplicas to ${String(max)}, or replicas to ${String(min)}`,
    );
  }
}

function checkReserved(rules: ShardRules): void {
  const { reserved, max } = rules;
  for (const [nth, node] of reserved.entries()) {
    if (!Number.isInteger(node) || node < 1 || node > 0xffff_ffff) {
      throw shardError(rules, `reserves member ${String(node)}`, 'Number members from 1');
    }
    if (node === reserved[nth + 1]) {
      const mend = `Name member ${String(node)} once`;
      throw shardError(rules, `reserves member ${String(node)} twice`, mend);
    }
  }
  if (reserved.length > max) {
    throw shardError(
      rules,
      `reserves ${String(reserved.length)} members and may have at most ${String(max)}`,
      `Set replicas to ${String(reserved.length)}, or reserve ${String(max)} of them`,
    );
  }
}

function checkSenders(rules: ShardRules): void {
  const { reserved, senders } = rules;
  if (senders === null) {
    return;
  }
  if (senders.length === 0) {
    throw shardError(rules, 'has nobody to send', 'Name a sender, or leave senders out');
  }
  const stranger = senders.find((node) => !reserved.includes(node));
  if (stranger !== undefined) {
    throw shardError(
      rules,
      `has member ${String(stranger)} as a sender, which is not reserved for it`,
      `Add ${String(stranger)} to reserved, or take it out of senders`,
    );
  }
  const twice = senders.find((node, nth) => node === senders[nth + 1]);
  if (twice !== undefined) {
    const mend = `Name member ${String(twice)} once`;
    throw shardError(rules, `has member ${String(twice)} as a sender twice`, mend);
  }
}

/** Where a member holds one shard only, two shards of a subgroup have no member in common. */
function checkDisjoint(subgroup: string, shards: readonly ShardRules[]): void {
  const owners = new Map<number, number>();
  for (const rules of shards) {
    for (const node of rules.reserved) {
      const other = owners.get(node);
      if (other !== undefined) {
        const where = `shards ${String(other)} and ${String(rules.index)}`;
        throw layoutError(
          `the subgroup ${subgroup} reserves member ${String(node)} twice, for ${where}`,
          `Take member ${String(node)} out of one of them, or set layout.exclusive to false`,
          { subgroup, shard: rules.index, member: node },
        );
      }
      owners.set(node, rules.index);
    }
  }
}

function checkNames(subgroups: readonly SubgroupOptions[]): void {
  const names = new Set<string>([catalogSubgroup]);
  if (subgroups.length > groupLimits.subgroups) {
    throw layoutError(`there are ${String(subgroups.length)} subgroups`, 'Join some of them');
  }
  for (const { name } of subgroups) {
    if (!/^[a-z][a-z0-9_-]{0,31}$/.test(name)) {
      const mend = 'Use up to 32 lower-case letters, digits, - and _, a letter first';
      throw layoutError(`the subgroup name ${JSON.stringify(name)} is not possible`, mend);
    }
    if (names.has(name)) {
      const mend = `Call it ${name}-${String(names.size)}, say`;
      throw layoutError(`the subgroup ${name} is given twice`, mend);
    }
    names.add(name);
  }
}

function checkUnchanged(old: SubgroupRules, options: SubgroupOptions): void {
  const { name, kind, shards } = options;
  if (kind !== old.kind) {
    throw layoutError(
      `the subgroup ${name} is ${old.kind} and cannot become ${kind}`,
      `Leave its kind ${old.kind}, or add a ${kind} subgroup of another name`,
    );
  }
  const count = typeof shards === 'number' ? shards : shards.length;
  if (count !== old.shards.length) {
    const had = String(old.shards.length);
    throw layoutError(
      `the subgroup ${name} has ${had} shards for good, not ${String(count)}`,
      `Leave it at ${had} shards, or add a subgroup of another name`,
    );
  }
}

function shardError(rules: ShardRules, what: string, mend: string): FreshetError {
  const { subgroup, index } = rules;
  return layoutError(`${placeOf(rules)} ${what}`, mend, { subgroup, shard: index });
}

function layoutError(
  message: string,
  mend: string,
  details: Readonly<Record<string, string | number>> = {},
): FreshetError {
  return new FreshetError('INVALID_CONFIG', message, { mend, details });
}

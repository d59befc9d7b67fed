import { FreshetError, limits, nearestName } from '../base/mod.ts';
import { groupLimits } from './group-limits.ts';
import {
  defaultMulticast,
  type Delivery,
  type Multicast,
  type SlowMember,
  type SubgroupKind,
  type SubgroupOptions,
} from './layout-options.ts';
import { sendersOf } from './layout-plan.ts';
import { type LayoutRules, placedLayout, resolveLayout } from './layout-rules.ts';
import { planShards } from './shard-plan.ts';
import type { ViewLayout } from './view-layout.ts';

/**
 * The shards as they are configured, and who holds them at first: the plan with all configured
 * members present, alike at every member. Who holds them later is in the views (shard-homes.ts).
 * The catalog is shard 1; the others are numbered through all subgroups in order.
 */

export interface ShardLayout {
  readonly shard: number;
  readonly subgroup: string;
  /** Place within its subgroup, from 0: what a key's hash chooses. */
  readonly index: number;
  readonly persistent: boolean;
  readonly delivery: Delivery;
  /** With fewer members in the view the shard stands still. */
  readonly min: number;
  /** With more members present the others are spare. */
  readonly max: number;
  /** Node ids: they hold it whenever they are present. */
  readonly reserved: readonly number[];
  /** Node ids of those that alone send; null: every member does. */
  readonly sending: readonly number[] | null;
  /** Node ids in rank order. */
  readonly members: readonly number[];
  /** Ranks of the members that send, ascending. */
  readonly senders: readonly number[];
  /** What is done about a member that holds the others up. */
  readonly slowMember: SlowMember;
  /** How large values reach the members. */
  readonly multicast: Multicast;
}

export interface Subgroup {
  readonly name: string;
  readonly kind: SubgroupKind;
  readonly shards: readonly ShardLayout[];
}

/** Ranks of those among `nodes`, in rank order, that send in a shard; all, where none would. */
export function sendersAmong({ sending }: ShardLayout, nodes: readonly number[]): number[] {
  const ranks = sendersOf({ senders: sending }, nodes);
  return ranks.length > 0 ? [...ranks] : nodes.map((_, rank) => rank);
}

export class Layout {
  /** Node ids, ascending; the lowest one leads. */
  readonly members: readonly number[];
  readonly subgroups: readonly Subgroup[];
  readonly shards: readonly ShardLayout[];
  readonly rules: LayoutRules;
  /** As it was said; the catalog is not named. */
  readonly options: readonly SubgroupOptions[];
  readonly #byShard = new Map<number, ShardLayout>();
  readonly #byName = new Map<string, Subgroup>();

  /** Throws INVALID_CONFIG, which names the setting and the nearest fix. */
  constructor(
    members: readonly number[],
    subgroups: readonly SubgroupOptions[],
    exclusive = false,
    rules = resolveLayout(subgroups, exclusive),
  ) {
    checkMembers(members);
    this.members = [...members].sort((a, b) => a - b);
    this.options = subgroups;
    this.rules = rules;
    this.shards = layOut(rules, this.members);
    for (const shard of this.shards) {
      this.#byShard.set(shard.shard, shard);
    }
    this.subgroups = rules.subgroups.map(({ name, kind }) =>
      Object.freeze({ name, kind, shards: this.shards.filter((one) => one.subgroup === name) }),
    );
    for (const subgroup of this.subgroups) {
      this.#byName.set(subgroup.name, subgroup);
    }
  }

  /** As a view has it. Throws INVALID_CONFIG where these members are too few for it. */
  static ofView(members: readonly number[], layout: ViewLayout): Layout {
    const options = layout.subgroups.map((subgroup) => subgroup.options);
    const firsts = new Map(layout.subgroups.map(({ first, options: { name } }) => [name, first]));
    const rules = placedLayout(options, layout.exclusive, firsts, layout.nextShard);
    return new Layout(members, options, layout.exclusive, rules);
  }

  subgroup(name: string): Subgroup {
    const found = this.#byName.get(name);
    if (found === undefined) {
      const nearest = nearestName(name, this.#byName.keys());
      const hint = nearest === null ? '' : `; did you mean ${nearest}?`;
      throw new FreshetError('INVALID_POOL', `There is no subgroup ${name}${hint}`, {
        mend: `Name one of ${[...this.#byName.keys()].join(', ')}`,
        details: { subgroup: name },
      });
    }
    return found;
  }

  shard(shard: number): ShardLayout {
    const found = this.#byShard.get(shard);
    if (found === undefined) {
      throw new FreshetError('INVALID_ARGUMENT', `There is no shard ${String(shard)}`, {
        mend: `Name a shard from 1 to ${String(this.shards.length)}`,
        details: { shard },
      });
    }
    return found;
  }

  has(shard: number): boolean {
    return this.#byShard.has(shard);
  }

  hasSubgroup(name: string): boolean {
    return this.#byName.has(name);
  }

  /** Shards that a member holds at first, ascending. */
  heldBy(node: number): readonly ShardLayout[] {
    return this.shards.filter((shard) => shard.members.includes(node));
  }

  /**
   * Bytes of each ring at a member: its budget over the rings that it holds (one a sender and
   * shard), a power of two. Throws INVALID_CONFIG when not even the smallest rings fit.
   */
  ringSize(node: number, budgetBytes: number): number {
    const rings = this.heldBy(node).reduce((sum, { senders }) => sum + senders.length, 0);
    const share = Math.floor(budgetBytes / Math.max(1, rings));
    if (share < groupLimits.ringSizeMin) {
      const least = rings * groupLimits.ringSizeMin;
      throw configError(
        `memory.ringBudgetBytes of ${String(budgetBytes)} is too little for ${String(rings)} rings`,
        `Give at least ${String(least)} bytes, or fewer shards`,
      );
    }
    return Math.min(groupLimits.ringSizeMax, 2 ** Math.floor(Math.log2(share)));
  }

  /**
   * Ring sizes have to be alike at all members of a shard: the smallest of theirs, also of those
   * that spares have when half of the members are lost.
   */
  commonRingSize(budgetBytes: number): number {
    const few = this.members.slice(0, Math.floor(this.members.length / 2) + 1);
    const { shards } = planShards(this.rules, null, few);
    const rings = few.map((node) =>
      shards.reduce((sum, { members, senders }) => {
        return members.includes(node) ? sum + senders.length : sum;
      }, 0),
    );
    const share = Math.floor(budgetBytes / Math.max(1, ...rings));
    // Below the smallest size the budget gives way: fewer members may never be.
    const withFew = Math.max(groupLimits.ringSizeMin, 2 ** Math.floor(Math.log2(share)));
    return Math.min(withFew, ...this.members.map((node) => this.ringSize(node, budgetBytes)));
  }

  /** What members compare, so that a differing configuration is named instead of obeyed. */
  fingerprint(): string {
    const parts = this.shards.map((layout) => {
      const { shard, subgroup, persistent, delivery, min, members, senders } = layout;
      const kind = `${persistent ? 'p' : 'v'}${min === 1 ? '' : String(min)}`;
      const sending = senders.length === members.length ? '' : `>${senders.join(',')}`;
      const order = delivery === 'ordered' ? '' : `~${delivery}`;
      const rest = `${slowTextOf(layout)}${multicastTextOf(layout)}`;
      return `${String(shard)}:${subgroup}:${kind}:${members.join(',')}${sending}${order}${rest}`;
    });
    return parts.join(';');
  }
}

function slowTextOf({ slowMember: { policy, afterMs } }: ShardLayout): string {
  return policy === 'wait' ? '' : `!${policy}${String(afterMs)}`;
}

function multicastTextOf({ multicast: { algorithm, blockBytes } }: ShardLayout): string {
  const usual = defaultMulticast;
  const isUsual = algorithm === usual.algorithm && blockBytes === usual.blockBytes;
  return isUsual ? '' : `*${algorithm}${String(blockBytes)}`;
}

function layOut(rules: LayoutRules, members: readonly number[]): readonly ShardLayout[] {
  const { shards } = planShards(rules, null, members);
  const closed = shards.flatMap(({ waits }) => (waits === null ? [] : [waits]))[0];
  if (closed !== undefined) {
    const given = members.map(String).join(', ');
    const count = String(closed.count);
    throw configError(
      `${closed.reason}; the members are ${given}`,
      closed.orAny
        ? `Add ${count} to members, or lower minReplicas of this shard by ${count}`
        : 'Add one of them to members',
    );
  }
  return rules.shards.map((rule, nth) => {
    const { members: held = [], senders = [] } = shards[nth] ?? {};
    const lists = { members: Object.freeze(held), senders: Object.freeze(senders) };
    return Object.freeze({ ...rule, sending: rule.senders, ...lists });
  });
}

function checkMembers(members: readonly number[]): void {
  if (members.length === 0 || members.length > limits.members) {
    throw configError(
      `members names ${String(members.length)} members, 1 to ${String(limits.members)} are possible`,
      'Name every member of the cluster once',
    );
  }
  const seen = new Set<number>();
  for (const node of members) {
    if (!Number.isInteger(node) || node < 1 || node > 0xffff_ffff) {
      throw configError(
        `member id ${String(node)} is not a number from 1`,
        'Number members from 1',
      );
    }
    if (seen.has(node)) {
      const free = firstFree(seen, members);
      throw configError(
        `member id ${String(node)} is given twice`,
        `Give one of them another number, such as ${String(free)}`,
      );
    }
    seen.add(node);
  }
}

function firstFree(seen: ReadonlySet<number>, members: readonly number[]): number {
  let free = 1;
  while (seen.has(free) || members.includes(free)) {
    free++;
  }
  return free;
}

function configError(message: string, mend: string): FreshetError {
  return new FreshetError('INVALID_CONFIG', message, { mend });
}

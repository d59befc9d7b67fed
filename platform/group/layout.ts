import { check, FreshetError, limits, nearestName } from '../base/mod.ts';
import { groupLimits } from './group-limits.ts';

/**
 * Which member holds which shard: a pure function of the configuration, alike at every member.
 * Subgroup 0 is the catalog; shards are numbered from 1 through all subgroups in order.
 */

export type SubgroupKind = 'volatile' | 'persistent' | 'trigger';

export interface SubgroupOptions {
  readonly name: string;
  readonly kind: SubgroupKind;
  readonly shards: number;
  /** Members of each shard; null: three, or all when there are fewer. */
  readonly replicas: number | null;
}

export interface ShardLayout {
  readonly shard: number;
  readonly subgroup: string;
  /** Place within its subgroup, from 0: what a key's hash chooses. */
  readonly index: number;
  readonly persistent: boolean;
  /** Node ids in rank order. */
  readonly members: readonly number[];
}

export interface Subgroup {
  readonly name: string;
  readonly kind: SubgroupKind;
  readonly replicas: number;
  readonly shards: readonly ShardLayout[];
}

export const catalogSubgroup = 'catalog';

const defaultReplicas = 3;

export const defaultSubgroups: readonly SubgroupOptions[] = Object.freeze(
  (['volatile', 'persistent', 'trigger'] as const).map((kind) =>
    Object.freeze({ name: kind, kind, shards: 4, replicas: null }),
  ),
);

export class Layout {
  /** Node ids, ascending; the lowest one leads. */
  readonly members: readonly number[];
  readonly subgroups: readonly Subgroup[];
  readonly shards: readonly ShardLayout[];
  readonly #byShard = new Map<number, ShardLayout>();
  readonly #byName = new Map<string, Subgroup>();

  /** Throws INVALID_CONFIG, which names the setting and the nearest fix. */
  constructor(members: readonly number[], subgroups: readonly SubgroupOptions[]) {
    checkMembers(members);
    checkSubgroups(members.length, subgroups);
    this.members = [...members].sort((a, b) => a - b);
    const catalog: SubgroupOptions = {
      name: catalogSubgroup,
      kind: 'persistent',
      shards: 1,
      replicas: members.length,
    };
    let next = 1;
    this.subgroups = [catalog, ...subgroups].map((options, nth) => {
      const subgroup = this.#spread(options, next, nth);
      next += options.shards;
      return subgroup;
    });
    this.shards = this.subgroups.flatMap((subgroup) => subgroup.shards);
    for (const shard of this.shards) {
      this.#byShard.set(shard.shard, shard);
    }
    for (const subgroup of this.subgroups) {
      this.#byName.set(subgroup.name, subgroup);
    }
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

  /** Shards that a member holds, ascending. */
  heldBy(node: number): readonly ShardLayout[] {
    return this.shards.filter((shard) => shard.members.includes(node));
  }

  /**
   * Bytes of each ring at a member: its budget over the rings that it holds (one a sender and
   * shard), a power of two. Throws INVALID_CONFIG when not even the smallest rings fit.
   */
  ringSize(node: number, budgetBytes: number): number {
    const rings = this.heldBy(node).reduce((sum, shard) => sum + shard.members.length, 0);
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

  /** Ring sizes have to be alike at all members of a shard: the smallest of theirs. */
  commonRingSize(budgetBytes: number): number {
    return Math.min(...this.members.map((node) => this.ringSize(node, budgetBytes)));
  }

  /** What members compare, so that a differing configuration is named instead of obeyed. */
  fingerprint(): string {
    const parts = this.shards.map(
      ({ shard, subgroup, persistent, members }) =>
        `${String(shard)}:${subgroup}:${persistent ? 'p' : 'v'}:${members.join(',')}`,
    );
    return parts.join(';');
  }

  #spread(options: SubgroupOptions, first: number, nth: number): Subgroup {
    const count = this.members.length;
    const replicas = options.replicas ?? Math.min(defaultReplicas, count);
    const shards = Array.from({ length: options.shards }, (_, index): ShardLayout => {
      // Neighbouring shards start at neighbouring members; subgroups start shifted.
      const start = (index + nth) % count;
      const members = Array.from(
        { length: replicas },
        (_, rank) => this.members[(start + rank) % count] as number,
      );
      check(new Set(members).size === replicas, 'a member holds a shard once', { replicas });
      return Object.freeze({
        shard: first + index,
        subgroup: options.name,
        index,
        persistent: options.kind === 'persistent',
        members: Object.freeze(members),
      });
    });
    return Object.freeze({ name: options.name, kind: options.kind, replicas, shards });
  }
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

function checkSubgroups(members: number, subgroups: readonly SubgroupOptions[]): void {
  const names = new Set<string>([catalogSubgroup]);
  if (subgroups.length > groupLimits.subgroups) {
    throw configError(`there are ${String(subgroups.length)} subgroups`, 'Join some of them');
  }
  for (const { name, shards, replicas } of subgroups) {
    if (!/^[a-z][a-z0-9_-]{0,31}$/.test(name)) {
      const mend = 'Use up to 32 lower-case letters, digits, - and _, a letter first';
      throw configError(`the subgroup name ${JSON.stringify(name)} is not possible`, mend);
    }
    if (names.has(name)) {
      const mend = `Call it ${name}-${String(names.size)}, say`;
      throw configError(`the subgroup ${name} is given twice`, mend);
    }
    names.add(name);
    const bounded = Number.isInteger(shards) && shards >= 1 && shards <= limits.shardsPerSubgroup;
    if (!bounded) {
      const most = String(limits.shardsPerSubgroup);
      throw configError(`the subgroup ${name} has ${String(shards)} shards`, `Give 1 to ${most}`);
    }
    if (replicas !== null && (!Number.isInteger(replicas) || replicas < 1 || replicas > members)) {
      throw configError(
        `the subgroup ${name} wants ${String(replicas)} replicas of ${String(members)} members`,
        `Give 1 to ${String(members)} replicas, or add members`,
      );
    }
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

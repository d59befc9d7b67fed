import type { Random } from '../../../platform/base/mod.ts';
import type { Closing } from '../../../platform/group/machine-types.ts';
import { closedRefusal } from '../../../platform/store/closed-subgroups.ts';
import type { World } from './group-world.ts';
import { Violation } from './world-checks.ts';
import type { WorldMember } from './world-member.ts';

interface WorldPool {
  readonly name: string;
  /** Of its subgroup. */
  readonly first: number;
}

/**
 * The catalog of a world, in short: one for all members, changed on condition of its version. Pools
 * that were acknowledged may not be lost with their subgroups.
 */
export class WorldPools {
  readonly #world: World;
  #pools: readonly WorldPool[] = [];
  #closing: Closing = { view: 0, subgroups: [] };
  #version = 0;
  /** Pools that were refused as their subgroups were about to go. */
  refused = 0;
  made = 0;

  constructor(world: World) {
    this.#world = world;
  }

  get closing(): Closing {
    return this.#closing;
  }

  /** As that member's layout has the subgroup. */
  namesIn(member: WorldMember, subgroup: string): readonly string[] {
    const first = firstOf(member, subgroup);
    return this.#pools.flatMap((pool) => (pool.first === first ? [pool.name] : []));
  }

  add(name: string, first: number): void {
    this.#version++;
    this.#pools = [...this.#pools, { name, first }];
  }

  remove(name: string): void {
    this.#version++;
    this.#pools = this.#pools.filter((pool) => pool.name !== name);
  }

  /** A look and, a while later, what is written if nothing came between; now and then in vain. */
  close(member: WorldMember, closing: Closing, onDone: (done: boolean) => void): void {
    const { random } = this.#world;
    const wait = (): number => random.below(20);
    member.later(wait(), () => {
      const isTaken = closing.subgroups.some(({ name }) => this.namesIn(member, name).length > 0);
      if (isTaken || this.#closing.view > closing.view) {
        onDone(false);
        return;
      }
      const seen = this.#version;
      const { view, subgroups } = this.#closing;
      const isSame = view === closing.view && closing.subgroups.length > 0;
      const named = [...closing.subgroups, ...(isSame ? subgroups : [])];
      // What was sent is written, whether its sender lives or not.
      this.#world.after(wait(), () => {
        const isWritten = this.#version === seen && random.chance(0.95);
        if (isWritten) {
          this.#version++;
          this.#closing = { view: closing.view, subgroups: named };
        }
        const done = isWritten && random.chance(0.95);
        member.later(wait(), () => {
          onDone(done);
        });
      });
    });
  }

  /** Made a while later, if it may be and nothing came between; gone again some time after. */
  create(member: WorldMember, subgroup: string, random: Random): void {
    const first = firstOf(member, subgroup);
    if (first === null) return;
    if (closedRefusal(this.#closing, member.machine.status.view, first) !== null) {
      this.refused++;
      return;
    }
    const seen = this.#version;
    this.#world.after(random.below(20), () => {
      if (this.#version !== seen) return;
      this.made++;
      const name = `/${subgroup}/${String(this.made)}`;
      this.add(name, first);
      this.checkAgainst(this.#world.layoutNow);
      this.#world.after(random.below(40), () => {
        this.remove(name);
      });
    });
  }

  checkAgainst(layout: { readonly has: (shard: number) => boolean }): void {
    const lost = this.#pools.find(({ first }) => !layout.has(first));
    if (lost !== undefined) throw new Violation(`the pool ${lost.name} was lost with its subgroup`);
  }
}

/** Somebody makes a pool, in a subgroup that its member has. */
export function makePools(world: World, random: Random): void {
  const [node = 0] = random.shuffled(world.alive);
  const member = world.member(node);
  const names = (member?.machine.layout.options ?? []).map(({ name }) => name);
  if (member !== null && names.length > 0) world.pools.create(member, random.pick(names), random);
  world.after(random.below(50), () => {
    makePools(world, random);
  });
}

function firstOf({ machine }: WorldMember, subgroup: string): number | null {
  if (!machine.layout.hasSubgroup(subgroup)) return null;
  return machine.layout.subgroup(subgroup).shards[0]?.shard ?? null;
}

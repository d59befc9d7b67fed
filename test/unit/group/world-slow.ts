import { SeededRandom } from '../../../platform/base/mod.ts';
import type { SlowMemberPolicy, SubgroupOptions } from '../../../platform/group/layout-options.ts';
import { Layout } from '../../../platform/group/layout.ts';
import { nodesOf } from '../../../platform/group/view-codec.ts';
import { World } from './group-world.ts';
import { inflict, rest, writeNowAndThen } from './world-faults.ts';

const second = 1000;

export function slowLayout(count: number, policy: SlowMemberPolicy, minReplicas = 1): Layout {
  const members = Array.from({ length: count }, (_, at) => at + 1);
  const slowMember = { policy, afterMs: 200 };
  const subgroups: readonly SubgroupOptions[] = [
    { name: 'volatile', kind: 'volatile', shards: 1, replicas: 3, minReplicas, slowMember },
    { name: 'persistent', kind: 'persistent', shards: 2, replicas: 3, minReplicas, slowMember },
  ];
  return new Layout(members, subgroups);
}

/** Those who run an epoch with this member are made to wait for it, once. */
export function slowDown(world: World, shard: number, node: number, waitedMs = 400): void {
  world.note(`${String(node)} holds up shard ${String(shard)}`);
  for (const other of world.alive) {
    const member = world.member(other);
    const epoch = member?.machine.runningEpoch(shard) ?? 0;
    const isWaiting = other !== node && member?.machine.holders(shard).includes(other) === true;
    if (epoch === 0 || !isWaiting) continue;
    const lag = { shard, epoch, node, kind: 'received', waitedMs, messages: 3 } as const;
    member.enter({ type: 'lag', lag });
  }
}

/** As runSeed, with members that are slow at times. */
export function runSlowSeed(seed: number, faults = 40): World {
  const random = new SeededRandom(seed * 7919 + 3);
  const count = 3 + random.below(3);
  const world = new World(slowLayout(count, random.chance(0.7) ? 'demote' : 'suspect'), seed);
  writeNowAndThen(world, random);
  for (const node of world.layout.members) world.boot(node);
  world.runFor(2 * second);
  for (let nth = 0; nth < faults; nth++) {
    world.runFor(random.chance(0.7) ? random.below(250) : random.below(4 * second));
    if (random.chance(0.3)) {
      inflict(world, random);
    } else {
      const { shard, members } = random.pick(world.layout.shards);
      slowDown(world, shard, random.pick(members));
    }
  }
  rest(world);
  return world;
}

/** Every shard has all its members again: those who observed kept up. */
export function areAllBack(world: World): boolean {
  const view = world.member(world.alive[0] ?? 0)?.core.installed ?? null;
  return (view?.shards ?? []).every((core) => {
    const { members } = world.layout.shard(core.shard);
    return view !== null && nodesOf(view, core).length === members.length;
  });
}

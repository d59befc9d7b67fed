import { type Random, SeededRandom } from '../../../platform/base/mod.ts';
import { groupLimits } from '../../../platform/group/group-limits.ts';
import type { SubgroupOptions } from '../../../platform/group/layout-options.ts';
import { Layout } from '../../../platform/group/layout.ts';
import { World } from './group-world.ts';

const second = 1000;

/** Two to five members, shards of two or more of them. */
export function layoutOf(seed: number): Layout {
  const random = new SeededRandom(seed);
  const count = 2 + random.below(4);
  const members = Array.from({ length: count }, (_, at) => at + 1);
  const replicas = random.chance(0.5) ? null : Math.min(2, count);
  const subgroups: readonly SubgroupOptions[] = [
    { name: 'volatile', kind: 'volatile', shards: 1, replicas: null },
    { name: 'persistent', kind: 'persistent', shards: 2, replicas },
  ];
  return new Layout(members, subgroups);
}

/** Runs a cluster through faults drawn from the seed, then lets it come to rest. */
export function runSeed(seed: number, faults = 30): World {
  const random = new SeededRandom(seed * 7919 + 1);
  const world = new World(layoutOf(seed), seed, new SeededRandom(seed).pick([null, 500, 4000]));
  writeNowAndThen(world, random);
  for (const node of random.shuffled(world.layout.members)) {
    world.boot(node);
    world.runFor(random.below(300));
  }
  for (let nth = 0; nth < faults; nth++) {
    world.runFor(random.chance(0.6) ? random.below(250) : random.below(5 * second));
    inflict(world, random);
  }
  if (random.chance(0.5)) {
    cutPower(world, random);
  }
  rest(world);
  return world;
}

/**
 * Power that comes and goes: one restart after the other, each of other members, and cut off in all
 * of its phases, or while a view follows another.
 */
export function runPowerCuts(seed: number, cuts = 10): World {
  const world = new World(layoutOf(seed), seed, new SeededRandom(seed).pick([null, 100]));
  const { members } = world.layout;
  const random = new SeededRandom(seed * 7919 + 2);
  writeNowAndThen(world, random);
  for (let nth = 0; nth < cuts; nth++) {
    const most = Math.floor(members.length / 2) + 1;
    const count = most + random.below(members.length - most + 1);
    for (const node of random.shuffled(members).slice(0, count)) {
      world.boot(node);
    }
    // Fewer than all wait for the others first.
    world.runFor(count < members.length ? groupLimits.restartGraceMs : 0);
    world.runFor(random.chance(0.3) ? 800 + random.below(800) : random.below(800));
    if (random.chance(0.5)) {
      world.crash(random.pick(world.alive));
      world.runFor(random.below(400));
    }
    cutPower(world, random);
  }
  rest(world);
  return world;
}

/**
 * Shards that are moved again and again, members that are lost at any moment of it, and spares that
 * take over: there are more members than a shard has.
 */
export function runMoves(seed: number, moves = 10): World {
  const random = new SeededRandom(seed * 7919 + 3);
  const members = [1, 2, 3, 4, ...(random.chance(0.5) ? [5] : [])];
  const replicas = 2 + random.below(2);
  const kinds = ['volatile', 'persistent'] as const;
  const subgroups = kinds.map((kind) => ({ name: kind, kind, shards: 2, replicas }));
  const world = new World(new Layout(members, subgroups), seed, random.pick([200, 4000]));
  writeNowAndThen(world, random);
  for (const node of members) world.boot(node);
  for (let nth = 0; nth < moves; nth++) {
    world.runUntil(() => world.isSettled(), 20 * second);
    const { shard } = random.pick(world.layout.shards);
    world.move(shard);
    world.runFor(random.below(400));
    if (random.chance(0.5)) {
      const lost = random.pick(world.alive);
      world.crash(lost);
      world.runFor(random.below(2 * second));
      world.boot(lost);
    }
  }
  rest(world);
  return world;
}

/** Faults stop: everyone is there and connected, and has to come together. */
export function rest(world: World): void {
  const { members } = world.layout;
  for (const a of members) {
    for (const b of members) {
      if (a < b && world.isCut(a, b)) {
        world.mend(a, b);
      }
    }
  }
  for (const node of world.dead) {
    world.boot(node);
  }
  world.note('faults have stopped');
}

/** Everyone comes to one view within this time, and to one history when nothing is written. */
export function settle(world: World): boolean {
  const comes = world.runUntil(() => world.isSettled(), 120 * second);
  world.isWriting = false;
  world.runFor(second);
  if (comes && world.isSettled()) {
    world.checks.checkEnd();
  }
  return comes && world.isSettled();
}

export function inflict(world: World, random: Random): void {
  const { alive, dead } = world;
  const drawn = random.below(100);
  if (drawn < 30 && alive.length > 0) {
    world.crash(random.pick(alive));
  } else if (drawn < 65 && dead.length > 0) {
    world.boot(random.pick(dead));
  } else if (drawn < 88) {
    const [a, b] = random.shuffled(world.layout.members) as [number, number];
    if (world.isCut(a, b)) {
      world.mend(a, b);
    } else if (random.chance(0.5)) {
      world.cut(a, b);
    }
  } else if (drawn < 94) {
    world.move(random.pick(world.layout.shards).shard);
  } else if (drawn < 97) {
    for (const node of alive.filter(() => random.chance(0.7))) {
      world.crash(node);
    }
  } else {
    cutPower(world, random);
  }
}

function cutPower(world: World, random: Random): void {
  for (const node of random.shuffled(world.alive)) {
    world.crash(node);
    world.runFor(random.below(30));
  }
}

export function writeNowAndThen(world: World, random: Random): void {
  if (world.isWriting) {
    world.write(random.pick(world.layoutNow.shards).shard);
  }
  world.after(20 + random.below(100), () => {
    writeNowAndThen(world, random);
  });
}

import {
  FreshetError,
  isFreshetError,
  type Random,
  SeededRandom,
} from '../../../platform/base/mod.ts';
import type { SubgroupOptions } from '../../../platform/group/layout-options.ts';
import { Layout } from '../../../platform/group/layout.ts';
import { World } from './group-world.ts';
import { Violation } from './world-checks.ts';
import { makePools } from './world-pools.ts';
import { inflict, rest, writeNowAndThen } from './world-faults.ts';

const second = 1000;

/**
 * A layout that is changed again and again, each time a moment before, while or after members are
 * lost, connections are cut or the power goes.
 */
export function runLayouts(seed: number, changes = 8): World {
  const random = new SeededRandom(seed * 7919 + 4);
  const members = [1, 2, 3, ...(random.chance(0.6) ? [4] : []), ...(random.chance(0.3) ? [5] : [])];
  const first = { name: 'milk', kind: 'persistent', shards: 2, replicas: 2 } as const;
  const world = new World(new Layout(members, [first]), seed, random.pick([200, 4000]));
  writeNowAndThen(world, random);
  for (const node of members) world.boot(node);
  for (let nth = 0; nth < changes; nth++) {
    world.runUntil(() => random.chance(0.02) || world.isSettled(), 10 * second);
    tryChange(world, random);
    world.runFor(random.below(random.chance(0.5) ? 100 : 600));
    if (random.chance(0.6)) inflict(world, random);
    if (random.chance(0.3)) tryChange(world, random);
    if (random.chance(0.1)) restartAll(world, random);
    world.runFor(random.below(second));
  }
  rest(world);
  return world;
}

/**
 * A subgroup that comes and goes while pools are made in it that go a moment later, and members are
 * lost.
 */
export function runRemovals(seed: number, changes = 12): World {
  const random = new SeededRandom(seed * 7919 + 5);
  const members = [1, 2, 3, ...(random.chance(0.3) ? [4] : [])];
  const milk: SubgroupOptions = { name: 'milk', kind: 'persistent', shards: 1, replicas: 2 };
  const barn: SubgroupOptions = { ...milk, name: 'barn' };
  const world = new World(new Layout(members, [milk, barn]), seed, 4000);
  for (const node of members) world.boot(node);
  makePools(world, random);
  for (let nth = 0; nth < changes; nth++) {
    world.runUntil(() => world.isSettled(), 10 * second);
    const isThere = world.layoutNow.hasSubgroup('barn');
    for (let attempt = 0; attempt < 5; attempt++) {
      ask(world, isThere ? [milk] : [milk, barn]);
      world.runFor(random.below(40));
    }
    if (random.chance(0.3)) inflict(world, random);
    world.runFor(random.below(200));
  }
  rest(world);
  return world;
}

/** With some seed a checker says this, of a rule that is left out. */
export function isNoticed(text: string, run: (seed: number) => World = runLayouts): boolean {
  const seeds = Array.from({ length: 60 }, (_, nth) => nth + 1);
  return seeds.some((seed) => {
    try {
      run(seed);
      return false;
    } catch (caught) {
      if (!(caught instanceof Violation)) throw caught;
      return caught.message.includes(text);
    }
  });
}

/** The power goes and comes back, so that nobody has a view but on its disk. */
function restartAll(world: World, random: Random): void {
  for (const node of random.shuffled(world.alive)) {
    world.crash(node);
    world.runFor(random.below(30));
  }
  for (const node of world.dead) world.boot(node);
}

/** As people do: who is refused leaves it. */
function tryChange(world: World, random: Random): void {
  ask(world, changed(world.layoutNow.options, world.layout.members.length, random));
}

function ask(world: World, subgroups: readonly SubgroupOptions[]): void {
  try {
    world.changeLayout({ subgroups });
  } catch (caught) {
    if (!isFreshetError(caught)) throw caught;
    world.note(`refused: ${caught.message}`);
  }
}

function changed(
  options: readonly SubgroupOptions[],
  members: number,
  random: Random,
): readonly SubgroupOptions[] {
  if (random.chance(0.25) && options.length > 1) {
    const gone = random.below(options.length);
    return options.filter((_, nth) => nth !== gone);
  }
  if (random.chance(0.5) && options.length < 6) {
    const kind = random.pick(['volatile', 'persistent'] as const);
    // Also the name of one that was taken away.
    const names = ['milk', ...Array.from({ length: 6 }, (_, nth) => `added-${String(nth)}`)];
    const name = names.find((one) => options.every((other) => other.name !== one)) ?? '';
    return [
      ...options,
      { name, kind, shards: 1 + random.below(2), replicas: 1 + random.below(members) },
    ];
  }
  const other = random.below(options.length);
  return options.map((subgroup, nth) =>
    nth === other ? changedOne(subgroup, members, random) : subgroup,
  );
}

function changedOne(subgroup: SubgroupOptions, members: number, random: Random): SubgroupOptions {
  const replicas = 1 + random.below(members);
  if (random.chance(0.7)) {
    return { ...subgroup, replicas, minReplicas: 1 + random.below(Math.min(2, replicas)) };
  }
  const { shards } = subgroup;
  const count = typeof shards === 'number' ? shards : shards.length;
  const reserving = Array.from({ length: count }, () => {
    const reserved = [1 + random.below(members)];
    return random.chance(0.5) ? { reserved } : { reserved, senders: reserved };
  });
  return { ...subgroup, shards: random.chance(0.3) ? count : reserving };
}

/** Of a change that is refused: code, message and mend. */
export function refusalOf(run: () => unknown): string {
  try {
    run();
  } catch (caught) {
    if (caught instanceof FreshetError) return `${caught.code} ${caught.message}: ${caught.mend}`;
    throw caught;
  }
  throw new Error('It was not refused');
}

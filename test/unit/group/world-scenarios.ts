import { Layout } from '../../../platform/group/layout.ts';
import { World } from './group-world.ts';
import { rest } from './world-faults.ts';

/**
 * Courses of events that chance finds too seldom. They follow the directed ones of the model
 * (test/native/model/directed_restarts.cc).
 */

const second = 1000;

function start(members: number, replicas: number | null, seed: number, first: number[]): World {
  const nodes = Array.from({ length: members }, (_, at) => at + 1);
  const subgroup = { name: 'persistent', kind: 'persistent', shards: 2, replicas } as const;
  const world = new World(new Layout(nodes, [subgroup]), seed);
  powerUp(world, first);
  world.runUntil(() => first.every((node) => viewOf(world, node) > 0), 10 * second);
  world.runFor(500);
  return world;
}

function powerUp(world: World, nodes: readonly number[]): void {
  for (const node of nodes) {
    world.boot(node);
  }
}

function powerCut(world: World): void {
  for (const node of world.alive) {
    world.crash(node);
  }
}

function viewOf(world: World, node: number): number {
  return world.member(node)?.core.installed?.number ?? 0;
}

function hasPrepared(world: World, node: number): boolean {
  return world.disk(node).record.prepared !== null;
}

function preparedAt(world: World, node: number): number {
  return world.disk(node).record.prepared?.number ?? 0;
}

/** 1 and 2 begin a restart that 1 alone prepares; 2 and 3 another, which 3 begins; then 1 and 2. */
export function brokenRestart(seed: number): World {
  const world = start(3, null, seed, [1, 2, 3]);
  powerCut(world);
  powerUp(world, [1, 2]);
  world.runUntil(() => hasPrepared(world, 1) || hasPrepared(world, 2), 10 * second);
  powerCut(world);
  powerUp(world, [2, 3]);
  world.runUntil(() => viewOf(world, 3) > 0, 10 * second);
  powerCut(world);
  powerUp(world, [1, 2]);
  world.runFor(5 * second);
  rest(world);
  return world;
}

/**
 * One member alone prepares that 5 goes; four restart without it, one of them begins; then those
 * who have not, with the first one.
 */
export function unseenRecord(seed: number): World {
  const world = start(5, null, seed, [1, 2, 3, 4, 5]);
  world.crash(5);
  const four = [1, 2, 3, 4];
  world.runUntil(() => four.some((node) => hasPrepared(world, node)), 10 * second);
  const lone = four.find((node) => hasPrepared(world, node)) ?? 0;
  powerCut(world);
  const others = world.layout.members.filter((node) => node !== lone);
  powerUp(world, others);
  world.runUntil(() => others.some((node) => viewOf(world, node) > 0), 10 * second);
  const late = others.filter((node) => hasPrepared(world, node));
  powerCut(world);
  powerUp(world, [lone, ...late]);
  world.runFor(5 * second);
  rest(world);
  return world;
}

/** 1, 3 and 4 begin a restart that one of them prepares; then 1 and 4 with 2, who was not in it. */
export function formerMember(seed: number): World {
  const world = start(4, null, seed, [1, 2, 3, 4]);
  powerCut(world);
  powerUp(world, [1, 3, 4]);
  world.runUntil(() => [1, 3, 4].some((node) => hasPrepared(world, node)), 10 * second);
  powerCut(world);
  powerUp(world, [1, 2, 4]);
  world.runFor(5 * second);
  rest(world);
  return world;
}

/**
 * Of five, 1, 2 and 3 begin a restart that one prepares; 1, 2 and 4 another one after that, which
 * one prepares; 1, 2 and 5 a third; then those who may know of none of it.
 */
export function halfAdopted(seed: number): World {
  const world = start(5, 5, seed, [1, 2, 3, 4, 5]);
  for (const nodes of [
    [1, 2, 3],
    [1, 2, 4],
  ]) {
    const numbers = nodes.map((node) => preparedAt(world, node));
    const most = Math.max(...numbers);
    powerCut(world);
    powerUp(world, nodes);
    // What is adopted has the number that is known by then; the restart's own is above it.
    const isBegun = (): boolean => nodes.some((node) => preparedAt(world, node) > most);
    world.runUntil(isBegun, 10 * second);
  }
  powerCut(world);
  powerUp(world, [1, 2, 5]);
  world.runFor(5 * second);
  powerCut(world);
  powerUp(world, [3, 4, 5]);
  world.runFor(5 * second);
  rest(world);
  return world;
}

/**
 * Of five, 1 to 3 begin a restart that one prepares, then 3 to 5 another one, without knowing of
 * it. 1, 2 and 4 adopt the first and one of them prepares the view after it, from which it goes on
 * with 2. Then 3 to 5.
 */
export function adoptedBesideAnother(seed: number): World {
  const world = start(5, 5, seed, [1, 2, 3, 4, 5]);
  for (const nodes of [
    [1, 2, 3],
    [3, 4, 5],
    [1, 2, 4],
  ]) {
    const most = Math.max(...nodes.map((node) => preparedAt(world, node)));
    powerCut(world);
    powerUp(world, nodes);
    world.runUntil(() => nodes.some((node) => preparedAt(world, node) > most), 10 * second);
  }
  powerCut(world);
  powerUp(world, [1, 2, 5]);
  world.runUntil(() => viewOf(world, 1) > 0 && viewOf(world, 2) > 0, 10 * second);
  powerCut(world);
  powerUp(world, [3, 4, 5]);
  world.runFor(10 * second);
  rest(world);
  return world;
}

/** 4 joins a shard that one alone held, and lacks some when the power goes; that one stays away. */
export function incompleteJoiner(seed: number): World {
  const world = start(5, 2, seed, [1, 2, 3, 5]);
  const shared = world.layout.shards.find(
    ({ members }) => members.length === 2 && members.includes(4),
  );
  const { shard = 0, members = [] } = shared ?? {};
  const others = [1, 2, 3, 5].filter((node) => !members.includes(node));
  const write = (): void => {
    if (world.isWriting) {
      world.write(shard);
    }
    world.after(5, write);
  };
  write();
  world.boot(4);
  world.runUntil(() => others.every((node) => hasPrepared(world, node)), 10 * second);
  powerCut(world);
  powerUp(world, [...others, 4]);
  world.runFor(5 * second);
  rest(world);
  return world;
}

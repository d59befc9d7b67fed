import { describe, expect, test } from 'vitest';
import { Layout } from '../../../platform/group/layout.ts';
import { World } from './group-world.ts';
import { crashAll, expectTogether, startAll } from './world-expects.ts';

const second = 1000;
const subgroups = [
  { name: 'volatile', kind: 'volatile', shards: 2, replicas: null },
  { name: 'persistent', kind: 'persistent', shards: 2, replicas: null },
] as const;

function started(members: readonly number[], seed: number): World {
  const world = new World(new Layout(members, subgroups), seed);
  startAll(world);
  expectTogether(world);
  return world;
}

/** These run their shards in a view of their own. */
function expectAlone(world: World, nodes: readonly number[]): void {
  for (const node of nodes) {
    const status = world.member(node)?.machine.status;
    expect(status?.members.toSorted()).toEqual(nodes);
    expect(status?.running, world.log.slice(-20).join('\n')).toBe(true);
  }
}

describe('a member whose disk fails', () => {
  test.each([1, 2, 3])('once it is filled holds up no view (%d)', (seed) => {
    const world = started([1, 2, 3], seed);
    world.crash(3);
    world.runFor(2 * second);
    world.disk(3).fails = true;
    world.boot(3);
    world.runFor(10 * second);
    expect(world.log.join('\n')).toContain('3 begins anew: the disk of this member failed');
    expectAlone(world, [1, 2]);
    expect(world.member(3)?.machine.status.problem).toContain('the disk of this member failed');
    world.disk(3).fails = false;
    expectTogether(world);
  });

  test.each([1, 2, 3])('while others join is left out by them (%d)', (seed) => {
    const world = started([1, 2, 3, 4, 5], seed);
    world.crash(5);
    world.runFor(2 * second);
    world.disk(2).fails = true;
    world.boot(5);
    world.runFor(10 * second);
    expectAlone(world, [1, 3, 4, 5]);
    world.disk(2).fails = false;
    expectTogether(world);
  });

  test.each([1, 2, 3])('holds up no total restart (%d)', (seed) => {
    const world = started([1, 2, 3], seed);
    crashAll(world);
    world.disk(1).fails = true;
    startAll(world);
    world.runFor(15 * second);
    expectAlone(world, [2, 3]);
    world.disk(1).fails = false;
    expectTogether(world);
  });
});

/** Members whose clocks are off, from the machines of a group up. */
import { expect, test } from 'vitest';
import { layoutOf } from './plan-samples.ts';
import { World } from './group-world.ts';
import { expectTogether, startAll } from './world-expects.ts';

const second = 1000;
const hourUs = 3_600_000_000;

function newWorld(nodes: readonly number[] = [1, 2, 3], seed = 1): World {
  return new World(layoutOf(nodes, 2, 2), seed);
}

function statusOf(world: World, node: number) {
  const member = world.member(node);
  if (member === null) throw new Error(`member ${String(node)} does not run`);
  return member.machine.status;
}

test.each([1, 3])('a restart goes without member %i, whose clock is off', (wrong) => {
  const world = newWorld();
  world.setClock(wrong, hourUs);
  startAll(world);
  world.runFor(10 * second);
  const others = [1, 2, 3].filter((node) => node !== wrong);
  for (const node of others) expect(statusOf(world, node).members).toEqual(others);
  const said =
    'the clock of this member is ' +
    others.map((by) => `3600.0 s ahead of that of member ${String(by)}`).join(', ') +
    ' (maxClockSkewMs allows 500 ms): it is let in once the clock of its machine is set right';
  expect(statusOf(world, wrong)).toMatchObject({ view: 0, refused: true, problem: said });
  const log = world.log.join('\n');
  expect(log).toContain(`${String(wrong)} error: the clock of this member is 3600.0 s ahead`);
  expect(log).toContain(
    `${String(others[0])} warn: the clock of member ${String(wrong)} is 3600.0 s ahead`,
  );

  world.setClock(wrong, 0);
  expectTogether(world);
  expect(statusOf(world, wrong)).toMatchObject({ refused: false, problem: null });
});

test('of two that differ nobody knows who is right: neither starts, and both say so', () => {
  const world = newWorld([1, 2]);
  world.setClock(2, -hourUs);
  startAll(world);
  world.runFor(10 * second);
  expect(statusOf(world, 1)).toMatchObject({
    view: 0,
    problem: expect.stringContaining('3600.0 s ahead of that of member 2') as string,
  });
  expect(statusOf(world, 2)).toMatchObject({
    view: 0,
    problem: expect.stringContaining('3600.0 s behind that of member 1') as string,
  });
  world.setClock(2, 0);
  expectTogether(world);
});

test('a joiner whose clock is off waits until it is right', () => {
  const world = newWorld();
  startAll(world);
  expectTogether(world);
  world.crash(2);
  world.runFor(5 * second);
  world.setClock(2, hourUs);
  world.boot(2);
  world.runFor(10 * second);
  expect(statusOf(world, 1).members).toEqual([1, 3]);
  expect(statusOf(world, 2)).toMatchObject({ view: 0, refused: true });
  world.setClock(2, -400_000);
  expectTogether(world);
});

test('a clock that goes off in a view is warned of, and nobody leaves', () => {
  const world = newWorld();
  startAll(world);
  expectTogether(world);
  world.setClock(3, 2_000_000);
  world.runFor(5 * second);
  expectTogether(world);
  expect(world.log.join('\n')).toContain(
    '1 warn: the clock of member 3 is 2.0 s ahead of that of member 1',
  );
  expect(world.member(3)?.machine.clocks.excessUs).toBeGreaterThan(1_400_000);
  expect(world.member(1)?.machine.clocks.excessUs).toBeLessThan(0);
});

import { afterEach, describe, expect, test, vi } from 'vitest';
import type * as limits from '../../../platform/group/group-limits.ts';
import { Layout } from '../../../platform/group/layout.ts';
import { World } from './group-world.ts';
import { expectTogether } from './world-expects.ts';

const leftOut = vi.hoisted(() => ({ rule: false }));

vi.mock('../../../platform/group/group-limits.ts', async (load) => {
  const { groupLimits }: typeof limits = await load();
  const without = { ...groupLimits, changeStallMs: Infinity };
  const get = (whole: typeof groupLimits, name: string) =>
    Reflect.get(leftOut.rule ? without : whole, name) as unknown;
  return { groupLimits: new Proxy({ ...groupLimits }, { get }) };
});

afterEach(() => {
  leftOut.rule = false;
});

const second = 1000;
const seeds = [1, 2, 3];
const others = [1, 2, 3];
const [holder, joiner] = [4, 5];
const text = 'begins anew: the next view cannot be finished';

/**
 * 4 alone has a shard that 5 comes into by the next view, and dies once the others have agreed on
 * that and before 5 has the end of its history. `isMember`: 5 is in the view that ends, else it
 * joins.
 */
function stalled(seed: number, isMember: boolean): World {
  const shards = isMember ? 5 : [{ reserved: [holder, joiner] }];
  const replicas = isMember ? 1 : 2;
  const one = { name: 'one', kind: 'persistent', shards, replicas } as const;
  const world = new World(new Layout([...others, holder, joiner], [one]), seed);
  const shard = shardOf(world);
  const members = isMember ? world.layout.members : [...others, holder];
  for (const node of members) world.boot(node);
  const areIn = () => members.every((node) => sizeOfView(world, node) === members.length);
  expect(world.runUntil(areIn, 20 * second)).toBe(true);
  for (let nth = 0; nth < 5; nth++) expect(world.write(shard)).toBe(true);
  world.runFor(second);
  if (isMember) world.member(1)?.enter({ type: 'move', move: { shard, from: holder, to: joiner } });
  else world.boot(joiner);
  const isProposed = () => world.member(1)?.core.pending !== null;
  expect(world.runUntil(isProposed, 10 * second)).toBe(true);
  expect(world.member(joiner)?.core.preparedVote).toBe('');
  world.crash(holder);
  return world;
}

function shardOf({ layout }: World): number {
  return layout.heldBy(holder).find(({ subgroup }) => subgroup === 'one')?.shard ?? 0;
}

function sizeOfView(world: World, node: number): number {
  return world.member(node)?.core.installed?.members.length ?? 0;
}

/** Those of the old view who live have agreed on the next one, and do not come to it. */
function expectStalled(world: World, seed: number): void {
  const { pending, installed } = world.member(1)?.core ?? {};
  expect(pending?.view.parent, `seed ${String(seed)}`).toBe(installed?.number);
  expect(givenUp(world)).toEqual([]);
}

/** Who gave up a view that could not be finished. */
function givenUp(world: World): number[] {
  return others.filter((node) => world.log.join('\n').includes(`${String(node)} ${text}`));
}

function expectWhole(world: World): void {
  expectTogether(world);
  const shard = shardOf(world);
  const holders = world.member(1)?.machine.holders(shard) ?? [];
  const written = holders.map((node) => world.disk(node).log(shard).places.length);
  expect(Math.min(...written)).toBe(5);
}

describe('a change of view that lost the last holder of a shard', () => {
  test('is given up after a while, with a member of the view back without one', () => {
    for (const seed of seeds) {
      const world = stalled(seed, true);
      // The joiner cannot be filled: it has begun anew, and was in the view.
      world.runFor(50 * second);
      expectStalled(world, seed);
      world.runFor(15 * second);
      expect(givenUp(world)).toEqual(others);
      world.boot(holder);
      expectWhole(world);
    }
  });

  test('waits for its members while none of them is back', () => {
    for (const seed of seeds) {
      const world = stalled(seed, false);
      world.runFor(100 * second);
      expectStalled(world, seed);
      world.boot(holder);
      world.runFor(5 * second);
      expect(givenUp(world).length).toBeGreaterThan(0);
      expectWhole(world);
    }
  });

  test.each([
    ['of the view', true],
    ['that is new', false],
  ])('stands still without that rule, for a joiner %s', (_which, isMember) => {
    leftOut.rule = true;
    for (const seed of seeds) {
      const world = stalled(seed, isMember);
      world.runFor(5 * second);
      world.boot(holder);
      expect(world.runUntil(() => world.isSettled(), 200 * second)).toBe(false);
      expectStalled(world, seed);
    }
  });
});

import { describe, expect, test } from 'vitest';
import { Layout } from '../../../platform/group/layout.ts';
import { World } from './group-world.ts';
import { crashAll, expectTogether, startAll } from './world-expects.ts';

const second = 1000;

describe('a spare', () => {
  const pair = { name: 'persistent', kind: 'persistent', shards: 1, replicas: 2 } as const;

  /** Members 1 to 4; the one shard has two of them and a few records. */
  function startFour(seed: number) {
    const world = new World(new Layout([1, 2, 3, 4], [pair]), seed, 2 * second);
    startAll(world);
    expectTogether(world);
    world.isWriting = true;
    for (let nth = 0; nth < 5; nth++) world.write(2);
    world.runFor(second);
    const [kept = 0, lost = 0] = world.layout.shard(2).members;
    return { world, kept, lost };
  }

  test('gets the place of a member that is away for long, and that one becomes a spare', () => {
    const { world, kept, lost } = startFour(1);
    world.crash(lost);
    world.runFor(1.5 * second);
    expect(world.member(kept)?.machine.holders(2)).toEqual([kept]);
    world.runFor(3 * second);
    const [, spare = 0] = world.member(kept)?.machine.holders(2) ?? [];
    expect([kept, lost]).not.toContain(spare);
    expect(world.disk(spare).log(2).digest).toBe(world.disk(kept).log(2).digest);
    world.boot(lost);
    expectTogether(world);
    expect(world.member(lost)?.machine.holders(2)).toEqual([kept, spare]);
    expect(world.member(lost)?.machine.mine.map(({ shard }) => shard)).toEqual([1]);
  });

  test('does not, when the member is back in time', () => {
    const { world, kept, lost } = startFour(2);
    world.crash(lost);
    world.runFor(second);
    world.boot(lost);
    expectTogether(world);
    world.runFor(10 * second);
    expect(world.member(kept)?.machine.holders(2)).toEqual([kept, lost]);
    expect(world.checks.promotions).toBe(0);
  });

  test('has its history found after a restart of all, though the first members are back', () => {
    const { world, kept, lost } = startFour(3);
    world.crash(lost);
    world.runFor(5 * second);
    for (let nth = 0; nth < 5; nth++) world.write(2);
    world.runFor(second);
    const [, spare = 0] = world.member(kept)?.machine.holders(2) ?? [];
    const history = world.disk(spare).log(2).digest;
    crashAll(world);
    startAll(world);
    world.crash(kept);
    world.runFor(5 * second);
    expect(world.member(spare)?.machine.holders(2)).toContain(spare);
    world.boot(kept);
    expectTogether(world);
    expect(world.disk(spare).log(2).digest.startsWith(history)).toBe(true);
  });

  test('mends a shard below its minimum at once', () => {
    const layout = new Layout([1, 2, 3, 4], [{ ...pair, minReplicas: 2 }]);
    const world = new World(layout, 4, null);
    startAll(world);
    expectTogether(world);
    const [kept = 0, lost = 0] = layout.shard(2).members;
    world.crash(lost);
    world.runFor(2 * second);
    expect(world.member(kept)?.machine.holders(2)).toHaveLength(2);
    expect(world.member(kept)?.machine.runningEpoch(2)).toBeGreaterThan(0);
  });
});

describe('a move', () => {
  const pair = { name: 'persistent', kind: 'persistent', shards: 2, replicas: 2 } as const;

  test('takes the newcomer in before it lets the old member go', () => {
    const world = new World(new Layout([1, 2, 3, 4], [pair]), 5, 2 * second);
    startAll(world);
    expectTogether(world);
    const [stays = 0, from = 0] = world.layout.shard(2).members;
    const to = [1, 2, 3, 4].find((node) => !world.layout.shard(2).members.includes(node)) ?? 0;
    const leader = world.member(1);
    expect(leader?.machine.moveRefusal({ shard: 2, from, to })).toBeNull();
    const sizes = new Set<number>();
    leader?.enter({ type: 'move', move: { shard: 2, from, to } });
    world.runUntil(() => {
      sizes.add(leader?.machine.holders(2).length ?? 0);
      return leader?.machine.holders(2).join() === [stays, to].join();
    }, 10 * second);
    expect([...sizes]).toEqual([2, 3]);
    expectTogether(world);
    expect(world.member(from)?.machine.mine.map(({ shard }) => shard)).not.toContain(2);
  });

  test('is refused with what to mend', () => {
    const world = new World(new Layout([1, 2, 3, 4], [pair]), 6, 2 * second);
    startAll(world);
    expectTogether(world);
    const [first = 0, other = 0] = world.layout.shard(2).members;
    const [free = 0] = [1, 2, 3, 4].filter((node) => node !== first && node !== other);
    const refusal = (shard: number, from: number, to: number): string => {
      const error = world.member(1)?.machine.moveRefusal({ shard, from, to }) ?? null;
      return error === null ? '' : `${error.message}: ${error.mend}`;
    };
    expect(refusal(9, first, free)).toMatch(/There is no shard 9: Name one from 2 to 3/);
    expect(refusal(1, first, free)).toMatch(/The catalog is at every member/);
    expect(refusal(2, free, first)).toMatch(/does not hold .*: Move it from one of/);
    expect(refusal(2, first, other)).toMatch(/holds .* already: Name /);
    expect(refusal(2, first, 7)).toMatch(/Member 7 is not in the view: Start member 7/);
    world.crash(other);
    world.runFor(second);
    expect(refusal(2, first, free)).toMatch(/has 1 of its 2 members .*: Wait until/);
  });
});

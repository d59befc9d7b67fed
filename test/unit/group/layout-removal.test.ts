import { afterEach, describe, expect, test, vi } from 'vitest';
import { groupLimits } from '../../../platform/group/group-limits.ts';
import type * as rules from '../../../platform/group/layout-rules.ts';
import type { SubgroupOptions } from '../../../platform/group/layout-options.ts';
import { Layout } from '../../../platform/group/layout.ts';
import { World } from './group-world.ts';
import { crashAll, expectTogether, startAll } from './world-expects.ts';
import { isNoticed, refusalOf } from './world-layouts.ts';

const forgets = vi.hoisted(() => ({ numbers: false }));

vi.mock('../../../platform/group/layout-rules.ts', async (load) => {
  const whole: typeof rules = await load();
  const placedLayout: typeof whole.placedLayout = (subgroups, exclusive, firsts, nextShard) =>
    whole.placedLayout(subgroups, exclusive, firsts, forgets.numbers ? 1 : nextShard);
  return { ...whole, placedLayout };
});

afterEach(() => {
  forgets.numbers = false;
});

const second = 1000;
const milk: SubgroupOptions = { name: 'milk', kind: 'persistent', shards: 2, replicas: 2 };
const barn: SubgroupOptions = { name: 'barn', kind: 'persistent', shards: 2, replicas: 3 };
/** The catalog is shard 1. */
const ofMilk = [2, 3];
const ofBarn = [4, 5];

function started(members = [1, 2, 3, 4], seed = 1): World {
  const world = new World(new Layout(members, [milk, barn]), seed, 2 * second);
  startAll(world);
  expectTogether(world);
  world.isWriting = true;
  return world;
}

/** Numbers of the shards of each subgroup, as a member goes by them. */
function numbersAt(world: World, node: number): Record<string, readonly number[]> {
  const { subgroups } = world.member(node)?.machine.layout ?? { subgroups: [] };
  const named = subgroups.filter(({ name }) => name !== 'catalog');
  return Object.fromEntries(
    named.map(({ name, shards }) => [name, shards.map(({ shard }) => shard)]),
  );
}

function numbers(world: World): unknown[] {
  return world.alive.map((node) => numbersAt(world, node));
}

test('a subgroup is taken away: its epochs end, and the others go on as they were', () => {
  const world = started();
  for (const shard of [...ofMilk, ...ofBarn]) expect(world.write(shard)).toBe(true);
  world.runFor(second);
  const epochs = world.checks.newest?.shards.slice(0, 3);
  const before = ofBarn.map((shard) => world.member(1)?.machine.holders(shard));
  const change = world.changeLayout({ subgroups: [milk] });
  expect(change).toMatchObject({
    from: 1,
    to: 2,
    lines: ['the subgroup barn is taken away: persistent, 2 shards'],
    shards: ofBarn.map((shard, nth) => ({ shard, index: nth, before: before[nth], after: [] })),
  });
  expectTogether(world);
  expect(numbers(world)).toEqual(world.alive.map(() => ({ milk: ofMilk })));
  expect(world.checks.newest?.shards.slice(0, 3)).toEqual(epochs);
  world.isWriting = true;
  for (const shard of ofMilk) expect(world.write(shard)).toBe(true);
  for (const shard of ofBarn) {
    expect(world.write(shard)).toBe(false);
    for (const node of world.alive) {
      const machine = world.member(node)?.machine;
      expect(machine?.holders(shard)).toEqual([]);
      expect(machine?.senders(shard)).toEqual([]);
      expect(machine?.mayNeed(shard)).toBe(false);
      expect(machine?.layouts.hasTakenAway(shard)).toBe(true);
      // Its log may go then: nobody has to have another.
      expect(machine?.isWhole(shard)).toBe(true);
    }
    // What all had is at all who were in it: the epoch has ended in order.
    const logs = world.alive.map((node) => world.disk(node).log(shard).digest);
    expect(new Set(logs.filter((digest) => digest !== '')).size).toBe(1);
  }
});

test('a subgroup of its name that is added again is another one', () => {
  const world = started();
  for (const [nth, first] of [4, 6, 8].entries()) {
    expect(numbersAt(world, 2)).toEqual({ milk: ofMilk, barn: [first, first + 1] });
    world.changeLayout({ subgroups: [milk] });
    expectTogether(world);
    // Also when all that tells of it is on disks, and views have forgotten the place.
    if (nth === 1) {
      expect(world.checks.newest?.shards.map(({ shard }) => shard)).toEqual([1, 2, 3, 4, 5, 6, 7]);
      crashAll(world);
      startAll(world);
      expectTogether(world);
      expect(world.checks.newest?.shards.map(({ shard }) => shard)).toEqual([1, 2, 3]);
    }
    world.changeLayout({ subgroups: [milk, { ...barn, kind: 'volatile' }] });
    expectTogether(world);
    world.isWriting = true;
    expect(world.write(first + 2)).toBe(true);
  }
});

test('it stays away after a restart of all with configurations that have it', () => {
  const world = started();
  world.changeLayout({ subgroups: [barn] });
  expectTogether(world);
  crashAll(world);
  startAll(world);
  expectTogether(world);
  expect(numbers(world)).toEqual(world.alive.map(() => ({ barn: ofBarn })));
});

test('a member that was away finds it gone, with a record and a log that have it', () => {
  const world = started();
  world.crash(4);
  world.runFor(5 * second);
  world.changeLayout({ subgroups: [milk] });
  world.runFor(2 * second);
  world.boot(4);
  expectTogether(world);
  expect(numbersAt(world, 4)).toEqual({ milk: ofMilk });
  // With the others gone it is in no majority: it does not bring back what it knew.
  crashAll(world);
  startAll(world);
  expectTogether(world);
  expect(numbers(world)).toEqual(world.alive.map(() => ({ milk: ofMilk })));
});

test('the change is not lost with its leader, nor made in halves', () => {
  for (const afterMs of [0, 10, 30, 60, 100, 150, 300]) {
    const world = started([1, 2, 3], 10 + afterMs);
    world.changeLayout({ subgroups: [milk] });
    world.runFor(afterMs);
    world.crash(1);
    world.runFor(2 * second);
    world.changeLayout({ subgroups: [milk] });
    world.runFor(2 * second);
    world.boot(1);
    expectTogether(world);
    expect(numbers(world)).toEqual([1, 2, 3].map(() => ({ milk: ofMilk })));
    expect(world.changeLayout({ subgroups: [milk] })).toMatchObject({ from: 2, to: 2 });
  }
});

describe('a subgroup in which pools live', () => {
  test('is kept, and the pools are named with what to do', () => {
    const world = started();
    world.pools.add('/barn', ofBarn[0] ?? 0);
    expect(refusalOf(() => world.changeLayout({ subgroups: [milk], dryRun: true }))).toMatch(
      /INVALID_CONFIG the subgroup barn .* has the pool \/barn: Remove it .*pool rm \/barn/,
    );
    const many = Array.from({ length: 7 }, (_, nth) => `/barn/${String(nth)}`);
    for (const name of many) world.pools.add(name, ofBarn[0] ?? 0);
    world.pools.remove('/barn');
    expect(refusalOf(() => world.changeLayout({ subgroups: [milk] }))).toMatch(
      /has the pools \/barn\/0, .*, \/barn\/4 and 2 more: Remove them .* keep .*"name":"barn"/,
    );
    for (const name of many) world.pools.remove(name);
    world.changeLayout({ subgroups: [milk] });
    expectTogether(world);
    expect(numbersAt(world, 1)).toEqual({ milk: ofMilk });
  });

  test('is kept where a pool is made before the view is proposed', () => {
    const world = started();
    world.move(2);
    // Another view is on its way, so that the change waits for it.
    const isChanging = () => world.member(1)?.core.state.changing === true;
    expect(world.runUntil(isChanging, 5 * second)).toBe(true);
    world.runFor(20);
    expect(world.changeLayout({ subgroups: [milk] })).toMatchObject({ to: 2 });
    world.pools.add('/barn', ofBarn[0] ?? 0);
    expectTogether(world);
    expect(world.log.join('\n')).toContain(
      '1 info: the layout is not changed: the subgroup barn would be taken away, and has the pool',
    );
    expect(numbersAt(world, 1)['barn']).toEqual(ofBarn);
  });
});

test('places of views are given back by a restart of all, and counted until then', () => {
  const world = new World(new Layout([1, 2, 3], [milk]), 1, 2 * second);
  startAll(world);
  expectTogether(world);
  const wide: SubgroupOptions = { name: 'wide', kind: 'volatile', shards: 128, replicas: 1 };
  const more = (name: string, shards: number) => [milk, { ...wide, name, shards }];
  world.changeLayout({ subgroups: more('first', 100) });
  expectTogether(world);
  world.changeLayout({ subgroups: more('second', 100) });
  expectTogether(world);
  const left = groupLimits.shards - 203;
  expect(refusalOf(() => world.changeLayout({ subgroups: more('third', left + 2) }))).toMatch(
    /with 200 shards that were taken away .* 258, .* 256: Give 2 fewer, or stop all members/,
  );
  crashAll(world);
  startAll(world);
  expectTogether(world);
  world.changeLayout({ subgroups: more('third', left + 2) });
  expectTogether(world);
  expect(numbersAt(world, 1)['third']?.[0]).toBe(204);
});

test('numbers that are given again are noticed', () => {
  forgets.numbers = true;
  expect(isNoticed('was taken away')).toBe(true);
});

import { describe, expect, test } from 'vitest';
import { groupLimits } from '../../../platform/group/group-limits.ts';
import { Layout } from '../../../platform/group/layout.ts';
import { nodesOf } from '../../../platform/group/view-codec.ts';
import { World } from './group-world.ts';
import { settle } from './world-faults.ts';
import { areAllBack, runSlowSeed, slowDown, slowLayout } from './world-slow.ts';

const second = 1000;
const shard = 3;
const keepUpMs = 200 * groupLimits.keepUpFactor;

function start(...given: Parameters<typeof slowLayout>): World {
  const world = new World(slowLayout(...given), 1);
  for (const node of world.layout.members) world.boot(node);
  world.runFor(2 * second);
  return world;
}

function holders(world: World, at = 1, of = shard): readonly number[] {
  return [...(world.member(at)?.machine.holders(of) ?? [])].sort((a, b) => a - b);
}

function viewMembers(world: World): number {
  return world.member(1)?.core.installed?.members.length ?? 0;
}

describe('a member that holds up a shard that demotes', () => {
  test('observes it, in the same view of all, until it has kept up for a while', () => {
    const world = start(3, 'demote');
    expect(holders(world)).toEqual([1, 2, 3]);
    slowDown(world, shard, 3);
    world.runFor(second);
    expect(holders(world)).toEqual([1, 2]);
    expect(holders(world, 1, shard + 1)).toEqual([1, 2, 3]);
    expect(viewMembers(world)).toBe(3);
    const { machine } = world.member(3) ?? { machine: null };
    expect(machine?.isObserving(shard)).toBe(true);
    expect(machine?.runningEpoch(shard)).toBe(0);
    expect(machine?.status.running).toBe(true);
    expect(world.log.join('\n')).toMatch(
      /member 3 is slow in shard 0 of persistent: members .* 400 ms/,
    );
    // It follows what is written without it.
    for (let nth = 0; nth < 5; nth++) world.write(shard);
    world.runFor(500);
    expect(world.disk(3).log(shard).digest).toBe(world.disk(1).log(shard).digest);
    expect(world.disk(3).log(shard).places).toHaveLength(5);
    world.runFor(keepUpMs);
    expect(holders(world)).toEqual([1, 2, 3]);
    expect(machine?.isObserving(shard)).toBe(false);
    expect(settle(world)).toBe(true);
  });

  test('has to keep up for twice as long the next time', () => {
    const world = start(3, 'demote');
    for (const factor of [1, 2, 4]) {
      slowDown(world, shard, 2);
      world.runFor(second);
      expect(holders(world)).toEqual([1, 3]);
      world.runFor(factor * keepUpMs - 2 * second);
      expect(holders(world), `after ${String(factor)} times`).toEqual([1, 3]);
      world.runFor(3 * second);
      expect(holders(world)).toEqual([1, 2, 3]);
      world.runFor(groupLimits.lagHoldsMs);
    }
  });

  test('may be the one that leads the view, and leads on', () => {
    const world = start(3, 'demote');
    slowDown(world, shard, 1);
    world.runFor(second);
    expect(holders(world, 2)).toEqual([2, 3]);
    expect(world.member(1)?.core.leads).toBe(true);
  });

  test('is let in again by a leader that has seen nothing of it', () => {
    const world = start(4, 'demote');
    const [first = 0, ...others] = world.layout.shard(shard).members;
    slowDown(world, shard, first);
    world.runFor(500);
    const leader = first === 1 ? 2 : 1;
    world.crash(leader);
    world.runFor(second);
    expect(holders(world, first)).toEqual(others.filter((node) => node !== leader).sort());
    world.runFor(keepUpMs + second);
    expect(holders(world, first)).toContain(first);
  });

  test('stays where the shard would have fewer than its minimum', () => {
    const world = start(3, 'demote', 3);
    slowDown(world, shard, 3);
    world.runFor(second);
    expect(holders(world)).toEqual([1, 2, 3]);
  });

  test('stays while only one of two others waits for it', () => {
    const world = start(3, 'demote');
    const lag = { shard, epoch: 1, node: 3, kind: 'received', waitedMs: 900, messages: 1 } as const;
    world.member(1)?.enter({ type: 'lag', lag });
    world.runFor(second);
    expect(holders(world)).toEqual([1, 2, 3]);
    expect(world.log.join('\n')).toContain('member 3 holds up shard 3: 1 messages waited 900 ms');
  });

  test('is neither, of two that wait for each other', () => {
    const world = start(3, 'demote');
    slowDown(world, shard, 3);
    world.runFor(second);
    slowDown(world, shard, 1);
    slowDown(world, shard, 2);
    world.runFor(500);
    expect(holders(world)).toEqual([1, 2]);
  });

  test('is not what it was in an epoch that has ended', () => {
    const world = start(3, 'demote');
    slowDown(world, shard, 3);
    world.runFor(keepUpMs + 3 * second);
    expect(world.member(1)?.machine.runningEpoch(shard)).toBeGreaterThan(1);
    const lag = { shard, epoch: 1, node: 3, kind: 'received', waitedMs: 900, messages: 1 } as const;
    for (const node of [1, 2]) world.member(node)?.enter({ type: 'lag', lag });
    world.runFor(second);
    expect(holders(world)).toEqual([1, 2, 3]);
  });
});

describe('a member that holds up a shard that waits', () => {
  test('is only told', () => {
    const world = start(3, 'wait');
    slowDown(world, shard, 3);
    world.runFor(second);
    expect(holders(world)).toEqual([1, 2, 3]);
    expect(world.log.join('\n')).toContain('member 3 holds up shard 3');
  });
});

describe('a member that holds up a shard that suspects', () => {
  test('waits as long where the layout did not give it that shard, but a move did', () => {
    const slowMember = { policy: 'suspect', afterMs: 200 } as const;
    const world = new World(
      new Layout(
        [1, 2, 3, 4],
        [{ name: 'moved', kind: 'persistent', shards: 1, replicas: 3, minReplicas: 1, slowMember }],
      ),
      1,
    );
    for (const node of world.layout.members) world.boot(node);
    world.runFor(2 * second);
    const [moved] = world.layout.subgroup('moved').shards;
    const of = moved?.shard ?? 0;
    const spare = world.layout.members.find((node) => moved?.members.includes(node) === false) ?? 0;
    const at = spare === 1 ? 2 : 1;
    const inView = (): number => world.member(at)?.core.installed?.members.length ?? 0;
    expect(world.move(of)).toBe(true);
    world.runFor(2 * second);
    expect(holders(world, at, of)).toContain(spare);
    slowDown(world, of, spare);
    world.runFor(second);
    expect(inView()).toBe(3);
    world.runFor(keepUpMs + 3 * second);
    expect(inView()).toBe(4);
  });

  test.each([3, 1])('%i is left out of the view, and joins again after a while', (slow) => {
    const world = start(3, 'suspect');
    const at = slow === 1 ? 2 : 1;
    const before = world.member(slow)?.core.incarnation;
    slowDown(world, shard, slow);
    world.runFor(1.5 * second);
    expect(world.member(at)?.core.installed?.members.map(({ node }) => node)).not.toContain(slow);
    expect(world.member(slow)?.core.incarnation).not.toBe(before);
    world.runFor(keepUpMs + 2 * second);
    expect(holders(world, at)).toEqual([1, 2, 3]);
    expect(settle(world)).toBe(true);
  });

  test('stays in a view of two, which is none without it', () => {
    const world = start(2, 'suspect');
    slowDown(world, shard, 2);
    world.runFor(second);
    expect(viewMembers(world)).toBe(2);
  });
});

test('slow members beside all other faults lose nothing and come back', () => {
  for (let seed = 1; seed <= 12; seed++) {
    const world = runSlowSeed(seed);
    expect(settle(world), `seed ${String(seed)}`).toBe(true);
    const isWhole = world.runUntil(() => areAllBack(world), groupLimits.slowWaitMsMax);
    expect(isWhole, `seed ${String(seed)}: ${world.log.slice(-20).join('\n')}`).toBe(true);
    world.checks.checkEnd();
    for (const { shard: number, members } of world.layout.shards) {
      const view = world.member(1)?.core.installed ?? null;
      const core = view?.shards.find((one) => one.shard === number);
      expect(view !== null && core !== undefined && nodesOf(view, core)).toHaveLength(
        members.length,
      );
    }
  }
});

import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../platform/base/mod.ts';
import { Layout } from '../../../platform/group/layout.ts';
import { World } from './establish-world.ts';

const subgroups = [
  { name: 'volatile', kind: 'volatile', shards: 2, replicas: null },
  { name: 'persistent', kind: 'persistent', shards: 2, replicas: null },
] as const;

function newWorld(members = [1, 2, 3]): World {
  return new World(new Layout(members, subgroups));
}

function startAll(world: World): void {
  for (const node of world.layout.members) {
    world.start(node);
  }
}

/** All members of every shard run one epoch on one history. */
function expectTogether(world: World): void {
  for (const { shard, members } of world.layout.shards) {
    const epochs = members.map((node) => world.nativeEpoch(node, shard));
    expect(new Set(epochs).size, `epochs of shard ${String(shard)}`).toBe(1);
    expect(epochs[0]).toBeGreaterThan(0);
    const histories = members.map((node) => JSON.stringify(world.history(node, shard)));
    expect(new Set(histories).size, `histories of shard ${String(shard)}`).toBe(1);
    for (const node of members) {
      expect(world.machine(node).runningEpoch(shard)).toBe(epochs[0]);
    }
  }
}

describe('the start protocol', () => {
  test('brings blank members to a first view', () => {
    const world = newWorld();
    startAll(world);
    expect(world.settle()).toBe(true);
    expectTogether(world);
    expect(world.machine(3).status.view).toBe(1);
    expect(world.log).toContain('1 info: view 1 runs, 5 shards began an epoch');
  });

  test('waits for every configured member and says for whom', () => {
    const world = newWorld();
    world.start(1);
    world.start(3);
    expect(world.settle(200)).toBe(false);
    expect(world.log).toContain('1 info: waiting for member 2');
    expect(world.machine(3).status.missing).toEqual([2]);
    world.start(2);
    expect(world.settle()).toBe(true);
    expectTogether(world);
  });

  test('a cluster of one leads itself', () => {
    const world = newWorld([7]);
    world.start(7);
    expect(world.settle()).toBe(true);
    expectTogether(world);
  });

  test('the longest history wins, and everyone is filled from it', () => {
    const world = newWorld();
    startAll(world);
    world.settle();
    for (const shard of world.layout.shards) {
      world.deliver(shard);
    }
    const [, , , persistent] = world.layout.shards;
    const { shard } = persistent as { shard: number };
    world.deliverAt(2, shard);
    world.deliverAt(2, shard);
    world.kill(1);
    world.kill(2);
    world.kill(3);
    startAll(world);
    expect(world.settle()).toBe(true);
    expectTogether(world);
    expect(world.history(3, shard)).toHaveLength(3);
  });

  test('volatile shards are filled from a survivor, and empty after all are gone', () => {
    const world = newWorld();
    startAll(world);
    world.settle();
    const [, volatile] = world.layout.shards;
    const held = volatile as NonNullable<typeof volatile>;
    world.deliver(held);
    const before = world.nativeEpoch(1, held.shard);
    world.kill(2);
    world.start(2);
    expect(world.settle()).toBe(true);
    expectTogether(world);
    expect(world.history(2, held.shard)).toHaveLength(1);
    expect(world.nativeEpoch(2, held.shard)).toBeGreaterThan(before);

    [1, 2, 3].forEach((node) => {
      world.kill(node);
    });
    const beforeAll = 2;
    startAll(world);
    expect(world.settle()).toBe(true);
    expect(world.history(2, held.shard)).toHaveLength(0);
    // The numbers of a lost history are used again, its epochs are not.
    expect(world.nativeEpoch(1, held.shard)).toBeGreaterThan(beforeAll);
  });

  test('shards of members that are untouched keep their epoch', () => {
    const layout = new Layout(
      [1, 2, 3, 4],
      [{ name: 'pairs', kind: 'persistent', shards: 4, replicas: 2 }],
    );
    const world = new World(layout);
    startAll(world);
    world.settle();
    const epochs = layout.shards.map(({ shard, members }) =>
      world.nativeEpoch(members[0] as number, shard),
    );
    world.kill(4);
    world.start(4);
    expect(world.settle()).toBe(true);
    expectTogether(world);
    layout.shards.forEach(({ shard, members }, nth) => {
      const epoch = world.nativeEpoch(members[0] as number, shard);
      if (members.includes(4)) {
        expect(epoch).toBeGreaterThan(epochs[nth] as number);
      } else {
        expect(epoch).toBe(epochs[nth]);
      }
    });
  });

  test('a cut between two followers heals too', () => {
    const world = newWorld();
    startAll(world);
    world.settle();
    world.cut(2, 3);
    for (let step = 0; step < 50; step++) {
      world.step();
    }
    expect(world.isEstablished()).toBe(false);
    world.connect(2, 3);
    expect(world.settle()).toBe(true);
    expectTogether(world);
  });

  test('garbage, strangers and stale messages change nothing', () => {
    const world = newWorld();
    startAll(world);
    world.settle();
    const attempt = { leader: 99, number: 1 };
    const messages: unknown[] = [
      null,
      7,
      'seal',
      [],
      { type: 'seal' },
      { type: 'seal', attempt, shards: [1, 2, 3] },
      { type: 'prepare', attempt, view: 9, starts: [{ shard: 1, epoch: 9 }] },
      { type: 'start', attempt },
      { type: 'report', attempt, view: 1, shards: [] },
      { type: 'failed', attempt, reason: 'no reason' },
      { type: 'unheard of', attempt },
    ];
    for (const message of messages) {
      world.inject(1, 2, message);
      world.inject(2, 1, message);
      world.inject(2, 3, message);
      world.inject(3, 77, message);
    }
    expect(world.settle()).toBe(true);
    expectTogether(world);
    expect(world.machine(1).status.view).toBe(1);
    expect(world.machine(2).status.ignored).toBe(messages.length * 2);
  });

  test('a member that is configured otherwise is named, not obeyed', () => {
    const world = newWorld();
    world.start(1);
    world.start(2);
    world.inject(1, 3, {
      type: 'hello',
      incarnation: 5,
      fingerprint: 'another',
      up: [1, 2],
      disturbed: true,
    });
    world.settle(100);
    expect(world.machine(1).status.problem).toMatch(/member 3 has other members or subgroups/);
    expect(world.isEstablished()).toBe(false);
  });
});

describe('a member dying at every step', () => {
  /**
   * Runs with one kill at `step`, back after `pause` steps; then nothing acknowledged is missing.
   */
  function runWithDeath(node: number, step: number, pause: number): World {
    const world = newWorld();
    startAll(world);
    const acknowledged = new Map<number, string[]>();
    for (let at = 0; at < step; at++) {
      world.step();
      if (world.isEstablished()) {
        for (const shard of world.layout.shards) {
          const list = acknowledged.get(shard.shard) ?? [];
          list.push(JSON.stringify(world.deliver(shard)));
          acknowledged.set(shard.shard, list);
        }
      }
    }
    world.kill(node);
    for (let at = 0; at < pause; at++) {
      world.step();
    }
    world.start(node);
    expect(world.settle(), `member ${String(node)} at step ${String(step)}`).toBe(true);
    expectTogether(world);
    for (const [shard, places] of acknowledged) {
      const history = world.history(1, shard).map((place) => JSON.stringify(place));
      expect(history).toEqual(expect.arrayContaining(places));
    }
    return world;
  }

  test('of the first start', () => {
    for (const node of [1, 2, 3]) {
      for (let step = 0; step < 60; step++) {
        runWithDeath(node, step, step % 7);
      }
    }
  });

  test('of healing after another death, chosen by seeds', () => {
    for (let seed = 1; seed <= 80; seed++) {
      const random = new SeededRandom(seed);
      const world = runWithDeath(random.below(3) + 1, random.below(120), random.below(20));
      for (let round = 0; round < 3; round++) {
        const node = random.below(3) + 1;
        for (let step = random.below(60); step > 0; step--) {
          world.step();
        }
        if (random.chance(0.5)) {
          world.deliverAt(random.below(3) + 1, 4);
        }
        world.kill(node);
        for (let step = random.below(30); step > 0; step--) {
          world.step();
        }
        world.start(node);
      }
      expect(world.settle(), `seed ${String(seed)}`).toBe(true);
      expectTogether(world);
    }
  });
});

import { expect } from 'vitest';
import type { World } from './group-world.ts';
import { settle } from './world-faults.ts';

export function startAll(world: World): void {
  for (const node of world.layout.members) {
    world.boot(node);
  }
}

export function crashAll(world: World): void {
  for (const node of world.alive) {
    world.crash(node);
  }
}

/** All members are in one view, and their shards run one epoch on one history. */
export function expectTogether(world: World): void {
  expect(settle(world), world.log.slice(-20).join('\n')).toBe(true);
  for (const { shard } of world.layoutNow.shards) {
    const members = world.member(world.alive[0] ?? 0)?.machine.holders(shard) ?? [];
    const epochs = members.map((node) => world.member(node)?.machine.runningEpoch(shard) ?? 0);
    expect(new Set(epochs).size, `epochs of shard ${String(shard)}`).toBe(1);
    expect(epochs[0]).toBeGreaterThan(0);
  }
  for (const node of world.alive) {
    expect(world.member(node)?.machine.status.running).toBe(true);
  }
}

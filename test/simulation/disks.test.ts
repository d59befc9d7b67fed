/** Disks that fail while views change: whole members, stepped from one event heap. */
import { expect, test } from 'vitest';
import { type Act, seedDefaults, Simulation } from './world.ts';

const simulation = new Simulation();

async function expectClean(script: readonly Act[]): Promise<void> {
  for (const seed of [1, 2, 3]) {
    const options = { ...seedDefaults, seconds: 20, operations: 1500, faults: 0, members: 3, seed };
    const result = await simulation.run({ ...options, shards: 4, script });
    expect(result.violations, `seed ${String(seed)}`).toBe('');
  }
}

test('a joiner whose disk fails before it has prepared holds nobody up', async () => {
  await expectClean([
    { atMs: 5000, do: 'kill', node: 3, forMs: 2000 },
    { atMs: 5500, do: 'fail-disk', node: 3, forMs: 6000, step: 'tailing' },
    { atMs: 11_000, do: 'without', node: 3, forMs: 700 },
  ]);
});

test('a member whose disk fails is left out, and is there again by itself', async () => {
  await expectClean([
    { atMs: 5000, do: 'fail-disk', node: 2, forMs: 5000 },
    { atMs: 8000, do: 'without', node: 2, forMs: 700 },
  ]);
});

test('two of three whose disks fail at once are there again by themselves', async () => {
  await expectClean([
    { atMs: 5000, do: 'fail-disk', node: 1, forMs: 3000 },
    { atMs: 5100, do: 'fail-disk', node: 2, forMs: 5000 },
  ]);
});

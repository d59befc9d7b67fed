/**
 * A view that removes members is on its way when one dies that it needs. Of the view that runs a
 * majority lives, those who were to be removed among them: it goes on, and does not wait for the
 * dead one, which stays away for longer than the script looks.
 */
import { expect, test } from 'vitest';
import { type Act, seedDefaults, Simulation } from './world.ts';

const simulation = new Simulation();
// Something is under way when the connections go: without it nobody would be removed.
const seeds = [1, 2, 3, 4, 5, 7];
const awayMs = 9000;

interface Loss {
  readonly members: number;
  /** Their connections are lost, for a moment. */
  readonly removed: readonly number[];
  readonly dies: number;
}

/** The trim is decided then, and waits for leases: nobody has prepared. */
async function expectGoesOn({ members, removed, dies }: Loss): Promise<void> {
  const script: Act[] = [
    ...removed.map((node): Act => ({ atMs: 6000, do: 'drop', node, forMs: 0 })),
    { atMs: 6001, do: 'kill', node: dies, forMs: awayMs, step: 'trimmed' },
    { atMs: 12_500, do: 'without', node: dies, forMs: 900 },
  ];
  for (const seed of seeds) {
    const given = { seconds: 18, operations: 900, faults: 0, moves: 0, shards: 2 };
    const result = await simulation.run({ ...seedDefaults, ...given, members, seed, script });
    expect([result.violations, result.restarts], `seed ${String(seed)}`).toEqual(['', 1]);
  }
}

test('one of the two that would go on dies', async () => {
  await expectGoesOn({ members: 3, removed: [3], dies: 2 });
});

test('the one that put the view forward dies', async () => {
  await expectGoesOn({ members: 3, removed: [3], dies: 1 });
});

test('one of the three of five that would go on dies', async () => {
  await expectGoesOn({ members: 5, removed: [4, 5], dies: 2 });
});

import { describe, expect, test } from 'vitest';
import { Totals } from './seeds.ts';
import { type Act, type Canary, seedDefaults, type SeedOptions, Simulation } from './world.ts';
import type { WorldResult } from './world-addon.ts';

const simulation = new Simulation();

/** Shorter than a seed of `npm run sim`, which CI runs beside these. */
const short: Omit<SeedOptions, 'seed'> = {
  ...seedDefaults,
  members: 3,
  seconds: 20,
  operations: 1000,
};

function run(given: Partial<SeedOptions> & { readonly seed: number }): Promise<WorldResult> {
  return simulation.run({ ...short, ...given });
}

test('the same seed gives the same trace, another one another', async () => {
  const first = await run({ seed: 7 });
  const again = await run({ seed: 7 });
  const other = await run({ seed: 8 });
  expect(again).toEqual(first);
  expect(other.trace).not.toBe(first.trace);
});

test('clusters without faults answer everything', async () => {
  const totals = new Totals();
  for (const members of [2, 3, 5]) {
    const result = await run({ seed: members, members, faults: 0 });
    expect(result.violations).toBe('');
    totals.add(result);
  }
  expect(totals.operations).toBeGreaterThanOrEqual(3000);
  expect(totals.restarts).toBe(3);
  expect(totals.undone).toBe(0);
});

test('clusters under faults keep what they promise', async () => {
  const totals = new Totals();
  for (let seed = 1; seed <= 12; seed++) {
    const result = await run({ seed, members: null });
    expect(result.violations, `seed ${String(seed)}`).toBe('');
    totals.add(result);
  }
  expect(totals.faults).toBeGreaterThanOrEqual(36);
  expect(totals.views).toBeGreaterThan(36);
  expect(totals.deliveries).toBeGreaterThan(6000);
});

test('16 members with 64 shards come to rest after faults', async () => {
  const result = await run({
    seed: 3,
    members: 16,
    shards: 64,
    seconds: 6,
    operations: 100,
    faults: 3,
  });
  expect(result.violations).toBe('');
});

/** Runs that a rarer canary may take; each is found before. */
const canaryRuns = 60;

/** A broken rule, where it shows, and what the checker of it says. */
const canaries: readonly (readonly [Canary, Partial<SeedOptions>, RegExp])[] = [
  // One order, and one history at the start of an epoch.
  ['prepare-early', { members: null }, /begins epoch \d+ without what was delivered/],
  // One sequence of views.
  ['forgotten-views', { script: [power(8000)] }, /view 1 at node \d+: another one of this number/],
  // What was acknowledged is durable.
  [
    'lying-disks',
    {
      members: 1,
      seconds: 16,
      operations: 500,
      script: [8000, 11_000, 14_000].map((atMs) => power(atMs)),
    },
    /was (acknowledged as persisted|shown)/,
  ],
  // Reads are current ...
  ['no-lease', { members: null, operations: 3000, faults: 8 }, /was read after \d+ was shown/],
  // ... and what clients saw has one order of time.
  ['stale-keys', { faults: 0 }, /the history of key\/\d+ of shard \d+ is not linearizable/],
  // A retry is applied once.
  ['forgotten-sessions', { members: null }, /what was put is applied twice/],
  // What was asked is answered, once the faults have ended.
  ['forgotten-wakes', { members: null }, /not at rest long after the last fault/],
];

function power(atMs: number): Act {
  return { atMs, do: 'power', node: 'all', forMs: 300 };
}

describe('a broken rule is found', () => {
  test.each(canaries)('%s', async (canary, given, what) => {
    let found = '';
    let seed = 0;
    for (let runs = 0; runs < canaryRuns && !what.test(found); runs++) {
      seed++;
      found = (await run({ ...given, seed, canary })).violations;
    }
    expect(found).toMatch(what);
    const whole = await run({ ...given, seed });
    expect(whole.violations).toBe('');
  });
});

import { expect, test } from 'vitest';
import { hasGaps, Totals } from './seeds.ts';
import { worldSteps } from './world-addon.ts';
import { seedDefaults, type SeedOptions, type SeedResult, Simulation } from './world.ts';

const simulation = new Simulation();

/** Shorter than a seed of `npm run sim`, which CI runs beside these. */
const short: Omit<SeedOptions, 'seed'> = {
  ...seedDefaults,
  members: 3,
  seconds: 20,
  operations: 1000,
};

function run(given: Partial<SeedOptions> & { readonly seed: number }): Promise<SeedResult> {
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
  // Slow members were acted upon, and shards of raw delivery had something to do.
  expect(totals.accused).toBeGreaterThan(0);
  expect(totals.answeredInExtras).toBeGreaterThan(100);
  expect(totals.rawAnswered).toBeGreaterThan(1000);
});

test('clusters whose members have a catalog keep what it promises', async () => {
  const totals = new Totals();
  for (let seed = 1; seed <= 8; seed++) {
    const result = await run({ seed, members: null, seconds: 40, catalog: true });
    expect(result.violations, `seed ${String(seed)}`).toBe('');
    totals.add(result);
  }
  const { made, removed, settings, values, keys } = totals.pools;
  expect(made).toBeGreaterThan(60);
  expect(removed).toBeGreaterThan(30);
  expect(settings).toBeGreaterThan(30);
  expect(values).toBeGreaterThan(10);
  expect(keys).toBeGreaterThan(10);
  const again = await run({ seed: 3, catalog: true });
  expect(await run({ seed: 3, catalog: true })).toEqual(again);
});

test.each([
  { seed: 5, gone: 4, cut: 5 },
  { seed: 10, gone: 3, cut: 2 },
  { seed: 10, gone: 4, cut: 5 },
])(
  'a shard that is begun anew has nobody who answers for the old one ($seed: $gone, $cut)',
  async ({ seed, gone, cut }) => {
    const script = [
      { atMs: 5000, do: 'kill', node: gone, forMs: 3500 },
      { atMs: 6500, do: 'isolate', node: cut, forMs: 5000 },
    ] as const;
    const given = { members: 5, shards: 6, seconds: 15, operations: 2000, faults: 0 };
    const result = await run({ ...given, seed, script });
    expect(result.violations).toBe('');
    // The member that was killed came back without what the other one has.
    expect(result.undone).toBeGreaterThan(0);
  },
);

test('who watches a shard that is begun anew is told so', async () => {
  const script = [
    { atMs: 5000, do: 'kill', node: 3, forMs: 3500 },
    { atMs: 6500, do: 'isolate', node: 2, forMs: 5000 },
  ] as const;
  const given = { members: 5, shards: 6, replicas: 2, seconds: 15, operations: 2000, faults: 0 };
  const result = await run({ ...given, seed: 4, script });
  expect(result.violations).toBe('');
  expect(result.undone).toBeGreaterThan(0);
});

test('16 members with 64 shards come to rest after faults', async () => {
  const result = await run({
    seed: 3,
    members: 16,
    shards: 64,
    seconds: 6,
    operations: 100,
    faults: 2,
  });
  expect(result.violations).toBe('');
});

test('a long run in which a fault met no member in a step fails', () => {
  const options = { ...seedDefaults, first: 1, count: Infinity, minutes: 60 };
  const totals = new Totals();
  totals.table.fill(1);
  totals.seeds = 3 * totals.table.length;
  expect(hasGaps(options, totals)).toBe(false);
  totals.table[7] = 0;
  expect(hasGaps(options, totals)).toBe(true);
  // Not one whose faults were not its own to draw.
  expect(hasGaps({ ...options, faults: 0 }, totals)).toBe(false);
  // A shorter one may leave out a cell or two, but no step and no fault.
  totals.seeds--;
  expect(hasGaps(options, totals)).toBe(false);
  totals.table.fill(0, 0, worldSteps.length);
  expect(hasGaps(options, totals)).toBe(true);
  totals.seeds = totals.table.length - 1;
  expect(hasGaps(options, totals)).toBe(false);
});

/** Every checker of the simulation notices that its rule is broken, in a build of its own. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { repositoryRoot } from '../support/repository.ts';
import { type Act, seedDefaults, type SeedOptions, Simulation } from './world.ts';
import { type Canary, coreRules } from './world-canaries.ts';

const product = new Simulation();
const breaking = new Simulation({ withCanaries: true });

const short: Omit<SeedOptions, 'seed'> = {
  ...seedDefaults,
  members: 3,
  seconds: 20,
  operations: 1000,
};

/** One member after the other loses all its connections, and has none for a while. */
const partitions: Partial<SeedOptions> = {
  operations: 3000,
  script: [3, 1, 2].flatMap((node, nth): Act[] => {
    const atMs = 6000 + nth * 4000;
    return [
      { atMs, do: 'isolate', node, forMs: 1500 },
      { atMs, do: 'drop', node, forMs: 0 },
    ];
  }),
};

/** Shards are moved all the time, and always somebody hears nothing of it for a moment. */
const movesToTheDeaf: Partial<SeedOptions> = {
  members: 5,
  operations: 300,
  moves: 100,
  script: Array.from({ length: 21 }, (_, nth): Act => {
    return { atMs: 4000 + nth * 700, do: 'deafen', node: 1 + ((nth * 3) % 5), forMs: 350 };
  }),
};

/** A member is lost, and the view without it is held up by another one. */
const heldUp: Partial<SeedOptions> = {
  members: 6,
  shards: 7,
  replicas: 2,
  script: [
    { atMs: 6000, do: 'kill', node: 6, forMs: 9000 },
    { atMs: 6000, do: 'pause', node: 5, forMs: 950, step: 'trimmed' },
    { atMs: 6600, do: 'others', node: 6, forMs: 300 },
  ],
};

/** Nothing is on disk for long after it was delivered, and then it is lost. */
const slowDisks: Partial<SeedOptions> = {
  shards: 2,
  catalog: false,
  operations: 3000,
  seed: 555,
  script: [6000, 9000, 12_000, 15_000].flatMap((atMs): Act[] => [
    { atMs, do: 'slow-disk', node: 'all', forMs: 2000 },
    power(atMs + 1500),
  ]),
};

/** Whoever has it on disk before the others is away when they begin again. */
const oneQuickDisk: Partial<SeedOptions> = {
  operations: 2000,
  seconds: 40,
  script: [
    ...[2, 3].map((node): Act => ({ atMs: 6000, do: 'slow-disk', node, forMs: 3000 })),
    ...[1, 2, 3].map((node): Act => {
      return { atMs: 7500, do: 'power', node, forMs: node === 1 ? 8000 : 300 };
    }),
  ],
};

/** A shard loses both of its members, one after the other; one comes back without its memory. */
const begunAnew: Partial<SeedOptions> = {
  members: 5,
  shards: 6,
  replicas: 2,
  operations: 2000,
  faults: 0,
  seed: 4,
  script: [
    { atMs: 5000, do: 'kill', node: 3, forMs: 3500 },
    { atMs: 6500, do: 'isolate', node: 2, forMs: 5000 },
  ],
};

const pools: Partial<SeedOptions> = { catalog: true, seconds: 60, operations: 5000 };

/** Always some event loop stands still, and goes on with a catalog that is behind. */
const staleCatalogs: Partial<SeedOptions> = {
  ...pools,
  script: Array.from({ length: 70 }, (_, nth): Act => {
    return { atMs: 4000 + nth * 800, do: 'stall', node: 1 + (nth % 3), forMs: 700 };
  }),
};

/** Runs that a rarer canary may take; each is found before. */
const canaryRuns = 60;

/**
 * A broken rule, where it shows, and what the checker of it says. The rarer ones begin at the seed
 * that finds them.
 */
const canaries: readonly (readonly [Canary, Partial<SeedOptions>, RegExp])[] = [
  // One order, and one history at the start of an epoch.
  ['prepare-early', { members: null, seed: 40 }, /begins epoch \d+ without what was delivered/],
  ['skip', {}, /two records for one version/],
  [
    'no-trim',
    { members: null, seed: 8 },
    /begins epoch \d+ (after another history|without what was delivered)/,
  ],
  ['one-time', {}, /time stands still/],
  // One sequence of views.
  ['minority', partitions, /another one of this number/],
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
  ['persist-early', oneQuickDisk, /was (acknowledged as persisted|shown)/],
  // What was shown as stable stays.
  ['early-stable', slowDisks, /begins with version \d+, but \d+ was shown/],
  // Values come back byte for byte.
  ['reused-values', {}, /has bytes that nobody put/],
  // Reads are current ...
  ['no-lease', partitions, /was read after \d+ was shown/],
  ['no-gate', partitions, /was read after \d+ was shown/],
  ['read-at-once', { members: null }, /was read after \d+ was shown/],
  // ... and what clients saw has one order of time.
  ['stale-keys', { faults: 0 }, /the history of key\/\d+ of shard \d+ is not linearizable/],
  // A retry is applied once.
  ['forget-sessions', { members: null }, /what was put is applied twice/],
  ['unstamped-calls', { members: null, seed: 60 }, /what was put is applied twice/],
  // Watchers are told everything, once.
  ['skipped-event', { seed: 4 }, /version \d+ watched at node \d+: \d+ is due/],
  ['untold-gap', begunAnew, /version \d+ watched at node \d+: \d+ is due/],
  // Reads of the past find all that was there then, and nothing else.
  ['short-history', { seed: 1 }, /the history of key\/\d+ from \d+ to \d+ lacks version \d+/],
  ['unpinned-scan', { seed: 1 }, /(objects|versions) from \d+ to \d+ (has|lacks) version \d+/],
  // Members' catalogs hold what their shard does ...
  ['split-batch', pools, /the catalog at node \d+, version \d+: lacks/],
  // ... a name is made once, and calls are answered with what is so ...
  ['unconditional-pool', pools, /version \d+ of the catalog: \/system\/pools\S+ is made twice/],
  ['early-pool', pools, /(pool|setting) .* is not in the catalog/],
  ['stale-catalog', pools, /pool \S+ at node \d+ (exists|is unknown) as the answer says/],
  ['uncoded-refusal', pools, /a call for the catalog at node \d+: cannot be removed/],
  ['unanswered-pool', pools, /unanswered: call \d+ for the catalog/],
  // ... removed pools take nothing and stay away with what was in them, subgroups with pools stay.
  ['unswept-pool', pools, /\S+ at node \d+ has value \d+ of a pool that was removed/],
  ['hasty-removal', { ...pools, seed: 26 }, /\/system\/pools\S+ went before what it had left/],
  ['forgotten-removal', pools, /\S+ at node \d+ has value \d+, which was removed as version \d+/],
  [
    'open-pools',
    { ...staleCatalogs, seed: 20 },
    /(value \d+ was put into|\S+ was removed from) \S+, which had been removed/,
  ],
  ['unclosed-subgroup', { ...pools, seed: 11 }, /is made twice|has lost its subgroup extra/],
  // What raw delivery promises.
  ['raw-twice', { members: null }, /comes twice/],
  // Shards whose members stay go on while the view changes.
  ['wedge-all', heldUp, /shard \d+ at node \d+ answered no put until the view without node 6/],
  // Nothing is written to who has no memory for it.
  ['no-hold', { members: null }, /stopped: length of node/],
  // Who waits for a subgroup that was taken away is noticed ...
  ['untold-removal', { members: null, seed: 20 }, /not at rest long after the last fault/],
  // ... views go on, and what was asked is answered, once the faults have ended.
  ['commit-early', movesToTheDeaf, /not at rest long after the last fault/],
  ['no-nulls', { members: null }, /not at rest long after the last fault/],
  ['forgotten-wakes', { members: null }, /not at rest long after the last fault/],
];

function power(atMs: number): Act {
  return { atMs, do: 'power', node: 'all', forMs: 300 };
}

describe('a broken rule is found', () => {
  test.each(canaries)('%s', async (canary, given, what) => {
    let found = '';
    let seed = (given.seed ?? 1) - 1;
    for (let runs = 0; runs < canaryRuns && !what.test(found); runs++) {
      seed++;
      found = (await breaking.run({ ...short, ...given, seed, canary })).violations;
    }
    expect(found).toMatch(what);
    const whole = await product.run({ ...short, ...given, seed });
    expect(whole.violations).toBe('');
  });
});

test('a rule of the core has one number', () => {
  const header = readFileSync(join(repositoryRoot, 'native/core/canary.h'), 'utf8');
  const listed = /enum class CoreCanary[^{]*\{(.*?)\n\};/s.exec(header)?.[1] ?? '';
  const names = [...listed.matchAll(/^ *k(\w+),/gm)].map(([, name = '']) =>
    name.replaceAll(/(?<!^)([A-Z])/g, '-$1').toLowerCase(),
  );
  expect(names).toEqual(coreRules);
});

test("what breaks no rule does as the product's build", async () => {
  const options = { ...short, members: null, seed: 5 };
  expect(await breaking.run(options)).toEqual(await product.run(options));
});

test("the product's build has no rule to break", async () => {
  const options = { ...short, seed: 1, canary: 'minority' } as const;
  await expect(product.run(options)).rejects.toThrow(/breaks no rule/);
});

import { expect, test } from 'vitest';
import {
  checkCausal,
  checkContinuity,
  checkFifo,
  checkOnce,
  checkRest,
  checkSynchrony,
  checkViews,
  flushProblem,
} from './cast-checks.ts';
import { CastWorld, type Faults } from './cast-world.ts';

const checks = {
  checkOnce,
  checkFifo,
  checkCausal,
  checkSynchrony,
  checkViews,
  checkContinuity,
  checkRest,
};
const seeds = 150;
/** A newcomer was alone in knowing how a view had ended, and did not tell it on. */
const pastFaults = [10, 16, 1040, 2118, 2207, 2358];

/** What is wrong in the world of a seed, by the names of the checks. */
function findProblems(seed: number, faults: Faults = {}): string[] {
  const world = new CastWorld(seed, faults);
  const found: string[] = [];
  world.onFlushed = (process, names) => {
    const problem = flushProblem(world, process, names);
    if (problem !== null) found.push(`checkFlush: ${problem}`);
  };
  world.run();
  for (const [name, check] of Object.entries(checks)) {
    const problem = check(world);
    if (problem !== null) found.push(`${name}: ${problem}`);
  }
  return found.map((problem) => `${problem} (seed ${String(seed)})`);
}

function isFoundBy(check: string, faults: Faults): boolean {
  for (let seed = 0; seed < seeds; seed++) {
    if (findProblems(seed, faults).some((problem) => problem.startsWith(check))) return true;
  }
  return false;
}

test('channels of many seeds keep what they promise', () => {
  const all = [...Array.from({ length: seeds }, (_, seed) => seed), ...pastFaults];
  expect(all.flatMap((seed) => findProblems(seed))).toEqual([]);
});

test('worlds hold what the rules are for', () => {
  const counts = { continuous: 0, discontinuous: 0, delivered: 0, flushed: 0 };
  for (let seed = 0; seed < 20; seed++) {
    const world = new CastWorld(seed);
    world.run();
    for (const event of world.processes.flatMap(({ trace }) => trace)) {
      if (event.type === 'view') counts[event.continuous ? 'continuous' : 'discontinuous']++;
      else if (event.type !== 'sent') counts[event.type]++;
    }
  }
  expect(Object.values(counts).filter((count) => count < 50)).toEqual([]);
});

const more = (floors: readonly number[]): readonly number[] => floors.map((floor) => floor + 3);

/** A broken rule, and the check that finds it. */
const canaries: readonly (readonly [string, string, Faults])[] = [
  [
    'a vector timestamp that looks at its sender alone',
    'checkCausal',
    { causal: (cast, rank, delivered) => cast.clock[rank] === (delivered[rank] ?? 0) + 1 },
  ],
  [
    'a vector timestamp that does not look at its sender',
    'checkCausal',
    {
      causal: (cast, rank, delivered) =>
        cast.clock.every((count, at) => at === rank || count <= (delivered[at] ?? 0)),
    },
  ],
  [
    'fbcasts that are delivered as they come',
    'checkFifo',
    {
      spoil: (message) =>
        message.type === 'cast' && message.cast.order === 'fbcast'
          ? { ...message, cast: { ...message.cast, order: 'mcast' } }
          : message,
    },
  ],
  [
    'flushes that hold nothing',
    'checkSynchrony',
    { spoil: (message) => (message.type === 'flush' ? { ...message, casts: [] } : message) },
  ],
  [
    'ends of views that are not told on',
    'checkContinuity',
    { spoil: (message) => (message.type === 'flush' ? { ...message, closings: [] } : message) },
  ],
  [
    'members that tell what they only received as delivered',
    'checkFlush',
    {
      spoil: (message) =>
        message.type === 'ack' ? { ...message, delivered: message.received } : message,
    },
  ],
  [
    'members that tell more than they received',
    'checkSynchrony',
    {
      spoil: (message) =>
        message.type === 'ack' ? { ...message, received: more(message.received) } : message,
    },
  ],
];

test.each(canaries)('%s: found by %s', (_what, check, faults) => {
  expect(isFoundBy(check, faults)).toBe(true);
});

import { expect, test } from 'vitest';
import { expectClean, kill } from './scripted.ts';
import type { Act } from './world.ts';

test('a member whose event loop stands still while its threads live is left out, and comes back', async () => {
  const script: Act[] = [
    { atMs: 8000, do: 'stall', node: 3, forMs: 9000 },
    // The loop is waited for 5 s, then the view changes; the shards of the others go on in it.
    { atMs: 15_000, do: 'without', node: 3, forMs: 2500 },
  ];
  const results = await expectClean({ members: 3, script, operations: 3000, seconds: 25 });
  for (const { restarts, views } of results) {
    expect(restarts).toBe(1);
    expect(views).toBeGreaterThanOrEqual(1 + 2);
  }
});

test.each(['filling', 'tailing'] as const)(
  'who gives a member that joins its shards dies midway (%s): another one does',
  async (step) => {
    // Shards are given by the first member that runs them: who leads the view.
    const script: Act[] = [
      { atMs: 6000, do: 'wipe', node: 5, forMs: 600 },
      { atMs: 6000, do: 'behead', node: 5, forMs: 7000, step },
    ];
    const results = await expectClean({ members: 5, script, operations: 1500 });
    for (const { restarts, undone } of results) expect([restarts, undone]).toEqual([1, 0]);
  },
);

// Whoever is paused in that step, for less than makes it silent, is waited for: the view without
// node 6 is not put forward, or not prepared. Leases would have ended twice meanwhile.
test.each([
  ['suspecting', 5],
  ['trimmed', 5],
  ['delivering', 5],
  ['trimmed', 'leader'],
  ['delivering', 'leader'],
] as const)(
  'shards whose members stay take puts and give reads while a view is on its way (%s, %s)',
  async (step, node) => {
    const script: Act[] = [
      kill(6000, 6, 9000),
      { atMs: 6000, do: 'pause', node, forMs: 950, step },
      { atMs: 6600, do: 'others', node: 6, forMs: 300 },
    ];
    const wide = { members: 6, shards: 7, replicas: 2 };
    await expectClean({ ...wide, script, operations: 1500, seconds: 20 });
  },
);

// All but node 5 are to be in the next view. Node 4 is cut off in the middle of its trims, so the
// others install the view while they suspect it; then too few of them are left for the view after.
test('who was cut off while a view came about fetches the ends of its epochs', async () => {
  const script: Act[] = [
    kill(8000, 5, 14_000),
    { atMs: 8000, do: 'isolate', node: 4, forMs: 3500, step: 'trimmed' },
    { atMs: 8000, do: 'isolate', node: 2, forMs: 4000, step: 'committed' },
  ];
  const results = await expectClean({ members: 5, script, operations: 3000, seconds: 25 });
  for (const { fetchedEnds, restarts, undone } of results) {
    expect(fetchedEnds).toBeGreaterThan(0);
    expect([restarts, undone]).toEqual([1, 0]);
  }
});

import { expect, test } from 'vitest';
import { expectClean } from './scripted.ts';
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

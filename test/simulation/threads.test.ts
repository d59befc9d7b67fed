/**
 * The threads of Derecho's repository that concern its protocols, each as what it was about, over
 * whole members: by the number of the thread. test/README.md says which ones are shown elsewhere.
 */
import { expect, test } from 'vitest';
import { everyone, expectClean, kill } from './scripted.ts';
import type { Act } from './world.ts';

const second = 1000;

test('thread 11: more members join at once than there are', async () => {
  const gone = [5, 4, 3].map((node, nth) => kill(5000 + nth * 2 * second, node, 8 * second));
  // Back at one moment, to a view of two.
  const script = gone.map((act, nth) => ({ ...act, forMs: 8000 - nth * 2000 }));
  const results = await expectClean({ members: 5, script });
  for (const { views, restarts } of results) {
    expect(restarts).toBe(1);
    expect(views).toBeGreaterThanOrEqual(1 + 3 + 3);
  }
});

test('thread 18: who joins gets what was written meanwhile', async () => {
  const [first] = await expectClean({ members: 3, script: [kill(6000, 2, 6 * second)] });
  expect(first?.undone).toBe(0);
});

test('thread 64: a member comes back under its id, again and again', async () => {
  const script = [5, 7, 9, 11].map((at) => kill(at * second, 2, 150));
  await expectClean({ members: 3, script });
});

test('thread 71: members fail before there is a first view', async () => {
  const script = [kill(300, 2, 700), kill(900, 3, 900), kill(1500, 1, 1200)];
  await expectClean({ members: 3, script });
});

test('thread 75: what is ordered reaches every replica, also of who was away', async () => {
  const script: Act[] = [
    { atMs: 6000, do: 'pause', node: 1, forMs: 900 },
    { atMs: 8000, do: 'isolate', node: 2, forMs: 1500 },
    { atMs: 11_000, do: 'drop', node: 3, forMs: 0 },
  ];
  await expectClean({ members: 3, script });
});

test.each(['wedged', 'trimmed', 'delivering'] as const)(
  'thread 104: nobody acts on a trim that a later leader cannot find (%s)',
  async (step) => {
    const script = [kill(6000, 5, 9000), kill(6000, 'leader', 7000, step)];
    const results = await expectClean({ members: 5, script });
    for (const { restarts, undone } of results) expect([restarts, undone]).toEqual([1, 0]);
  },
);

test.each(['filling-mine', 'recording', 'ready', 'beginning'] as const)(
  'thread 106: a restart view begins only after all are filled (%s)',
  async (step) => {
    const script: Act[] = [
      { atMs: 7000, do: 'wipe', node: 3, forMs: 500 },
      ...everyone(2, (node) => ({ atMs: 7000, do: 'power', node, forMs: 500 })),
      kill(7100, 'all', 800, step),
    ];
    await expectClean({ members: 3, script });
  },
);

test.each(['prepared', 'committed'] as const)(
  'thread 126: the leader dies once a member has acknowledged its view (%s)',
  async (step) => {
    const script: Act[] = [
      kill(6000, 5, 9000),
      { atMs: 6000, do: 'behead', node: 4, forMs: 7000, step },
    ];
    const results = await expectClean({ members: 5, script });
    for (const { restarts, undone } of results) expect([restarts, undone]).toEqual([1, 0]);
  },
);

test('thread 150: event loops that stand still hide no failure', async () => {
  const script: Act[] = [
    { atMs: 8000, do: 'stall', node: 'all', forMs: 2000 },
    kill(8200, 2, 5000),
    { atMs: 9950, do: 'without', node: 2, forMs: 700 },
  ];
  await expectClean({ members: 3, script, operations: 1500 });
});

test('thread 195: connections come and go beside deliveries', async () => {
  const script = Array.from({ length: 20 }, (_, nth): Act => {
    return { atMs: 5000 + nth * 400, do: 'drop', node: 1 + (nth % 3), forMs: 0 };
  });
  await expectClean({ members: 3, script, operations: 1500 });
});

test('thread 213: all members start at once, unsynchronised', async () => {
  const script = everyone(7, (node) => ({
    atMs: 6000 + node,
    do: 'kill',
    node,
    forMs: 300 * node,
  }));
  await expectClean({ members: 7, script });
});

test('thread 222: a group of one member works, and restarts', async () => {
  const script: Act[] = [{ atMs: 6000, do: 'power', node: 1, forMs: 500 }];
  const results = await expectClean({ members: 1, script });
  for (const { restarts } of results) expect(restarts).toBe(2);
});

test('thread 252: a fresh disk takes part in a total restart', async () => {
  const script: Act[] = [
    { atMs: 6000, do: 'wipe', node: 2, forMs: 600 },
    ...[1, 3].map((node): Act => ({ atMs: 6000, do: 'power', node, forMs: 500 })),
  ];
  await expectClean({ members: 3, script });
});

test('thread 289: clocks that step keep members out, and leave times in order', async () => {
  const script: Act[] = [
    { atMs: 5000, do: 'clock', node: 1, forMs: -30_000 },
    kill(5100, 1, 400),
    { atMs: 7000, do: 'clock', node: 1, forMs: 30_000 },
    { atMs: 9000, do: 'clock', node: 2, forMs: 40_000 },
    kill(9100, 2, 400),
    { atMs: 11_000, do: 'clock', node: 2, forMs: -40_000 },
  ];
  await expectClean({ members: 3, script });
});

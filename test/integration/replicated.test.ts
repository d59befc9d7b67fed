import { afterEach, describe, expect, test } from 'vitest';
import type { LocalCluster } from '../../platform/local-cluster.ts';
import type { ProgramCluster } from '../../platform/member/mod.ts';
import type { calls } from '../support/bank-program.ts';
import { startProgram } from '../support/cluster.ts';
import { tempFolder } from '../support/mod.ts';

let running: LocalCluster | null = null;

afterEach(async () => {
  await running?.close();
  running = null;
});

type Bank = ProgramCluster<typeof calls>;

async function start(folder: string, members = 3, config: object = {}): Promise<Bank> {
  const { cluster, program } = await startProgram<typeof calls>(
    folder,
    'test/support/bank-program.ts',
    members,
    { ...config },
  );
  running = cluster;
  return program;
}

async function open(bank: Bank, ids: readonly number[], options: object = {}): Promise<void> {
  const settings = { ...ledger, ...options };
  await Promise.all(ids.map((id) => bank.call(id, 'open', settings)));
}

/** The ledgers of members, once they have `count` entries each. */
async function ledgersOf(bank: Bank, ids: readonly number[], count: number) {
  const found: (readonly string[])[] = [];
  for (const node of ids) {
    let entries: readonly string[] = [];
    while (entries.length < count) {
      entries = await bank.call(node, 'entries', { name, node });
    }
    found.push(entries);
  }
  return found;
}

const name = '/bank/ledger';
const ledger = { name, kind: 'persistent', snapshotCalls: 1000 } as const;
const textsOf = (entries: readonly string[]) => entries.map((entry) => entry.split(' ')[0]).sort();
const numbered = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, nth) => `${prefix}${String(nth)}`);

describe.each(['volatile', 'persistent'] as const)('a %s object', (kind) => {
  test('runs every call at every member, in one order, alike', async () => {
    const bank = await start(await tempFolder('replicated'));
    await open(bank, bank.ids, { kind });
    expect(await bank.call(1, 'add', { name, text: 'first' })).toBe(1);
    expect(await bank.call(2, 'add', { name, text: 'second' })).toBe(2);
    await Promise.all(
      bank.ids.map(async (id) => {
        await bank.call(id, 'addMany', { name, prefix: `m${String(id)}-`, count: 100 });
        await bank.call(id, 'whenAdded');
      }),
    );
    const [one, two, three] = await ledgersOf(bank, bank.ids, 302);
    expect(one).toHaveLength(302);
    expect(two).toEqual(one);
    expect(three).toEqual(one);
    // Every member's results, and the method that throws does so at all of them.
    const everywhere = new Map(await bank.call(3, 'everywhere', { name, text: 'all' }));
    const counted = { ok: true, value: 303 };
    expect(everywhere).toEqual(new Map(bank.ids.map((id) => [id, counted])));
    await expect(bank.call(2, 'fail', { name, text: 'broke' })).rejects.toMatchObject({
      code: 'CALL_FAILED',
      message: 'broke',
    });
    const after = await ledgersOf(bank, bank.ids, 304);
    expect(after.map((entries) => entries.at(-1))).toEqual(Array(3).fill('failed broke'));
  });

  test('loses and repeats no call when a member is killed, which then catches up', async () => {
    const bank = await start(await tempFolder('replicated'));
    await open(bank, bank.ids, { kind, snapshotCalls: 50 });
    for (const id of [1, 2]) {
      await bank.call(id, 'addMany', { name, prefix: `m${String(id)}-`, count: 400 });
    }
    await ledgersOf(bank, [1], 100);
    await bank.kill(3);
    await Promise.all([1, 2].map((id) => bank.call(id, 'whenAdded')));
    await bank.start(3);
    await open(bank, [3], { kind, snapshotCalls: 50 });
    const [one, two, three] = await ledgersOf(bank, bank.ids, 800);
    expect(textsOf(one ?? [])).toEqual([...numbered('m1-', 400), ...numbered('m2-', 400)].sort());
    expect(two).toEqual(one);
    expect(three).toEqual(one);
    expect(await bank.call(3, 'add', { name, text: 'again' })).toBe(801);
  });
});

test('a persistent object is as it was when all members were killed at once', async () => {
  const folder = await tempFolder('replicated');
  const bank = await start(folder);
  await open(bank, bank.ids, { snapshotCalls: 30 });
  await bank.call(2, 'addMany', { name, prefix: 'kept-', count: 100 });
  await bank.call(2, 'whenAdded');
  const [before] = await ledgersOf(bank, [2], 100);
  await Promise.all(bank.ids.map((id) => bank.kill(id)));
  await Promise.all(bank.ids.map((id) => bank.start(id)));
  await open(bank, bank.ids, { snapshotCalls: 30 });
  const after = await ledgersOf(bank, bank.ids, 100);
  expect(after).toEqual([before, before, before]);
  expect(await bank.call(1, 'add', { name, text: 'next' })).toBe(101);
});

/** Those that have a copy now. */
async function holdersOf(bank: Bank): Promise<readonly number[]> {
  const copies = await Promise.all(
    bank.ids.map(async (id) => {
      const found = await bank
        .call(id, 'entries', { name, node: id })
        .catch((error: unknown) => error);
      return Array.isArray(found) ? [id] : [];
    }),
  );
  return copies.flat();
}

test.each(['volatile', 'persistent'] as const)(
  'a spare that gets the place of a lost member has a copy of a %s object by itself',
  async (kind) => {
    const config = { layout: { replaceAfterMs: 1000 } };
    const bank = await start(await tempFolder('replicated'), 4, config);
    await open(bank, bank.ids, { kind, snapshotCalls: 50 });
    const holders = await holdersOf(bank);
    expect(holders).toHaveLength(3);
    const [outside = 0] = bank.ids.filter((id) => !holders.includes(id));
    await bank.call(outside, 'addMany', { name, prefix: 'm-', count: 200 });
    await bank.call(outside, 'whenAdded');
    const [lost = 0, ...left] = holders;
    await bank.kill(lost);
    await bank.call(outside, 'addMany', { name, prefix: 'n-', count: 200 });
    let own: readonly string[] = [];
    while (own.length < 200) {
      own = await bank.call(outside, 'entries', { name, node: outside }).catch(() => []);
    }
    await bank.call(outside, 'whenAdded');
    const [mine, theirs] = await ledgersOf(bank, [outside, left[0] ?? 0], 400);
    expect(mine).toEqual(theirs);
    const everywhere = new Map(await bank.call(outside, 'everywhere', { name, text: 'x' }));
    expect([...everywhere.keys()].sort()).toEqual([outside, ...left].sort());
  },
);

test('thread 143: a member without a copy calls through others, each call once though one is killed', async () => {
  const bank = await start(await tempFolder('replicated'), 4);
  await open(bank, bank.ids);
  const holders = await holdersOf(bank);
  expect(holders).toHaveLength(3);
  const [outside = 0] = bank.ids.filter((id) => !holders.includes(id));
  await expect(bank.call(outside, 'entries', { name, node: outside })).rejects.toMatchObject({
    code: 'NOT_A_MEMBER',
  });
  const everywhere = new Map(await bank.call(outside, 'everywhere', { name, text: 'x' }));
  expect([...everywhere.keys()].sort()).toEqual(holders);
  await bank.call(outside, 'addMany', { name, prefix: 'm-', count: 300 });
  const [asked = 0, other = 0] = holders;
  while ((await bank.call(other, 'entries', { name, node: other })).length < 50);
  await bank.kill(asked);
  await bank.call(outside, 'whenAdded');
  const left = holders.filter((id) => id !== asked);
  const ledgers = await ledgersOf(bank, left, 301);
  expect(textsOf(ledgers[0] ?? [])).toEqual(['x', ...numbered('m-', 300)].sort());
  expect(ledgers[1]).toEqual(ledgers[0]);
});

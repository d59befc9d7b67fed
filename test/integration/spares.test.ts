import { afterEach, expect, test } from 'vitest';
import { Layout } from '../../platform/group/mod.ts';
import type { LocalCluster } from '../../platform/local-cluster.ts';
import type { ObjectRecord } from '../../platform/store/mod.ts';
import { startProcessCluster, text } from '../support/cluster.ts';
import { tempFolder, until } from '../support/mod.ts';

let cluster: LocalCluster | null = null;

afterEach(async () => {
  await cluster?.close();
  cluster = null;
});

/** Four members, of which three hold the one shard of `milk`. */
const ids = [1, 2, 3, 4];
const subgroups = [{ name: 'milk', kind: 'persistent', shards: 1, replicas: 3 }] as const;
const place = new Layout(ids, subgroups).subgroup('milk').shards[0];
const shard = place?.shard ?? 0;
const members: readonly number[] = place?.members ?? [];
const spare = ids.find((id) => !members.includes(id)) ?? 0;

/** `told`: what writers were told to be durable; `ended`: why one stopped. */
async function startWriting(
  running: LocalCluster,
  at: readonly number[],
  { lanes = 4, valueBytes = 0, pauseMs = 0 } = {},
) {
  const told: number[] = [];
  const ended: string[] = [];
  for (const { id, process } of running.members) {
    if (!at.includes(id)) continue;
    process?.on('message', (message: { type: string; number: number; code: string }) => {
      if (message.type === 'acknowledged') told.push(message.number);
      if (message.type === 'writerEnded') ended.push(`${String(id)}: ${message.code}`);
    });
    const first = id * 1_000_000;
    const order = { prefix: '/milk/w', lanes, first, valueBytes, pauseMs };
    await running.call(id, 'writeUntilFailure', order);
  }
  const whenMore = (count: number): Promise<void> => {
    const enough = told.length + count;
    return until(() => Promise.resolve(told.length >= enough || ended.length > 0));
  };
  return { told, ended, whenMore };
}

async function start(): Promise<LocalCluster> {
  const folder = await tempFolder('spares');
  const config = { subgroups, layout: { replaceAfterMs: 1000 } };
  const running = await startProcessCluster(folder, { members: 4, config });
  cluster = running;
  await running.call(1, 'createPool', { name: '/milk', kind: 'persistent', subgroup: 'milk' });
  return running;
}

async function whenHeldBy(running: LocalCluster, at: number, nodes: readonly number[]) {
  const wanted = [...nodes].sort().join();
  const holders = async () => (await running.call(at, 'holders', shard)) as number[];
  await until(async () => [...(await holders())].sort().join() === wanted);
}

/** From the first member to the spare, and back again. */
async function moveThereAndBack(running: LocalCluster, then: () => Promise<void>): Promise<void> {
  const [first = 0, ...others] = members;
  for (const [from, to] of [
    [first, spare],
    [spare, first],
  ] as const) {
    await running.call(others[0] ?? 0, 'move', { shard, from, to });
    await whenHeldBy(running, from, [...others, to]);
    await then();
  }
}

async function expectFound(running: LocalCluster, at: number, told: readonly number[]) {
  const keys = new Set((await running.call(at, 'list', '/milk/w')) as string[]);
  const lost = told.filter((n) => !keys.has(`/milk/w/${String(n % 97)}/${String(n)}`));
  expect({ at, lost }).toEqual({ at, lost: [] });
}

test('a spare takes the place of a member that is lost, and has all after a restart', async () => {
  const running = await start();
  const [lost = 0, ...others] = members;
  const survivors = ids.filter((id) => id !== lost);
  const writers = await startWriting(running, survivors);
  await writers.whenMore(100);
  await running.kill(lost);
  await whenHeldBy(running, others[0] ?? 0, [...others, spare]);
  await writers.whenMore(200);
  expect(writers.ended).toEqual([]);
  expect(await running.call(spare, 'opened')).toContain(shard);

  for (const id of survivors) await running.kill(id);
  const told = [...writers.told];
  // Who comes late may find its place taken; whoever holds the shard has all of it.
  await Promise.all(ids.map((id) => running.start(id)));
  await running.whenRunning();
  for (const id of ids) await expectFound(running, id, told);
  await running.call(lost, 'put', { key: '/milk/last', value: Buffer.from('here') });
  const found = (await running.call(spare, 'get', {
    key: '/milk/last',
    read: 'linearizable',
  })) as ObjectRecord | null;
  expect(text(found?.value)).toBe('here');
});

test('a shard is moved under load, without a put that fails', async () => {
  const running = await start();
  const [from = 0] = members;
  const writers = await startWriting(running, ids);
  await writers.whenMore(200);
  await expect(running.call(spare, 'move', { shard, from: spare, to: from })).rejects.toMatchObject(
    {
      code: 'INVALID_ARGUMENT',
    },
  );
  await moveThereAndBack(running, () => writers.whenMore(200));
  expect(writers.ended).toEqual([]);
  for (const id of ids) await expectFound(running, id, [...writers.told]);
});

test('large values under way at a member that leaves a shard are made elsewhere', async () => {
  const running = await start();
  const [from = 0] = members;
  // Larger than a quarter of a ring, and under no session.
  const size = { lanes: 1, valueBytes: 600 * 1024, pauseMs: 20 };
  const writers = await startWriting(running, [from, spare], size);
  await writers.whenMore(10);
  await moveThereAndBack(running, () => writers.whenMore(10));
  expect(writers.ended).toEqual([]);
  await expectFound(running, from, [...writers.told]);
});

import { afterEach, expect, test } from 'vitest';
import type { StoredArrival } from '../../platform/store/mod.ts';
import { bytes, startTestCluster, type TestCluster, text } from '../support/cluster.ts';
import { tempFolder, until } from '../support/mod.ts';

let cluster: TestCluster | null = null;

afterEach(async () => {
  await cluster?.close();
  cluster = null;
});

const wild = { name: 'wild', kind: 'trigger', shards: 1, replicas: 3, delivery: 'raw' } as const;

async function start(): Promise<TestCluster> {
  const config = { subgroups: [{ name: 'volatile', kind: 'volatile', shards: 1 }, wild] };
  cluster = await startTestCluster({ folder: await tempFolder('raw'), config });
  const { objects } = cluster.member(1).store;
  await objects.createPool({ name: '/bell', kind: 'trigger', subgroup: 'wild' });
  return cluster;
}

/** What lambdas of a member would get, once it knows of the pool. */
async function hear(running: TestCluster, id: number): Promise<StoredArrival[]> {
  const { arrivals } = running.member(id).store;
  await until(() => arrivals.places('/bell').length > 0);
  const [place] = arrivals.places('/bell');
  const heard: StoredArrival[] = [];
  const from = arrivals.newest(place?.shard ?? 0).version + 1;
  arrivals.subscribe(
    { shard: place?.shard ?? 0, prefix: '/bell', from, eager: true, share: null },
    (some) => heard.push(...some),
    (error) => {
      throw error;
    },
  );
  return heard;
}

test('what a member sends comes to all in its order, once, and without a version', async () => {
  const running = await start();
  const heard = await Promise.all(running.ids.map((id) => hear(running, id)));
  const count = 100;
  const results = await Promise.all(
    running.ids.flatMap((id) =>
      Array.from({ length: count }, (_, nth) => {
        const key = `/bell/${String(id)}`;
        const value = bytes(String(nth));
        return running.member(id).store.objects.put({ key, value, store: false });
      }),
    ),
  );
  expect(new Set(results.map(({ version }) => version))).toEqual(new Set([0]));
  const inOrder = Array.from({ length: count }, (_, nth) => String(nth));
  for (const all of heard) {
    await until(() => all.length >= 3 * count);
    expect(all.every(({ raw }) => raw)).toBe(true);
    for (const id of running.ids) {
      const own = all.filter(({ key }) => key === `/bell/${String(id)}`);
      expect(own.map((arrival) => text(arrival.bytes))).toEqual(inOrder);
    }
  }
});

test('a member that comes back hears what is sent from then on', async () => {
  const running = await start();
  const ring = async (id: number, nth: number) => {
    const key = `/bell/${String(id)}`;
    await running.member(id).store.objects.put({ key, value: bytes(String(nth)), store: false });
  };
  const stays = await hear(running, 1);
  for (let nth = 0; nth < 50; nth++) await Promise.all([1, 2, 3].map((id) => ring(id, nth)));
  await running.stop(3);
  await ring(2, 50);
  await running.start(3);
  await running.whenRunning();
  const comesBack = await hear(running, 3);
  await Promise.all([1, 2, 3].map((id) => ring(id, 99)));
  await until(() => comesBack.length >= 3 && stays.length >= 154);
  expect(comesBack.map((arrival) => text(arrival.bytes))).toEqual(['99', '99', '99']);
  expect(stays).toHaveLength(154);
});

test('what would need an order is refused', async () => {
  const running = await start();
  const { objects } = running.member(2).store;
  const put = { key: '/bell/a', value: bytes('x'), store: false };
  await expect(objects.put({ ...put, expect: { versionOfKey: 0 } })).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    mend: expect.stringMatching(/Leave expect out/) as string,
  });
  await expect(objects.openWatch({ prefix: '/bell' })).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    mend: expect.stringMatching(/Register a lambda/) as string,
  });
  const [many] = await objects.putMany([{ ...put, expect: { version: 1 } }]);
  expect(many).toMatchObject({ code: 'UNSUPPORTED' });
});

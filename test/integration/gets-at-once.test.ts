/** What is told at once is what a get finds that takes its time. */
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import type { ObjectRecord, ReadLevel } from '../../platform/base/mod.ts';
import type { ObjectStore } from '../../platform/store/mod.ts';
import { RoamingShard } from '../../platform/store/roaming-shard.ts';
import { startTestCluster, type TestCluster } from '../support/cluster.ts';
import { makeTempFolder, type TemporaryFolder, until } from '../support/mod.ts';

const levels: readonly ReadLevel[] = ['local', 'stable', 'linearizable'];
const kinds = ['volatile', 'persistent'] as const;
let folder: TemporaryFolder;
let cluster: TestCluster;

const store = (id: number): ObjectStore => cluster.member(id).store.objects;

/** Every member has shards that it does not hold. */
beforeAll(async () => {
  folder = await makeTempFolder('gets-at-once');
  const subgroups = [
    { name: 'volatile', kind: 'volatile', shards: 4, replicas: 2 },
    { name: 'persistent', kind: 'persistent', shards: 4 },
  ] as const;
  cluster = await startTestCluster({ folder: folder.path, members: 4, config: { subgroups } });
});

afterAll(async () => {
  await cluster.close();
  await folder.remove();
});

/** On both sides of what is small, and of what still fits behind others. */
const sizes = [0, 1, 10, 100, 700, 2000, 2048, 2049, 5000, 9000, 70_000];

/** With the value as text, which is compared at once. */
function shown(object: ObjectRecord | null): unknown {
  return { ...object, value: Buffer.from(object?.value ?? []).toString('latin1') };
}

test.each(kinds)(
  'small and large ones of a %s pool, with all that belongs to them',
  async (kind) => {
    const pool = `/all/${kind}`;
    await store(1).createPool({ name: pool, kind });
    const puts = Array.from({ length: 400 }, (_, nth) => ({
      key: `${pool}/${String(nth)}${nth % 7 === 0 ? 'é' : ''}`,
      value: Buffer.alloc(sizes[nth % sizes.length] ?? 0, nth % 251),
      ...(nth % 3 === 0 ? { meta: { nth: String(nth), padding: 'x'.repeat(nth) } } : {}),
      ...(nth % 4 === 0 ? { eventTime: nth } : {}),
    }));
    await store(1).putMany(puts);
    await store(2).putMany(puts.slice(0, 100));
    // Once each has shown the newest, all have it.
    for (const { key } of puts) for (const id of cluster.ids) await store(id).get({ key });
    for (const id of cluster.ids) {
      for (const read of levels) {
        const told = await Promise.all(puts.map(async ({ key }) => store(id).get({ key, read })));
        // Of a version it is not told at once.
        const found = await Promise.all(
          told.map(async (object, nth) => {
            const version = object?.version ?? 0;
            return store(id).get({ key: puts[nth]?.key ?? '', read, version, exact: true });
          }),
        );
        expect(told.map(shown)).toEqual(found.map(shown));
        const isPut = (object: ObjectRecord | null, nth: number): boolean =>
          puts[nth]?.value.equals(object?.value ?? Buffer.of(1)) === true;
        expect(told.every(isPut)).toBe(true);
        // What was handed out stays, whatever is looked at later.
        for (const { key } of puts) await store(id).get({ key, read });
        expect(told.every(isPut)).toBe(true);
      }
    }
  },
);

test('the newest, at the member that put it, at once', async () => {
  await store(1).createPool({ name: '/newest', kind: 'volatile' });
  for (let nth = 0; nth < 300; nth++) {
    const put = await store((nth % 3) + 1).put({ key: '/newest/one', value: Buffer.of(nth % 256) });
    for (const id of cluster.ids) {
      const found = await store(id).get({ key: '/newest/one' });
      expect([id, found?.version, found?.value?.[0]]).toEqual([id, put.version, nth % 256]);
    }
  }
  await store(2).remove({ key: '/newest/one' });
  for (const id of cluster.ids) expect(await store(id).get({ key: '/newest/one' })).toBeNull();
});

test('small ones that are here are read without waiting, by whoever asks for no more', async () => {
  const pool = await store(1).createPool({ name: '/quick', kind: 'persistent' });
  const key = '/quick/one';
  await store(1).put({ key, value: Buffer.from('small'), ack: 'persisted' });
  const shard = store(1).placement.shardOf(pool, key);
  const holder = cluster.ids.find((id) => cluster.member(id).group.isHere(shard)) ?? 0;
  await store(holder).get({ key });
  const waits = vi.spyOn(RoamingShard.prototype, 'read');
  onTestFinished(() => {
    waits.mockRestore();
  });
  const found = await store(holder).get({ key });
  for (const asked of [{}, { read: 'local' }, { maxBytes: 5 }] as const) {
    expect(await store(holder).get({ key, ...asked })).toEqual(found);
  }
  expect(waits).not.toHaveBeenCalled();
  expect(await store(holder).get({ key, maxBytes: 4 })).toEqual({ ...found, value: null });
  expect(waits).toHaveBeenCalledTimes(1);
});

test('what is wrong is refused as ever', async () => {
  await store(1).createPool({ name: '/wrong', kind: 'volatile' });
  const key = '/wrong/\ufffd';
  await store(1).put({ key, value: Buffer.of(1) });
  // What stands for half of a character must not find it.
  for (const wrong of ['/wrong/\ud800', '/wrong//x', 'wrong', '']) {
    await expect(store(1).get({ key: wrong })).rejects.toMatchObject({ code: 'INVALID_KEY' });
  }
  await expect(store(1).get({ key: '/nowhere/x' })).rejects.toMatchObject({ code: 'UNKNOWN_POOL' });
  for (const wrong of [{ exact: true }, { version: 1, at: 1 }, { maxBytes: -1 }, { version: -1 }]) {
    await expect(store(1).get({ key, ...wrong })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  }
});

test('a pool that was removed has nothing, and one made anew only what is put into it', async () => {
  const key = '/again/key';
  for (let round = 0; round < 5; round++) {
    const kind = kinds[round % 2] ?? 'volatile';
    await store((round % 3) + 1).createPool({ name: '/again', kind });
    for (const id of cluster.ids) expect(await store(id).get({ key })).toBeNull();
    await store(1).put({ key, value: Buffer.of(round) });
    for (const id of cluster.ids) expect((await store(id).get({ key }))?.value?.[0]).toBe(round);
    await store(2).removePool('/again');
    for (const id of cluster.ids) {
      const isGone = async (): Promise<boolean> =>
        store(id)
          .get({ key, read: 'local' })
          .then(
            () => false,
            () => true,
          );
      await until(isGone);
    }
  }
});

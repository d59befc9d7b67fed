import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { FreshetError, limits } from '../../platform/base/mod.ts';
import { Catalog, type ObjectStore, type PoolInfo } from '../../platform/store/mod.ts';
import { RoamingShard } from '../../platform/store/roaming-shard.ts';
import type { ShardChange } from '../../platform/store/shard-access.ts';
import { bytes, startTestCluster, type TestCluster, text } from '../support/cluster.ts';
import { makeTempFolder, type TemporaryFolder, until } from '../support/mod.ts';

let folder: TemporaryFolder;
let cluster: TestCluster;

function store(id: number): ObjectStore {
  return cluster.member(id).store.objects;
}

/** Four members and three replicas: every member has shards that it does not hold. */
beforeAll(async () => {
  folder = await makeTempFolder('pools');
  cluster = await startTestCluster({
    folder: folder.path,
    members: 4,
    config: {
      subgroups: [
        { name: 'volatile', kind: 'volatile', shards: 4, replicas: 2 },
        { name: 'persistent', kind: 'persistent', shards: 4 },
      ],
    },
  });
});

afterAll(async () => {
  await cluster.close();
  await folder.remove();
});

describe('creating and removing pools', () => {
  test('a pool is known everywhere as soon as it is created', async () => {
    const pool = await store(1).createPool({ name: '/a/pool', kind: 'volatile' });
    expect(pool).toMatchObject({ name: '/a/pool', subgroup: 'volatile', history: 128 });
    expect(pool.shards).toHaveLength(4);
    for (const id of cluster.ids) {
      await store(id).put({ key: `/a/pool/${String(id)}`, value: bytes('x') });
    }
    expect(await store(4).createPool({ name: '/a/pool', kind: 'volatile' })).toEqual(pool);
    const names = (await store(3).pools()).map(({ name }) => name);
    expect(names).toContain('/a/pool');
  });

  test('pools never nest and do not change by being created again', async () => {
    await store(2).createPool({ name: '/nest/inner', kind: 'persistent' });
    for (const name of ['/nest', '/nest/inner/deeper', '/nest/inner']) {
      await expect(store(3).createPool({ name, kind: 'volatile' })).rejects.toMatchObject({
        code: 'POOL_EXISTS',
      });
    }
    // Only a path boundary makes one lie in the other.
    await store(3).createPool({ name: '/nest/inn', kind: 'volatile' });
  });

  test('many may be created at once', async () => {
    const names = Array.from({ length: 12 }, (_, nth) => `/crowd/${String(nth)}`);
    const pools = await Promise.all(
      names.map((name, nth) => store((nth % 4) + 1).createPool({ name, kind: 'volatile' })),
    );
    expect(new Set(pools.map(({ id }) => id)).size).toBe(12);
  });

  test('what is put into a pool while another member still makes it stays', async () => {
    for (let round = 0; round < 10; round++) {
      const name = `/joint/${String(round)}`;
      const keys = cluster.ids.map((id) => `${name}/${String(id)}`);
      const puts = cluster.ids.map(async (id, nth) => {
        await store(id).createPool({ name, kind: 'persistent' });
        await store(id).put({ key: keys[nth] as string, value: bytes(String(id)) });
      });
      await Promise.all(puts);
      const found = await Promise.all(keys.map((key) => store(1).get({ key })));
      expect(found.map((object) => object?.key)).toEqual(keys);
    }
  });

  test('what is put into a pool while the one before it is still removed stays', async () => {
    const pool = { name: '/next', kind: 'persistent' } as const;
    const keys = Array.from({ length: 2000 }, (_, nth) => `/next/${String(nth)}`);
    const isThere = (): boolean => store(2).directory.get('/next') !== null;
    for (let round = 0; round < 5; round++) {
      await store(1).createPool(pool);
      await store(1).putMany(keys.map((key) => ({ key, value: bytes('old') })));
      const removed = store(1).removePool('/next');
      await until(() => !isThere());
      const created = store(2).createPool(pool);
      await until(isThere);
      await store(2).putMany(keys.map((key) => ({ key, value: bytes('new') })));
      await Promise.all([removed, created]);
      const found = await Promise.all(keys.map((key) => store(3).get({ key })));
      expect(found.flatMap((object) => text(object?.value) ?? [])).toEqual(keys.map(() => 'new'));
      await store(3).removePool('/next');
    }
  });

  test.each(['made', 'found'])(
    'what is removed while it is %s is not opened again',
    async (how) => {
      const name = `/late/${how}`;
      const pool = { name, kind: 'volatile' } as const;
      if (how === 'found') await store(1).createPool(pool);
      const send = Reflect.get<RoamingShard, 'put'>(RoamingShard.prototype, 'put');
      const put = vi.spyOn(RoamingShard.prototype, 'put');
      onTestFinished(() => put.mockRestore());
      let old: PoolInfo | null = null;
      const shards: RoamingShard[] = [];
      put.mockImplementation(async function late(this: RoamingShard, change, call) {
        if (old === null && change.kind === 'control') {
          shards.push(this);
          old = await store(2).pool(name);
          await store(2).removePool(name);
        }
        return send.call(this, change, call);
      });
      const created = await store(1).createPool(pool);
      expect(created.id === (old as PoolInfo | null)?.id).toBe(how === 'made');
      put.mockRestore();
      const rest = { meta: null, ack: 'delivered', expect: null, eventTime: null, session: null };
      const change = { kind: 'put', key: `${name}/x`, value: bytes('x'), ...rest } as ShardChange;
      const id = (old as PoolInfo | null)?.id ?? 0;
      const call = { timeoutMs: 10_000, signal: null };
      await expect(shards[0]?.put({ ...change, pool: id }, call)).rejects.toMatchObject({
        code: 'UNKNOWN_POOL',
      });
    },
  );

  test('the catalog has its own names', async () => {
    await expect(
      store(1).createPool({ name: '/system/pools/x', kind: 'volatile' }),
    ).rejects.toMatchObject({ code: 'INVALID_POOL' });
  });

  test('a removed pool is unknown, and its keys do not come back with its name', async () => {
    const first = await store(1).createPool({ name: '/old', kind: 'persistent' });
    await store(1).put({ key: '/old/a', value: bytes('1') });
    await store(2).removePool('/old');
    await expect(store(3).put({ key: '/old/a', value: bytes('2') })).rejects.toMatchObject({
      code: 'UNKNOWN_POOL',
    });
    await expect(store(3).removePool('/old')).rejects.toMatchObject({ code: 'UNKNOWN_POOL' });
    const again = await store(4).createPool({ name: '/old', kind: 'persistent' });
    expect(again.id).not.toBe(first.id);
    expect(await store(1).get({ key: '/old/a' })).toBeNull();
  });
});

test('what a member left behind that died while it removed a pool does not come back', async () => {
  const left = { name: '/left', kind: 'persistent' } as const;
  await store(1).createPool(left);
  await store(1).put({ key: '/left/a', value: bytes('1') });
  // As far as it came.
  await cluster.member(1).store.catalog.remove('/system/pools/left');
  await store(2).createPool(left);
  expect(await store(3).get({ key: '/left/a' })).toBeNull();
  await store(3).put({ key: '/left/a', value: bytes('2') });
  expect(text((await store(4).get({ key: '/left/a' }))?.value)).toBe('2');
});

test('what its maker dies before it sweeps is swept already', async () => {
  const left = { name: '/halves', kind: 'persistent' } as const;
  const keys = Array.from({ length: 20 }, (_, nth) => `/halves/${String(nth)}`);
  await store(1).createPool(left);
  await store(1).putMany(keys.map((key) => ({ key, value: bytes('1') })));
  await cluster.member(1).store.catalog.remove('/system/pools/halves');
  const write = Reflect.get<Catalog, 'write'>(Catalog.prototype, 'write');
  const spy = vi.spyOn(Catalog.prototype, 'write');
  onTestFinished(() => spy.mockRestore());
  spy.mockImplementationOnce(async function dies(this: Catalog, ...entry) {
    await write.apply(this, entry);
    throw new FreshetError('CLOSED', 'It died');
  });
  await expect(store(2).createPool(left)).rejects.toMatchObject({ code: 'CLOSED' });
  await store(3).createPool(left);
  const found = await Promise.all(keys.map((key) => store(4).get({ key })));
  expect(found.filter((object) => object !== null)).toEqual([]);
});

describe('who does not know yet that a pool was made again', () => {
  const pool = { name: '/anew', kind: 'persistent' } as const;
  const key = '/anew/a';

  /** Before the first change of the key is sent to its shard, the pool becomes another one. */
  function remakeBefore(method: 'put' | 'putMany'): void {
    const send = Reflect.get<RoamingShard, 'put'>(RoamingShard.prototype, method as 'put');
    const spy = vi.spyOn(RoamingShard.prototype, method as 'put');
    onTestFinished(() => spy.mockRestore());
    let isOld = true;
    spy.mockImplementation(async function late(this: RoamingShard, change, call) {
      const isRules = [change].flat().some(({ kind }) => kind === 'control');
      if (isOld && !isRules) {
        isOld = false;
        await store(2).removePool(pool.name);
        await store(4).createPool(pool);
      }
      return send.call(this, change, call);
    });
  }

  test.each(['put', 'putMany'] as const)(
    'has what it gives to %s in the new one',
    async (method) => {
      await store(1).createPool(pool);
      remakeBefore(method);
      const request = { key, value: bytes(method) };
      if (method === 'put') await store(3).put(request);
      else
        expect((await store(3).putMany([request])).map((one) => 'version' in one)).toEqual([true]);
      expect(text((await store(1).get({ key }))?.value)).toBe(method);
      await store(1).removePool(pool.name);
    },
  );
});

describe('any member takes any key', () => {
  test('also of shards that it does not hold', async () => {
    await store(1).createPool({ name: '/far', kind: 'volatile' });
    const keys = Array.from({ length: 40 }, (_, nth) => `/far/${String(nth)}`);
    for (const key of keys) {
      await store(2).put({ key, value: bytes(key), meta: { from: '2' } });
    }
    for (const id of cluster.ids) {
      for (const key of keys) {
        const found = await store(id).get({ key });
        expect(text(found?.value)).toBe(key);
        expect(found?.meta).toEqual({ from: '2' });
      }
      const listed: string[] = [];
      for await (const key of store(id).list({ prefix: '/far' })) {
        listed.push(key);
      }
      expect(listed).toEqual([...keys].sort());
    }
    const outcomes = await store(3).putMany(keys.map((key) => ({ key, value: bytes('new') })));
    expect(outcomes.every((one) => 'version' in one)).toBe(true);
    expect(text((await store(1).get({ key: '/far/7' }))?.value)).toBe('new');
    await expect(
      store(4).put({ key: '/far/7', value: bytes(''), expect: { versionOfKey: 0 } }),
    ).rejects.toMatchObject({ code: 'CONDITION_FAILED' });
  });

  test('watches and histories too', async () => {
    await store(1).createPool({ name: '/farther', kind: 'persistent' });
    for (const id of cluster.ids) {
      const watch = await store(id).openWatch({ prefix: '/farther' });
      const wanted = Array.from({ length: 8 }, (_, nth) => `/farther/${String(id)}/${String(nth)}`);
      for (const key of wanted) {
        await store((id % 4) + 1).put({ key, value: bytes('x') });
      }
      const seen: string[] = [];
      for await (const { object } of watch) {
        seen.push(object.key);
        if (seen.length === wanted.length) {
          break;
        }
      }
      expect(seen.sort()).toEqual(wanted);
      const versions = [];
      for await (const one of store(id).history({ key: wanted[0] as string })) {
        versions.push(one.version);
      }
      expect(versions).toHaveLength(1);
    }
    expect(await store(1).frontier('/farther')).toHaveLength(4);
  });
});

describe('bad input is a coded error that says what and where', () => {
  beforeAll(async () => {
    await store(1).createPool({ name: '/dairy/front_end', kind: 'volatile', maxValueBytes: 1000 });
  });

  test.each([
    ['/dairy/frontend/a', 'UNKNOWN_POOL', /nearest is \/dairy\/front_end/],
    ['/dairy/front_end', 'UNKNOWN_POOL', /No pool/],
    ['dairy', 'INVALID_KEY', /does not start/],
    ['/dairy/front_end/\0', 'INVALID_KEY', /control|NUL|U\+0000/i],
    ['/dairy/front_end/..', 'INVALID_KEY', /segment/],
    ['/dairy/front_end/%2e%2e/x', 'INVALID_KEY', /segment/],
    ['/dairy/front_end/\ud800', 'INVALID_KEY', /surrogate/],
    [`/dairy/front_end/${'x'.repeat(1024)}`, 'KEY_TOO_LONG', /1024 are allowed/],
  ])('key %j', async (key, code, message) => {
    const error = expect.objectContaining({
      code,
      message: expect.stringMatching(message) as string,
    }) as Error;
    await expect(store(1).put({ key, value: bytes('') })).rejects.toEqual(error);
    await expect(store(2).get({ key })).rejects.toEqual(error);
    await expect(store(3).remove({ key })).rejects.toEqual(error);
  });

  test('a value of exactly the limit is taken, one more byte is not', async () => {
    const key = '/dairy/front_end/limit';
    await store(1).put({ key, value: Buffer.alloc(1000) });
    await expect(store(2).put({ key, value: Buffer.alloc(1001) })).rejects.toMatchObject({
      code: 'VALUE_TOO_LARGE',
      details: { key, size: 1001, limit: 1000 },
    });
    await expect(store(2).triggerPut({ key, value: Buffer.alloc(1001) })).rejects.toMatchObject({
      code: 'VALUE_TOO_LARGE',
    });
    expect((await store(3).stat({ key }))?.size).toBe(1000);
  });

  test('the largest value of all passes, here and through another member', async () => {
    await store(1).createPool({ name: '/large', kind: 'volatile' });
    const value = Buffer.alloc(limits.valueBytesDefault, 7);
    for (const key of ['/large/a', '/large/b', '/large/c']) {
      await store(1).put({ key, value, timeoutMs: 60_000 });
      const found = await store(2).get({ key, timeoutMs: 60_000 });
      expect(found?.size).toBe(value.byteLength);
      expect(Buffer.compare(Buffer.from(found?.value ?? []), value)).toBe(0);
    }
    const over = Buffer.alloc(limits.valueBytesDefault + 1);
    await expect(store(1).put({ key: '/large/d', value: over })).rejects.toMatchObject({
      code: 'VALUE_TOO_LARGE',
    });
  });

  test('points in time and version that make no sense', async () => {
    const key = '/dairy/front_end/limit';
    const future = Date.now() * 1000 + 3_600_000_000;
    for (const point of [{ at: future }, { at: -1 }, { version: 1.5 }, { exact: true }]) {
      await expect(store(1).get({ key, ...point })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      });
    }
    await expect(
      store(1).openWatch({ prefix: '/dairy/front_end', from: '?' }),
    ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('meta beyond its limit', async () => {
    const meta = { a: 'x'.repeat(5000) };
    await expect(
      store(1).put({ key: '/dairy/front_end/m', value: bytes(''), meta }),
    ).rejects.toMatchObject({ code: 'META_TOO_LARGE' });
  });
});

test('whoever follows a shard that is not held here is told so, as when it leaves', async () => {
  const { shards } = await store(1).createPool({ name: '/away', kind: 'volatile' });
  const { arrivals } = cluster.member(1).store;
  const held = arrivals.places('/away').map(({ shard }) => shard);
  const [away = 0] = shards.filter((shard) => !held.includes(shard));
  const request = { shard: away, prefix: '/away', from: 1, eager: true, share: null };
  const ended = new Promise<unknown>((resolve) => {
    arrivals.subscribe(request, () => undefined, resolve);
  });
  expect(await ended).toMatchObject({ code: 'NOT_A_MEMBER', details: {} });
});

test('a volatile pool keeps the newest versions of a key', async () => {
  await store(1).createPool({ name: '/short', kind: 'volatile', history: 3 });
  const versions: number[] = [];
  for (let nth = 0; nth < 10; nth++) {
    versions.push((await store(1).put({ key: '/short/k', value: bytes(String(nth)) })).version);
  }
  const kept: string[] = [];
  for await (const { value } of store(2).history({ key: '/short/k' })) {
    kept.push(text(value) ?? '');
  }
  expect(kept).toEqual(['7', '8', '9']);
  await expect(
    store(1).get({ key: '/short/k', version: versions[2] as number }),
  ).rejects.toMatchObject({ code: 'COMPACTED' });
});

test('shards are scanned for queries: by version, by key, as of a time', async () => {
  await store(1).createPool({ name: '/scan', kind: 'persistent', timeAxis: 'event' });
  const put = (key: string, value: string, eventTime: number): Promise<{ time: number }> =>
    store(1).put({ key: `/scan/${key}`, value: bytes(value), eventTime });
  const first = await put('a', '1', 5000);
  await put('b', '2', 4000);
  await put('a', '3', 3000);
  await store(2).remove({ key: '/scan/b' });
  const base = {
    prefix: '/scan/',
    kind: 'versions',
    fromVersion: null,
    toVersion: null,
    fromTime: null,
    atTime: null,
    atAxis: 'commit',
    reverse: false,
    limit: null,
    program: null,
    wantValues: true,
  } as const;
  const scan = async (id: number, request: object): Promise<string[]> => {
    const { shardSource } = cluster.member(id).store;
    const found: string[] = [];
    for (const ref of await shardSource.shards('/scan')) {
      const never = new AbortController().signal;
      for await (const batch of shardSource.scan(ref, { ...base, ...request }, never)) {
        found.push(
          ...batch.map(({ key, value, size, previousVersionOfKey }) => {
            const before = previousVersionOfKey === null ? '' : ' again';
            return `${key.slice(6)} ${text(value) ?? String(size)}${before}`;
          }),
        );
      }
    }
    return found.sort();
  };
  // Any member gives the same, also of shards that it does not hold.
  for (const id of cluster.ids) {
    expect(await scan(id, {})).toEqual(['a 1', 'a 3 again', 'b 2']);
    expect(await scan(id, { kind: 'objects' })).toEqual(['a 3 again']);
    expect(await scan(id, { wantValues: false })).toEqual(['a 1', 'a 1 again', 'b 1']);
    expect(await scan(id, { atTime: first.time })).toEqual(['a 1']);
    expect(await scan(id, { atTime: 4000, atAxis: 'event' })).toEqual(['a 3 again', 'b 2']);
    const objects = { kind: 'objects', atTime: 4500, atAxis: 'event' };
    expect(await scan(id, objects)).toEqual(['a 3 again', 'b 2']);
    // The newest by event time, though another version came later.
    const later = { ...objects, atTime: 5500 };
    expect(await scan(id, later)).toEqual(['a 1', 'b 2']);
    expect(await scan(id, { ...later, fromVersion: 2 })).not.toContain('a 3 again');
  }
});

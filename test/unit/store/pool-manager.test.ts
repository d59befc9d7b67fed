import { describe, expect, test } from 'vitest';
import { FreshetError } from '../../../platform/base/mod.ts';
import { Layout } from '../../../platform/group/layout.ts';
import type { Catalog } from '../../../platform/store/catalog.ts';
import { PoolDirectory } from '../../../platform/store/pool-directory.ts';
import { PoolManager } from '../../../platform/store/pool-manager.ts';
import type { ShardAccess, ShardChange } from '../../../platform/store/shard-access.ts';

const layout = new Layout(
  [1],
  [{ name: 'persistent', kind: 'persistent', shards: 1, replicas: null }],
);

const poolsMax = 50;

interface Held {
  readonly version: number;
  readonly value: Uint8Array;
}

/**
 * A catalog with one entry at most; `afterWrite` is what others have made of it by the time it was
 * written. And its one shard, with these keys of pool 2; it tells what it was asked for.
 */
function makeManager(
  afterWrite: (value: Uint8Array, version: number) => Held | null = (value, version) => ({
    version,
    value,
  }),
  keys: readonly string[] = [],
) {
  let held: Held | null = null;
  let version = 1;
  const asked: string[] = [];
  const left = new Set(keys);
  const handlers: ((key: string) => void)[] = [];
  const become = (next: Held | null): void => {
    held = next;
    for (const handler of handlers) handler(PoolDirectory.keyOf('/milk'));
  };
  const conflict = (): Promise<never> =>
    Promise.reject(new FreshetError('CONDITION_FAILED', 'another version'));
  const isPool = (key: string): boolean => key.startsWith('/system/pools');
  const catalog = {
    get applied() {
      return { epoch: 1, version };
    },
    keys: () => (held === null ? [] : [PoolDirectory.keyOf('/milk')]),
    entry: () => held,
    peek: (key: string) => (isPool(key) ? (held?.value ?? null) : null),
    onChange: (handler: (key: string) => void) => handlers.push(handler),
    catchUp: () => Promise.resolve(),
    write: (_key: string, value: Uint8Array) => {
      version++;
      asked.push('write');
      become(afterWrite(value, version));
      return Promise.resolve(version);
    },
    replace: (_key: string, value: Uint8Array, of: number) => {
      if (held?.version !== of) return conflict();
      version++;
      asked.push('leave');
      become({ version, value });
      return Promise.resolve(version);
    },
    remove: (_key: string, of: number) => {
      if (held?.version !== of) return conflict();
      version++;
      asked.push('gone');
      become(null);
      return Promise.resolve();
    },
  } as unknown as Catalog;
  let refusal: FreshetError | null = null;
  const shard = {
    put: ({ kind, key, value }: ShardChange) => {
      if (refusal !== null) return Promise.reject(refusal);
      const closes = kind === 'control' && value?.at(18) === 1;
      asked.push(`${closes ? 'close' : kind} ${key}`);
      left.delete(key);
      return Promise.resolve({ version: 1 });
    },
    scan: () => {
      const records = [...left].map((key) => ({ key, head: { pool: 2, version: 1 } }));
      return Promise.resolve({ records, resume: null });
    },
  } as unknown as ShardAccess;
  const group = { layout, status: { view: 1 } };
  const directory = new PoolDirectory(catalog, group);
  const manager = new PoolManager(catalog, directory, group as never, () => shard, poolsMax);
  const refuse = (error: FreshetError | null): void => {
    refusal = error;
  };
  return { manager, directory, asked, left, become, refuse, group };
}

const wanted = { name: '/milk', kind: 'persistent', history: 16 } as const;

test('a pool that was made has the options that were asked for', async () => {
  const { manager } = makeManager();
  expect(await manager.create(wanted)).toMatchObject({ ...wanted, id: 2 });
});

test('who made a pool is not given another one that has taken its place since', async () => {
  const { manager } = makeManager((value) => {
    const other = { ...(JSON.parse(Buffer.from(value).toString()) as object), history: 128 };
    return { version: 4, value: Buffer.from(JSON.stringify(other)) };
  });
  await expect(manager.create(wanted)).rejects.toMatchObject({ code: 'UNKNOWN_POOL' });
});

test('a pool with more locations than are kept in memory is refused', async () => {
  const { manager, asked } = makeManager();
  const places = Array.from({ length: 4000 }, (_, nth) => [`/milk/${String(nth).repeat(4)}`, 0]);
  const locations = Object.fromEntries(places) as Record<string, number>;
  const created = manager.create({ ...wanted, locations });
  await expect(created).rejects.toMatchObject({ code: 'INVALID_POOL' });
  expect(asked).toEqual([]);
});

test('there is no pool without a number, and one that has none can be removed', async () => {
  const { manager, asked, become } = makeManager();
  for (let made = 0; made < poolsMax; made += 3) {
    const created = manager.create(wanted);
    // A pool takes three changes of the catalog, from the first to the last.
    if (made + 3 >= poolsMax) {
      await expect(created).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    } else {
      await created;
      await manager.remove('/milk');
    }
  }
  become({
    version: poolsMax,
    value: Buffer.from(JSON.stringify({ ...wanted, subgroup: 'persistent' })),
  });
  asked.length = 0;
  await manager.remove('/milk');
  expect(asked).toEqual(['leave', 'gone']);
});

test('a pool that was removed is closed, and what it has left goes, whoever opened it late', async () => {
  const { manager, asked, left, become } = makeManager();
  const pool = await manager.create(wanted);
  for (const key of ['/milk/1', '/milk/2']) left.add(key);
  asked.length = 0;
  become(null);
  const call = { timeoutMs: 1000, signal: null };
  const repaired = manager.repair(pool, pool.shards[0] ?? 0, call);
  await expect(repaired).rejects.toMatchObject({ code: 'UNKNOWN_POOL' });
  const swept = ['remove /milk/1', 'remove /milk/2'];
  expect(asked).toEqual(['control pool/2', 'close pool/2', ...swept]);
});

describe('a removal', () => {
  const keys = ['/milk/1', '/milk/2'];
  const swept = keys.map((key) => `remove ${key}`);
  const stopped = new FreshetError('SHARD_STOPPED', 'stands still');

  async function made() {
    const one = makeManager();
    await one.manager.create(wanted);
    for (const key of keys) one.left.add(key);
    one.asked.length = 0;
    return one;
  }

  test('says so, closes the pool, takes what it has left, and then its entry', async () => {
    const { manager, directory, asked } = await made();
    await manager.remove('/milk');
    expect(asked).toEqual(['leave', 'close pool/2', ...swept, 'gone']);
    expect([directory.get('/milk'), directory.leaving('/milk')]).toEqual([null, []]);
    await expect(manager.remove('/milk')).rejects.toMatchObject({ code: 'UNKNOWN_POOL' });
  });

  test('that failed is gone on with by whoever removes it again', async () => {
    const { manager, directory, asked, refuse } = await made();
    refuse(stopped);
    await expect(manager.remove('/milk')).rejects.toMatchObject({ code: 'SHARD_STOPPED' });
    expect(asked).toEqual(['leave']);
    expect(directory.get('/milk')).toBeNull();
    refuse(null);
    await manager.remove('/milk');
    expect(asked).toEqual(['leave', 'close pool/2', ...swept, 'gone']);
  });

  test.each(['/milk', '/milk/cold'])('that failed is finished before %s is made', async (name) => {
    const { manager, asked, refuse } = await made();
    refuse(stopped);
    await expect(manager.remove('/milk')).rejects.toMatchObject({ code: 'SHARD_STOPPED' });
    await expect(manager.create(wanted)).rejects.toMatchObject({ code: 'SHARD_STOPPED' });
    refuse(null);
    asked.length = 0;
    const pool = manager.create({ ...wanted, name });
    if (name === '/milk') expect((await pool).id).toBe(5);
    else await pool.catch(() => undefined);
    expect(asked.slice(0, 5)).toEqual(['close pool/2', ...swept, 'gone', 'write']);
  });

  test('is done with where its subgroup was taken away', async () => {
    const { manager, asked, refuse, group } = await made();
    refuse(stopped);
    await expect(manager.remove('/milk')).rejects.toMatchObject({ code: 'SHARD_STOPPED' });
    const common = { version: 2, ringSize: 65_536, exclusive: false };
    group.layout = Layout.ofView([1], { ...common, subgroups: [], nextShard: 3 });
    asked.length = 0;
    await manager.remove('/milk');
    expect(asked).toEqual(['gone']);
  });

  test('is left to others as long as its subgroup is not known here', async () => {
    const { manager, refuse, group } = await made();
    refuse(stopped);
    await expect(manager.remove('/milk')).rejects.toMatchObject({ code: 'SHARD_STOPPED' });
    const common = { version: 2, ringSize: 65_536, exclusive: false };
    group.layout = Layout.ofView([1], { ...common, subgroups: [], nextShard: 2 });
    await expect(manager.remove('/milk')).rejects.toMatchObject({ code: 'NOT_CURRENT' });
  });

  test('is left to others by who has no view, and may have another layout', async () => {
    const { manager, asked, refuse, group } = await made();
    refuse(stopped);
    await expect(manager.remove('/milk')).rejects.toMatchObject({ code: 'SHARD_STOPPED' });
    refuse(null);
    group.status.view = 0;
    asked.length = 0;
    await expect(manager.remove('/milk')).rejects.toMatchObject({ code: 'NOT_CURRENT' });
    await expect(manager.create(wanted)).rejects.toMatchObject({ code: 'NOT_CURRENT' });
    expect(asked).toEqual([]);
  });

  test('of a pool that is not known here yet is none of one that there is not', async () => {
    const { manager, group } = await made();
    const common = { version: 2, ringSize: 65_536, exclusive: false };
    group.layout = Layout.ofView([1], { ...common, subgroups: [], nextShard: 2 });
    await expect(manager.remove('/milk')).rejects.toMatchObject({ code: 'NOT_CURRENT' });
  });
});

import { expect, test } from 'vitest';
import { Layout } from '../../../platform/group/layout.ts';
import type { Catalog } from '../../../platform/store/catalog.ts';
import { PoolDirectory } from '../../../platform/store/pool-directory.ts';
import { PoolManager } from '../../../platform/store/pool-manager.ts';
import type { ShardAccess, ShardChange } from '../../../platform/store/shard-access.ts';

const layout = new Layout(
  [1],
  [{ name: 'persistent', kind: 'persistent', shards: 1, replicas: null }],
);

interface Held {
  readonly version: number;
  readonly value: Uint8Array;
}

/**
 * A catalog with one entry at most; `afterWrite` is what others have made of it by then. And its
 * one shard, which tells what it was asked for.
 */
function makeManager(afterWrite: (value: Uint8Array) => Held | null, keys: readonly string[] = []) {
  let held: Held | null = null;
  const asked: string[] = [];
  const handlers: ((key: string) => void)[] = [];
  const tell = (key: string): void => {
    for (const handler of handlers) handler(key);
  };
  const catalog = {
    applied: { epoch: 1, version: 1 },
    keys: () => [],
    entry: () => held,
    peek: (key: string) => (key.startsWith('/system/pools') ? (held?.value ?? null) : null),
    onChange: (handler: (key: string) => void) => handlers.push(handler),
    catchUp: () => Promise.resolve(),
    write: (key: string, value: Uint8Array) => {
      held = afterWrite(value);
      tell(key);
      return Promise.resolve(2);
    },
  } as unknown as Catalog;
  const shard = {
    put: ({ kind, key, value }: ShardChange) => {
      const closes = kind === 'control' && value?.at(18) === 1;
      asked.push(`${closes ? 'close' : kind} ${key}`);
      return Promise.resolve({ version: 1 });
    },
    scan: () => {
      const records = keys.map((key) => ({ key, head: { pool: 2, version: 1 } }));
      return Promise.resolve({ records, resume: null });
    },
  } as unknown as ShardAccess;
  const group = { layout, status: { view: 1 } } as never;
  const directory = new PoolDirectory(catalog, group);
  const manager = new PoolManager(catalog, directory, group, () => shard);
  const lose = (): void => {
    held = null;
    tell(PoolDirectory.keyOf('/milk'));
  };
  return { manager, directory, asked, lose };
}

const wanted = { name: '/milk', kind: 'persistent', history: 16 } as const;

test('a pool that was made has the options that were asked for', async () => {
  const { manager } = makeManager((value) => ({ version: 2, value }));
  expect(await manager.create(wanted)).toMatchObject({ ...wanted, id: 2 });
});

test('who made a pool is not given another one that has taken its place since', async () => {
  const { manager } = makeManager((value) => {
    const other = { ...(JSON.parse(Buffer.from(value).toString()) as object), history: 128 };
    return { version: 4, value: Buffer.from(JSON.stringify(other)) };
  });
  await expect(manager.create(wanted)).rejects.toMatchObject({ code: 'UNKNOWN_POOL' });
});

test('what is in a pool that was removed goes before it is closed, whoever closes it', async () => {
  const made = makeManager((value) => ({ version: 2, value }), ['/milk/1', '/milk/2']);
  const pool = await made.manager.create(wanted);
  made.asked.length = 0;
  made.lose();
  const call = { timeoutMs: 1000, signal: null };
  const repaired = made.manager.repair(pool, pool.shards[0] ?? 0, call);
  await expect(repaired).rejects.toMatchObject({ code: 'UNKNOWN_POOL' });
  const swept = ['remove /milk/1', 'remove /milk/2'];
  expect(made.asked).toEqual(['control pool/2', ...swept, 'close pool/2']);
});

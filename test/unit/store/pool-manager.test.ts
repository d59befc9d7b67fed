import { expect, test } from 'vitest';
import { Layout } from '../../../platform/group/layout.ts';
import type { Catalog } from '../../../platform/store/catalog.ts';
import { PoolDirectory } from '../../../platform/store/pool-directory.ts';
import { PoolManager } from '../../../platform/store/pool-manager.ts';
import type { ShardAccess } from '../../../platform/store/shard-access.ts';

const layout = new Layout(
  [1],
  [{ name: 'persistent', kind: 'persistent', shards: 1, replicas: null }],
);

/** A catalog with one entry at most; `afterWrite` is what others have made of it by then. */
function makeManager(afterWrite: (value: Uint8Array) => { version: number; value: Uint8Array }) {
  let held: { version: number; value: Uint8Array } | null = null;
  const handlers: ((key: string) => void)[] = [];
  const catalog = {
    applied: { epoch: 1, version: 1 },
    keys: () => [],
    entry: () => held,
    peek: (key: string) => (key.startsWith('/system/pools') ? (held?.value ?? null) : null),
    onChange: (handler: (key: string) => void) => handlers.push(handler),
    catchUp: () => Promise.resolve(),
    write: (key: string, value: Uint8Array) => {
      held = afterWrite(value);
      for (const handler of handlers) handler(key);
      return Promise.resolve(2);
    },
  } as unknown as Catalog;
  const shard = {
    put: () => Promise.resolve({ version: 1 }),
    scan: () => Promise.resolve({ records: [], resume: null }),
  } as unknown as ShardAccess;
  const group = { layout, status: { view: 1 } } as never;
  return new PoolManager(catalog, new PoolDirectory(catalog, group), group, () => shard);
}

const wanted = { name: '/milk', kind: 'persistent', history: 16 } as const;

test('a pool that was made has the options that were asked for', async () => {
  const manager = makeManager((value) => ({ version: 2, value }));
  expect(await manager.create(wanted)).toMatchObject({ ...wanted, id: 2 });
});

test('who made a pool is not given another one that has taken its place since', async () => {
  const manager = makeManager((value) => {
    const other = { ...(JSON.parse(Buffer.from(value).toString()) as object), history: 128 };
    return { version: 4, value: Buffer.from(JSON.stringify(other)) };
  });
  await expect(manager.create(wanted)).rejects.toMatchObject({ code: 'UNKNOWN_POOL' });
});

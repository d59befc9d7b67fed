import { expect, test } from 'vitest';
import { ManualClock, type ObjectRecord } from '../../../platform/base/mod.ts';
import { Layout } from '../../../platform/group/layout.ts';
import type { Catalog } from '../../../platform/store/catalog.ts';
import { ObjectStore } from '../../../platform/store/object-store.ts';
import { PoolDirectory } from '../../../platform/store/pool-directory.ts';
import type { ShardAccess, ShardRead } from '../../../platform/store/shard-access.ts';
import { StoreShardSource } from '../../../platform/store/shard-source.ts';

const kinds = ['volatile', 'persistent'] as const;
const layout = new Layout(
  [1],
  kinds.map((kind) => ({ name: kind, kind, shards: 1, replicas: null })),
);
const shardOf = (kind: (typeof kinds)[number]): number =>
  layout.shards.find(({ subgroup }) => subgroup === kind)?.shard ?? 0;

function recordOf(kind: (typeof kinds)[number]): Uint8Array {
  const pool = { name: '/milk', kind, subgroup: kind, history: 16, firstShard: shardOf(kind) };
  const rest = { maxValueBytes: 100, timeAxis: 'commit', schema: 'json', retention: null };
  return Buffer.from(JSON.stringify({ ...pool, ...rest, locations: {} }));
}

/**
 * A member that has heard of a volatile pool; when it catches up, the catalog has `newest` instead.
 * Only the persistent shard has the object.
 */
function makeStore(newest: Uint8Array | null) {
  let held: { version: number; value: Uint8Array } | null = {
    version: 2,
    value: recordOf('volatile'),
  };
  const asked: string[] = [];
  const handlers: ((key: string) => void)[] = [];
  const catalog = {
    keys: () => [PoolDirectory.keyOf('/milk')],
    entry: () => held,
    peek: () => held?.value ?? null,
    onChange: (handler: (key: string) => void) => handlers.push(handler),
    catchUp: () => {
      asked.push('catalog');
      const isAsNew = newest !== null && Buffer.compare(newest, recordOf('volatile')) === 0;
      if (!isAsNew) held = newest === null ? null : { version: 4, value: newest };
      for (const handler of handlers) handler(PoolDirectory.keyOf('/milk'));
      return Promise.resolve();
    },
  } as unknown as Catalog;
  const found = { key: '/milk/1', version: 7, removed: false } as ObjectRecord;
  const access = (shard: number): ShardAccess => {
    const kind = kinds.find((one) => shardOf(one) === shard) ?? 'neither';
    const read = ({ read: level }: ShardRead): Promise<ObjectRecord | null> => {
      asked.push(`${kind} ${level}`);
      return Promise.resolve(kind === 'persistent' ? found : null);
    };
    const glance = (): null => null;
    return { shard, read, glance } as unknown as ShardAccess;
  };
  const store = new ObjectStore({
    core: { addon: { keyPlace: () => 0, limits: {} } } as never,
    group: { layout } as never,
    catalog,
    triggers: {} as never,
    access,
    clock: new ManualClock(),
    maxClockSkewUs: 0,
  });
  const queried = new StoreShardSource(store, access);
  return { store, asked, found, queried };
}

const key = '/milk/1';

test('what another pool in the place of a removed one has is found by who has not heard of it', async () => {
  const { store, asked, found } = makeStore(recordOf('persistent'));
  expect(await store.get({ key })).toEqual(found);
  expect(asked).toEqual(['volatile linearizable', 'catalog', 'persistent linearizable']);
});

test('of a pool that was removed a linearizable read says so', async () => {
  const { store } = makeStore(null);
  await expect(store.get({ key })).rejects.toMatchObject({ code: 'UNKNOWN_POOL' });
});

test('what is not there is not, once the catalog says that its pool is the same', async () => {
  const { store, asked } = makeStore(recordOf('volatile'));
  expect(await store.get({ key })).toBeNull();
  expect(asked).toEqual(['volatile linearizable', 'catalog']);
});

test('a local read goes by what this member has heard', async () => {
  const { store, asked } = makeStore(recordOf('persistent'));
  expect(await store.get({ key, read: 'local' })).toBeNull();
  expect(asked).toEqual(['volatile local']);
});

test('a query goes to the shards of the newest pool', async () => {
  const { queried } = makeStore(recordOf('persistent'));
  expect(await queried.shards('/milk')).toEqual([{ index: 0, shard: shardOf('persistent') }]);
});

import { describe, expect, test } from 'vitest';
import type { SubgroupOptions } from '../../../platform/group/layout-options.ts';
import { Layout } from '../../../platform/group/layout.ts';
import type { Catalog } from '../../../platform/store/catalog.ts';
import { PoolDirectory, type StoredPool } from '../../../platform/store/pool-directory.ts';

const members = [1, 2, 3];
const milk: SubgroupOptions = { name: 'milk', kind: 'persistent', shards: 2, replicas: 2 };
const barn: SubgroupOptions = { ...milk, name: 'barn' };

/** As a view has it: subgroups with the numbers of their first shards. */
function layoutOf(nextShard: number, ...subgroups: (readonly [number, SubgroupOptions])[]): Layout {
  const given = subgroups.map(([first, options]) => ({ first, options }));
  const common = { version: 2, ringSize: 65_536, exclusive: false };
  return Layout.ofView(members, { ...common, subgroups: given, nextShard });
}

function makeDirectory(layout: Layout) {
  const stored = new Map<string, Uint8Array>();
  const handlers: ((key: string) => void)[] = [];
  const catalog = {
    keys: () => [...stored.keys()],
    entry: (key: string) => (stored.has(key) ? { version: 7 } : null),
    peek: (key: string) => stored.get(key) ?? null,
    onChange: (handler: (key: string) => void) => handlers.push(handler),
  };
  const group = { layout };
  const directory = new PoolDirectory(catalog as unknown as Catalog, group);
  const store = (pool: Pick<StoredPool, 'name' | 'subgroup' | 'firstShard'>): void => {
    const key = PoolDirectory.keyOf(pool.name);
    stored.set(key, Buffer.from(JSON.stringify(pool)));
    for (const handler of handlers) handler(key);
  };
  return { directory, group, store };
}

const both = layoutOf(6, [2, milk], [4, barn]);

describe('a pool', () => {
  test('has the shards of its subgroup, and lives in it', () => {
    const { directory, store } = makeDirectory(both);
    store({ name: '/barn', subgroup: 'barn', firstShard: 4 });
    store({ name: '/milk', subgroup: 'milk' });
    expect(directory.get('/barn')).toEqual({
      ...{ name: '/barn', subgroup: 'barn', id: 7, shards: [4, 5] },
    });
    expect([directory.namesIn('barn'), directory.namesIn('milk')]).toEqual([['/barn'], ['/milk']]);
  });

  test('goes with its subgroup, and does not come back with another of the name', () => {
    const { directory, group, store } = makeDirectory(both);
    store({ name: '/barn', subgroup: 'barn', firstShard: 4 });
    expect(directory.find('/barn/a')?.name).toBe('/barn');
    group.layout = layoutOf(6, [2, milk]);
    expect([directory.find('/barn/a'), directory.isEarly('/barn')]).toEqual([null, false]);
    expect(directory.conflict('/barn')).toBeNull();
    group.layout = layoutOf(8, [2, milk], [6, barn]);
    expect([directory.get('/barn'), directory.namesIn('barn')]).toEqual([null, []]);
    store({ name: '/barn', subgroup: 'barn', firstShard: 6 });
    expect(directory.get('/barn')?.shards).toEqual([6, 7]);
  });

  test('of a subgroup that comes with the next view is not there yet', () => {
    const { directory, group, store } = makeDirectory(layoutOf(4, [2, milk]));
    store({ name: '/barn', subgroup: 'barn', firstShard: 4 });
    expect([directory.get('/barn'), directory.isEarly('/barn')]).toEqual([null, true]);
    expect(['/barn/hay', '/bar'].map((name) => directory.isEarly(name))).toEqual([true, false]);
    group.layout = both;
    expect([directory.isEarly('/barn'), directory.get('/barn')?.shards]).toEqual([false, [4, 5]]);
  });
});

import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../../platform/base/mod.ts';
import { Layout } from '../../../platform/group/layout.ts';
import { NativeDoors } from '../../../platform/native-doors.ts';
import type { Member } from '../../../platform/node.ts';
import type { Catalog } from '../../../platform/store/catalog.ts';
import { PoolDirectory } from '../../../platform/store/pool-directory.ts';

const layout = new Layout([1, 2], [{ name: 'milk', kind: 'persistent', shards: 1, replicas: 2 }]);
const common = { subgroup: 'milk', firstShard: 2 };

/** A member as its native door sees it: `named` are the pools that the door knows, by id. */
function makeMember() {
  const entries = new Map<string, { readonly version: number; readonly value: Uint8Array }>();
  const handlers = new Set<(key: string) => void>();
  const catalog = {
    keys: (start: string) => [...entries.keys()].filter((key) => key.startsWith(start)),
    entry: (key: string) => entries.get(key) ?? null,
    peek: (key: string) => entries.get(key)?.value ?? null,
    onChange: (handler: (key: string) => void) => {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
  };
  const named = new Map<number, string>();
  const nameDoorPool = (_member: unknown, id: number, name: string | null): number => {
    if (name === null) named.delete(id);
    else named.set(id, name);
    return 0;
  };
  const addon = { doorPort: () => 7411, nameDoorPool };
  const directory = new PoolDirectory(catalog as unknown as Catalog, { layout });
  const member = {
    nodeId: 1,
    core: { addon, handle: null, listen: () => undefined },
    messages: { handle: () => undefined, up: new Set<number>() },
    store: { catalog, objects: { directory } },
  };
  let version = 1;
  const tell = (name: string): void => {
    for (const handler of handlers) handler(PoolDirectory.keyOf(name));
  };
  /** Returns the version of the entry. `leaving`: the id of the pool that goes. */
  const write = (name: string, leaving: number | null = null): number => {
    const stored = { name, ...common, ...(leaving === null ? {} : { leaving }) };
    entries.set(PoolDirectory.keyOf(name), {
      version: ++version,
      value: Buffer.from(JSON.stringify(stored)),
    });
    tell(name);
    return version;
  };
  const remove = (name: string): void => {
    entries.delete(PoolDirectory.keyOf(name));
    tell(name);
  };
  const open = (): NativeDoors =>
    new NativeDoors(member as unknown as Member, '127.0.0.1', new SeededRandom(1));
  return { named, write, remove, open };
}

describe('the native door knows', () => {
  test('the pools that there are, those that come, and none that has gone', () => {
    const { named, write, remove, open } = makeMember();
    const first = write('/milk');
    open();
    const second = write('/barn');
    expect([...named]).toEqual([
      [first, '/milk'],
      [second, '/barn'],
    ]);
    remove('/milk');
    expect([...named]).toEqual([[second, '/barn']]);
  });

  test('no pool that is leaving, by its id or by that of its entry', () => {
    const { named, write, remove, open } = makeMember();
    const kept = write('/barn');
    const id = write('/milk');
    open();
    write('/milk', id);
    expect([...named]).toEqual([[kept, '/barn']]);
    remove('/milk');
    const next = write('/milk');
    expect([...named]).toEqual([
      [kept, '/barn'],
      [next, '/milk'],
    ]);
  });

  test('no pool that was leaving when its member began', () => {
    const { named, write, open } = makeMember();
    write('/milk', write('/milk'));
    const kept = write('/milkmaid');
    open();
    expect([...named]).toEqual([[kept, '/milkmaid']]);
  });

  test('nothing of what comes once it is closed', () => {
    const { named, write, open } = makeMember();
    open().close();
    write('/milk');
    expect(named.size).toBe(0);
  });
});

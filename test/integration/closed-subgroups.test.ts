import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { isFreshetError, toFreshetError } from '../../platform/base/mod.ts';
import { parseLayoutRequest, type SubgroupOptions } from '../../platform/group/mod.ts';
import { Catalog, catalogFolders } from '../../platform/store/mod.ts';
import { RoamingShard } from '../../platform/store/roaming-shard.ts';
import { startTestCluster, type TestCluster } from '../support/cluster.ts';
import { tempFolder, until } from '../support/mod.ts';

const milk: SubgroupOptions = { name: 'milk', kind: 'persistent', shards: 2, replicas: 2 };
const barn: SubgroupOptions = { name: 'barn', kind: 'volatile', shards: 1, replicas: 2 };
const hay = { name: '/barn/hay', kind: 'volatile', subgroup: 'barn' } as const;

let cluster: TestCluster;

beforeEach(async () => {
  const folder = await tempFolder('closed-subgroups');
  cluster = await startTestCluster({ folder, config: { subgroups: [milk, barn] } });
});

afterEach(async () => {
  vi.restoreAllMocks();
  await cluster.close();
});

const objects = (id: number) => cluster.member(id).store.objects;
const tenants = (id: number) => cluster.member(id).store.tenants;

/** As the leader has it done before it proposes the next view. */
async function close(id: number, names: readonly string[] = ['barn']): Promise<boolean> {
  const { layout, status } = cluster.member(id).group;
  const subgroups = names.map((name) => {
    return { name, first: layout.subgroup(name).shards[0]?.shard ?? 0 };
  });
  return tenants(id).close({ view: status.view + 1, subgroups });
}

async function change(id: number, ...subgroups: SubgroupOptions[]): Promise<void> {
  const wanted = parseLayoutRequest({ subgroups });
  await until(async () => {
    try {
      const { from, to } = await cluster.member(id).group.changeLayout(wanted);
      return from === to && cluster.members.every(({ group }) => group.layoutVersion === to);
    } catch (caught) {
      if (toFreshetError(caught).retryable) return false;
      throw caught;
    }
  });
}

const closed = {
  code: 'NOT_CURRENT',
  retryable: true,
  message: 'The subgroup barn is being taken away, and takes no new pool',
};

/** What is done before the first entry with this key is written, of whichever member. */
function before(key: string, run: () => Promise<unknown>): void {
  vi.restoreAllMocks();
  const write = Reflect.get<Catalog, 'write'>(Catalog.prototype, 'write');
  let isFirst = true;
  vi.spyOn(Catalog.prototype, 'write').mockImplementation(async function late(
    this: Catalog,
    ...[written, ...rest]
  ) {
    if (isFirst && written === key) {
      isFirst = false;
      await run();
    }
    return write.call(this, written, ...rest);
  });
}

test('no member makes a pool in what is about to go, until it is to stay', async () => {
  expect(await close(1)).toBe(true);
  for (const id of cluster.ids) {
    await expect(objects(id).createPool(hay)).rejects.toMatchObject(closed);
    const name = `/milk/${String(id)}`;
    await objects(id).createPool({ name, kind: 'persistent', subgroup: 'milk' });
  }
  expect(await close(2, ['milk'])).toBe(false);
  expect(await close(1, [])).toBe(true);
  await objects(3).createPool(hay);
  expect(await close(1)).toBe(false);
});

test('what is closed for a view is open in it, and after a restart of all', async () => {
  expect(await close(1)).toBe(true);
  await change(2, { ...milk, replicas: 3 }, barn);
  await objects(2).createPool(hay);
  await objects(2).removePool(hay.name);
  expect(await close(1)).toBe(true);
  for (const id of cluster.ids) await cluster.stop(id);
  await Promise.all(cluster.ids.map((id) => cluster.start(id)));
  await cluster.whenRunning();
  await objects(3).createPool(hay);
});

test('of a pool and what closes its subgroup one comes first, and the other sees it', async () => {
  before(`${catalogFolders.pools}${hay.name}`, async () => {
    expect(await close(1)).toBe(true);
  });
  await expect(objects(2).createPool(hay)).rejects.toMatchObject(closed);
  expect(await close(1, [])).toBe(true);
  before(catalogFolders.closing, () => objects(2).createPool(hay));
  expect(await close(1)).toBe(false);
  for (const id of cluster.ids) expect((await objects(id).pool(hay.name)).name).toBe(hay.name);
});

test('a pool made after the leader looked keeps its subgroup', async () => {
  // The look is over, and the view is not proposed yet.
  const made = new Promise((resolve) => {
    before(catalogFolders.closing, async () => {
      resolve(await objects(2).createPool(hay));
    });
  });
  const changed = change(1, milk).catch((error: unknown) => error);
  await made;
  expect(await changed).toMatchObject({
    code: 'INVALID_CONFIG',
    message: 'the subgroup barn would be taken away, and has the pool /barn/hay',
  });
  expect(cluster.members.map(({ group }) => group.layoutVersion)).toEqual([1, 1, 1]);
  await objects(3).put({ key: '/barn/hay/a', value: Buffer.from('here') });
});

test('no pool is lost while its subgroup goes and comes', async () => {
  const rounds = 8;
  let isOver = false;
  let made = 0;
  const lost: string[] = [];
  const makers = [2, 3].map(async (id) => {
    for (let nth = 0; !isOver; nth++) {
      const name = `/barn/${String(id)}/${String(nth)}`;
      try {
        await objects(id).createPool({ ...hay, name });
      } catch (caught) {
        const { code } = toFreshetError(caught);
        // There is none at the moment, or not for long.
        expect(['INVALID_POOL', 'NOT_CURRENT', 'OVERLOADED']).toContain(code);
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      made++;
      await objects(id)
        .removePool(name)
        .catch((caught: unknown) => {
          if (!isFreshetError(caught, 'UNKNOWN_POOL')) throw caught;
          lost.push(name);
        });
    }
  });
  for (let round = 0; round < rounds && lost.length === 0; round++) {
    const wanted = parseLayoutRequest({ subgroups: round % 2 === 0 ? [milk] : [milk, barn] });
    const { group } = cluster.member((round % 3) + 1);
    await until(async () => {
      try {
        const { from, to } = await group.changeLayout(wanted);
        return from === to;
      } catch (caught) {
        // A pool lives in it now.
        const error = toFreshetError(caught);
        if (error.retryable || error.code === 'INVALID_CONFIG') return false;
        throw caught;
      }
    });
  }
  isOver = true;
  await Promise.all(makers);
  expect(lost).toEqual([]);
  expect(made).toBeGreaterThan(0);
});

test('a pool is removed also when its subgroup goes before all of it is swept', async () => {
  await objects(2).createPool(hay);
  await objects(2).put({ key: '/barn/hay/a', value: Buffer.from('here') });
  const remove = Reflect.get<Catalog, 'remove'>(Catalog.prototype, 'remove');
  vi.spyOn(Catalog.prototype, 'remove').mockImplementation(async function late(this: Catalog, key) {
    await remove.call(this, key);
    await change(1, milk);
  });
  await objects(2).removePool(hay.name);
  await expect(objects(2).removePool(hay.name)).rejects.toMatchObject({ code: 'UNKNOWN_POOL' });
});

test('of many puts those into a subgroup that went are refused, and no others', async () => {
  const pool = { name: '/milk', kind: 'persistent', subgroup: 'milk' } as const;
  await objects(1).createPool(pool);
  const { shards } = await objects(1).createPool(hay);
  const send = Reflect.get<RoamingShard, 'putMany'>(RoamingShard.prototype, 'putMany');
  const begin = Reflect.get<RoamingShard, 'begin'>(RoamingShard.prototype, 'begin');
  const begun = vi.spyOn(RoamingShard.prototype, 'begin');
  begun.mockImplementation(function elsewhere(this: RoamingShard, puts) {
    return !shards.includes(this.shard) && begin.call(this, puts);
  });
  const many = vi.spyOn(RoamingShard.prototype, 'putMany');
  many.mockImplementation(async function late(this: RoamingShard, ...puts) {
    if (shards.includes(this.shard)) {
      await objects(1).removePool(hay.name);
      await change(1, milk);
    }
    return send.apply(this, puts);
  });
  const keys = ['/barn/hay/a', '/milk/a', '/milk/b', '/milk/c'];
  const value = Buffer.from('here');
  const outcomes = await objects(2).putMany(keys.map((key) => ({ key, value })));
  const [gone, ...others] = outcomes;
  expect(gone).toMatchObject({ code: 'UNKNOWN_POOL' });
  expect(others.map((outcome) => isFreshetError(outcome))).toEqual([false, false, false]);
});

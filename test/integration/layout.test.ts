import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bytes, startTestCluster, type TestCluster, text } from '../support/cluster.ts';
import { makeTempFolder, type TemporaryFolder } from '../support/mod.ts';

let folder: TemporaryFolder;
let cluster: TestCluster | null = null;

beforeEach(async () => {
  folder = await makeTempFolder('layout');
});

afterEach(async () => {
  await cluster?.close();
  cluster = null;
  await folder.remove();
});

async function start(config: Readonly<Record<string, unknown>>): Promise<TestCluster> {
  cluster = await startTestCluster({ folder: folder.path, members: 3, config });
  return cluster;
}

describe('a layout', () => {
  test('with one sender takes puts at every member, in one order', async () => {
    const shards = [{ replicas: 2, reserved: [2, 3], senders: [3] }];
    const running = await start({
      subgroups: [{ name: 'volatile', kind: 'volatile', shards }],
    });
    const { ids } = running;
    const member = (id: number) => running.member(id);
    await member(1).store.objects.createPool({ name: '/p', kind: 'volatile' });
    // 3 sends, 2 holds the shard and does not send, 1 does not hold it.
    const results = await Promise.all(
      ids.map(async (id) =>
        member(id).store.objects.put({ key: '/p/key', value: bytes(String(id)) }),
      ),
    );
    expect(results.map(({ version }) => version).sort()).toEqual([1, 2, 3]);
    const newest = ids[results.findIndex(({ version }) => version === 3)];
    for (const id of ids) {
      const found = await member(id).store.objects.get({ key: '/p/key' });
      expect([found?.version, text(found?.value ?? null)]).toEqual([3, String(newest)]);
    }
    const many = await member(2).store.objects.putMany(
      ['a', 'b'].map((name) => ({ key: `/p/${name}`, value: bytes(name) })),
    );
    expect(many).toMatchObject([{ version: 4 }, { version: 5 }]);
  });

  test('of Cascade places shards on the members that are its nodes', async () => {
    const file = path.join(folder.path, 'layout.json');
    const shard = (node: number) => ({
      min_nodes_by_shard: ['1'],
      max_nodes_by_shard: ['1'],
      reserved_node_ids_by_shard: [[String(node)]],
      delivery_modes_by_shard: ['Ordered'],
      profiles_by_shard: ['DEFAULT'],
    });
    const types = [
      { type_alias: 'CascadeMetadataService', layout: [shard(0)] },
      { type_alias: 'VolatileCascadeStoreWithStringKey', layout: [shard(1)] },
      { type_alias: 'PersistentCascadeStoreWithStringKey', layout: [shard(2), shard(0)] },
      { type_alias: 'TriggerCascadeNoStoreWithStringKey', layout: [] },
    ];
    await writeFile(file, JSON.stringify(types));
    const running = await start({ layout: { file } });
    const member = (id: number) => running.member(id);
    const { layout } = member(1).group;
    expect(layout.fingerprint()).toBe(
      '1:catalog:p:1,2,3;2:volatile:v:2;3:persistent:p:3;4:persistent-1:p:1',
    );
    const { objects } = member(1).store;
    const pool = { kind: 'persistent', subgroup: 'persistent-1' } as const;
    await objects.createPool({ name: '/second', ...pool });
    await member(3).store.objects.put({ key: '/second/a', value: bytes('x') });
    expect(text((await objects.get({ key: '/second/a' }))?.value ?? null)).toBe('x');
  });

  test('whose minimum the members cannot meet is refused before anything is made', async () => {
    const subgroups = [{ name: 'a', kind: 'volatile', shards: 2, replicas: 5, minReplicas: 4 }];
    await expect(start({ subgroups })).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      mend: 'Add 1 to members, or lower minReplicas of this shard by 1',
    });
    await expect(start({ subgroups, layout: { file: 'x.json' } })).rejects.toMatchObject({
      message: 'Both layout.file and subgroups are given',
    });
    await expect(start({ layout: { file: 'not-there.json' } })).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      mend: 'Correct layout.file, or leave it out',
    });
  });
});

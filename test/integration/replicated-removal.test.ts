import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLogger } from '../../platform/base/mod.ts';
import { ReplicatedHost } from '../../platform/replicated/mod.ts';
import { StoreLog } from '../../platform/replicated/store-log.ts';
import { startTestCluster, type TestCluster } from '../support/cluster.ts';
import { makeTempFolder, type TemporaryFolder, until } from '../support/mod.ts';
import { Counter } from '../unit/replicated/counter.ts';

let folder: TemporaryFolder;
let cluster: TestCluster;
let hosts: readonly ReplicatedHost[];
const warnings: string[] = [];

beforeAll(async () => {
  folder = await makeTempFolder('replicated-removal');
  cluster = await startTestCluster({ folder: folder.path });
  const log = createLogger({
    level: 'warn',
    destination: { write: (line) => warnings.push(line) },
  });
  hosts = cluster.members.map(({ nodeId, group, messages, store, clock }) => {
    return new ReplicatedHost({ nodeId, group, messages, store, clock, log }, 'first');
  });
});

afterAll(async () => {
  for (const host of hosts) host.close();
  await cluster.close();
  await folder.remove();
});

test.each(['volatile', 'persistent'] as const)(
  'a %s object whose pool is removed is unknown, and begins anew when there is one again',
  async (kind) => {
    const name = `/gone/${kind}`;
    const options = { name, kind, shard: 0, snapshotCalls: 4 };
    const objects = await Promise.all(hosts.map(async (host) => host.open(Counter, options)));
    for (let nth = 0; nth < 10; nth++) await objects[nth % 3]?.ordered.add(5);
    await cluster.member(2).store.objects.removePool(name);
    for (const object of objects) {
      await expect(object.ordered.add(1)).rejects.toMatchObject({ code: 'UNKNOWN_POOL' });
      await until(async () => {
        const refused = await object.local.total().catch((error: unknown) => error);
        return (refused as { code?: string }).code === 'UNKNOWN_POOL';
      });
    }
    const again = { name, kind, subgroup: kind, index: 0, snapshotCalls: 4 };
    await StoreLog.open(cluster.member(3).store, again);
    for (let nth = 1; nth <= 10; nth++) {
      expect(await objects[nth % 3]?.ordered.add(1)).toBe(nth);
    }
    const everywhere = await objects[0]?.everywhere.add(1);
    const counted = { ok: true, value: 11 };
    expect(everywhere).toEqual(new Map(cluster.ids.map((id) => [id, counted])));
    expect(warnings).toEqual([]);
  },
);

import { afterEach, describe, expect, test } from 'vitest';
import type { SubgroupOptions } from '../../platform/group/mod.ts';
import type { LocalCluster } from '../../platform/local-cluster.ts';
import type { ObjectRecord } from '../../platform/store/mod.ts';
import { startProcessCluster, text } from '../support/cluster.ts';
import { expectFound, request, startWriting, whenInForce } from '../support/layouts.ts';
import { tempFolder, until } from '../support/mod.ts';

let cluster: LocalCluster | null = null;

afterEach(async () => {
  await cluster?.close();
  cluster = null;
});

const ids = [1, 2, 3, 4];
const milk: SubgroupOptions = { name: 'milk', kind: 'persistent', shards: 2, replicas: 2 };
const barn: SubgroupOptions = { name: 'barn', kind: 'persistent', shards: 2, replicas: 3 };

async function start(): Promise<LocalCluster> {
  const folder = await tempFolder('layout-change');
  const config = { subgroups: [milk], layout: { replaceAfterMs: 1000 } };
  const running = await startProcessCluster(folder, { members: 4, config });
  cluster = running;
  await running.call(1, 'createPool', { name: '/milk', kind: 'persistent', subgroup: 'milk' });
  return running;
}

/** Every shard has the members that it is to have, as this member sees it. */
async function whenSettled(running: LocalCluster, at: number): Promise<void> {
  await until(async () => (await running.call(at, 'isLaidOut')) === true);
}

async function versions(running: LocalCluster): Promise<unknown[]> {
  return Promise.all(ids.map((id) => running.call(id, 'layoutVersion')));
}

test('subgroups and members of shards come and go while it is written to', async () => {
  const running = await start();
  const writers = await startWriting(running, '/milk/w', ids);
  await writers.whenMore(200);
  const grown = [{ ...milk, replicas: 4, minReplicas: 3 }, barn];
  expect(await running.call(3, 'changeLayout', request(grown, { dryRun: true }))).toMatchObject({
    from: 1,
    to: 2,
    lines: [
      'the subgroup milk: replicas 2 becomes 4, minReplicas 1 becomes 3',
      'the subgroup barn is added: persistent, 2 shards of 1 to 3 members',
    ],
  });
  expect(await versions(running)).toEqual([1, 1, 1, 1]);
  expect(await whenInForce(running, 3, request(grown))).toBe(2);
  await running.call(4, 'createPool', { name: '/barn', kind: 'persistent', subgroup: 'barn' });
  const more = await startWriting(running, '/barn/w', [1, 4]);
  await whenSettled(running, 2);
  await writers.whenMore(200);
  expect(await running.call(2, 'holders', 2)).toHaveLength(4);

  expect(await whenInForce(running, 2, request([{ ...milk, replicas: 1 }, barn]))).toBe(3);
  await whenSettled(running, 4);
  await Promise.all([writers.whenMore(200), more.whenMore(100)]);
  expect(await running.call(4, 'holders', 2)).toHaveLength(1);
  expect([...writers.ended, ...more.ended]).toEqual([]);
  for (const id of ids) {
    await expectFound(running, id, '/milk/w', [...writers.told]);
    await expectFound(running, id, '/barn/w', [...more.told]);
  }
});

test('a change goes on without its leader, and is there when all come back', async () => {
  const running = await start();
  const others = [2, 3, 4];
  const writers = await startWriting(running, '/milk/w', others);
  await writers.whenMore(100);
  const wanted = request([{ ...milk, replicas: 3 }, barn]);
  await running.call(2, 'changeLayout', wanted);
  await running.kill(1);
  expect(await whenInForce(running, 2, wanted)).toBe(2);
  await running.call(3, 'createPool', { name: '/barn', kind: 'persistent', subgroup: 'barn' });
  const more = await startWriting(running, '/barn/w', others);
  await more.whenMore(100);
  // Its configuration is the old one.
  await running.start(1);
  await running.whenRunning();
  await whenSettled(running, 1);
  expect(await versions(running)).toEqual([2, 2, 2, 2]);

  for (const id of ids) await running.kill(id);
  const told = { milk: [...writers.told], barn: [...more.told] };
  await Promise.all(ids.map((id) => running.start(id)));
  await running.whenRunning();
  expect(await versions(running)).toEqual([2, 2, 2, 2]);
  for (const id of ids) {
    await expectFound(running, id, '/milk/w', told.milk);
    await expectFound(running, id, '/barn/w', told.barn);
  }
  await running.call(1, 'put', { key: '/barn/last', value: Buffer.from('here') });
  const found = (await running.call(4, 'get', {
    key: '/barn/last',
    read: 'linearizable',
  })) as ObjectRecord | null;
  expect(text(found?.value)).toBe('here');
});

describe('what cannot be', () => {
  test('is refused at every member, with what to mend', async () => {
    const running = await start();
    const refused = async (at: number, wanted: unknown, given: object): Promise<void> => {
      await expect(running.call(at, 'changeLayout', wanted)).rejects.toMatchObject(given);
    };
    await refused(2, request([barn]), {
      code: 'INVALID_CONFIG',
      message: 'the subgroup milk would be taken away, and has the pool /milk',
      mend: expect.stringContaining('or keep the subgroup in the file: {"name":"milk"') as string,
    });
    await refused(1, request([{ ...milk, minReplicas: 3 }]), {
      mend: 'Set minReplicas to 2, or replicas to 3',
    });
    await refused(3, request([milk, { ...barn, replicas: 9 }]), {
      mend: 'Set replicas to 4 at most',
    });
    await refused(3, { subgroups: [{ name: 'barn' }] }, { code: 'INVALID_CONFIG' });
    await refused(3, request([milk, barn], { expect: 7 }), { code: 'CONDITION_FAILED' });
    await running.call(4, 'changeLayout', request([milk], { expect: 7 }));
    expect(await versions(running)).toEqual([1, 1, 1, 1]);
  });
});

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { Layout, parseLayoutRequest, type SubgroupOptions } from '../../platform/group/mod.ts';
import type { LocalCluster } from '../../platform/local-cluster.ts';
import { Replicated, ReplicatedHost } from '../../platform/replicated/mod.ts';
import type { ObjectRecord } from '../../platform/store/mod.ts';
import { startProcessCluster, startTestCluster, text } from '../support/cluster.ts';
import { expectFound, request, startWriting, whenInForce } from '../support/layouts.ts';
import { tempFolder, until } from '../support/mod.ts';

let cluster: { close(): Promise<void> } | null = null;

afterEach(async () => {
  await cluster?.close();
  cluster = null;
});

const ids = [1, 2, 3];
const milk: SubgroupOptions = { name: 'milk', kind: 'persistent', shards: 2, replicas: 2 };
const barn: SubgroupOptions = { name: 'barn', kind: 'persistent', shards: 1, replicas: 3 };
const shard = new Layout(ids, [milk, barn]).subgroup('barn').shards[0]?.shard ?? 0;

async function start(): Promise<{ running: LocalCluster; folder: string }> {
  const folder = await tempFolder('layout-removal');
  // What is not open any more goes from the disk at once.
  const config = { subgroups: [milk, barn], logs: { keepLeftHours: 0 } };
  const running = await startProcessCluster(folder, { members: 3, config });
  cluster = running;
  for (const { name } of [milk, barn]) {
    const pool = { name: `/${name}`, kind: 'persistent', subgroup: name };
    await running.call(1, 'createPool', pool);
  }
  await running.call(2, 'put', { key: '/barn/a', value: Buffer.from('hay') });
  return { running, folder };
}

const put = (running: LocalCluster, at: number, key: string): Promise<unknown> =>
  running.call(at, 'put', { key, value: Buffer.from('here'), timeoutMs: 20_000 });

/** It is nowhere: whoever asks is told so at once, at every member. */
async function expectGone(running: LocalCluster): Promise<void> {
  for (const id of ids) {
    const code = 'UNKNOWN_POOL';
    await expect(put(running, id, '/barn/b')).rejects.toMatchObject({ code });
    await expect(running.call(id, 'get', { key: '/barn/a' })).rejects.toMatchObject({ code });
    const again = { name: '/barn', kind: 'persistent', subgroup: 'barn' };
    await expect(running.call(id, 'createPool', again)).rejects.toMatchObject({
      code: 'INVALID_POOL',
      message: expect.stringContaining('There is no subgroup barn') as string,
    });
    expect(await running.call(id, 'holders', shard)).toEqual([]);
    expect(await running.call(id, 'layoutVersion')).toBe(2);
  }
}

async function takeAway(running: LocalCluster): Promise<void> {
  await running.call(3, 'removePool', '/barn');
  expect(await whenInForce(running, 2, request([milk]))).toBe(2);
  await until(async () => {
    const versions = await Promise.all(ids.map((id) => running.call(id, 'layoutVersion')));
    return versions.every((version) => version === 2);
  });
}

test('a subgroup goes once no pool lives in it, and the others go on', async () => {
  const { running, folder } = await start();
  const writers = await startWriting(running, '/milk/w', ids);
  await writers.whenMore(100);
  for (const dryRun of [true, false]) {
    await expect(
      running.call(2, 'changeLayout', request([milk], { dryRun })),
    ).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: 'the subgroup barn would be taken away, and has the pool /barn',
      mend: expect.stringContaining('freshet pool rm /barn') as string,
    });
  }
  await takeAway(running);
  await expectGone(running);
  await writers.whenMore(100);
  expect(writers.ended).toEqual([]);
  for (const id of ids) await expectFound(running, id, '/milk/w', [...writers.told]);

  // Its configuration, and the log on its disk, are the old ones.
  await running.kill(3);
  await running.start(3);
  await running.whenRunning();
  await expectGone(running);
  await put(running, 3, '/milk/last');

  for (const id of ids) await running.kill(id);
  const told = [...writers.told];
  await Promise.all(ids.map((id) => running.start(id)));
  await running.whenRunning();
  await expectGone(running);
  for (const id of ids) {
    await expectFound(running, id, '/milk/w', told);
    const files = join(folder, `member-${String(id)}`);
    await until(async () => !(await readdir(files)).includes(`shard-${String(shard)}`));
  }
});

test('one of its name that is added again is empty, and another one', async () => {
  const { running } = await start();
  await takeAway(running);
  await running.kill(1);
  const added = request([milk, { ...barn, kind: 'volatile' }]);
  expect(await whenInForce(running, 2, added)).toBe(3);
  await running.start(1);
  await running.whenRunning();
  const pool = { name: '/barn', kind: 'volatile', subgroup: 'barn' };
  expect(await running.call(1, 'createPool', pool)).toMatchObject({ shards: [shard + 1] });
  for (const id of ids) {
    const key = `/barn/${String(id)}`;
    expect(await running.call(id, 'get', { key: '/barn/a', read: 'linearizable' })).toBeNull();
    await put(running, id, key);
    const read = { key, read: 'linearizable' };
    const found = (await running.call(id, 'get', read)) as ObjectRecord | null;
    expect(text(found?.value)).toBe('here');
  }
});

class Tally extends Replicated {
  static readonly calls = { add: 'ordered' } as const;
  #count = 0;

  add(): number {
    this.#count++;
    return this.#count;
  }

  override snapshot(): Uint8Array {
    return Uint8Array.of(this.#count);
  }

  override restore(bytes: Uint8Array): void {
    [this.#count = 0] = bytes;
  }
}

test('whoever uses it still is told that it is gone, and waits for nothing', async () => {
  const config = { subgroups: [milk, { ...barn, kind: 'volatile', replicas: 2 }] };
  const running = await startTestCluster({ folder: await tempFolder('layout-removal'), config });
  cluster = running;
  const { members } = running;
  const place = { name: '/barn/tally', kind: 'volatile', subgroup: 'barn' } as const;
  const hosts = members.map((member) => new ReplicatedHost(member, 'run'));
  // One of them has no copy, and calls through another.
  const tallies = await Promise.all(hosts.map((host) => host.open(Tally, place)));
  for (const [nth, tally] of tallies.entries()) expect(await tally.ordered.add()).toBe(nth + 1);
  await running.member(1).store.objects.createPool({ ...place, name: '/barn/w' });
  const watches = await Promise.all(
    members.map(({ store }) => store.objects.openWatch({ prefix: '/barn/w' })),
  );
  const events = watches.map(async (watch) => watch.next());
  for (const event of events) event.catch(() => undefined);

  for (const name of ['/barn/w', place.name])
    await running.member(2).store.objects.removePool(name);
  const wanted = parseLayoutRequest({ subgroups: [milk] });
  await until(async () => {
    const { from, to } = await running.member(3).group.changeLayout(wanted);
    return from === to && members.every(({ group }) => group.layoutVersion === 2);
  });
  const gone = { code: 'UNKNOWN_POOL' };
  for (const event of events) await expect(event).rejects.toMatchObject(gone);
  for (const tally of tallies) await expect(tally.ordered.add()).rejects.toMatchObject(gone);
  for (const { store } of members) expect(await store.newestVersion(shard)).toBe(0);
  for (const host of hosts) host.close();
});

import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { LocalCluster } from '../../platform/local-cluster.ts';
import { startMember } from '../../platform/node.ts';
import type { ObjectRecord } from '../../platform/store/mod.ts';
import { bytes, startProcessCluster, startTestCluster, text } from '../support/cluster.ts';
import { tempFolder, until } from '../support/mod.ts';

let cluster: LocalCluster | null = null;

afterEach(async () => {
  await cluster?.close();
  cluster = null;
});

const milk = { name: '/milk', kind: 'persistent' } as const;

/** Counts what members' writers were told; a process may die between telling and anything else. */
function countAcknowledged(of: LocalCluster): Map<number, number[]> {
  const counts = new Map<number, number[]>();
  for (const { id, process } of of.members) {
    const numbers: number[] = [];
    counts.set(id, numbers);
    process?.on('message', (message: { type: string; number: number }) => {
      if (message.type === 'acknowledged') {
        numbers.push(message.number);
      }
    });
  }
  return counts;
}

async function expectAll(of: LocalCluster, numbers: readonly number[]): Promise<void> {
  const keys = new Set((await of.call(2, 'list', '/milk')) as string[]);
  const lost = numbers.filter((number) => {
    return !keys.has(`/milk/w/${String(number % 97)}/${String(number)}`);
  });
  expect(lost).toEqual([]);
  for (const number of numbers.filter((_, nth) => nth % 50 === 0)) {
    const key = `/milk/w/${String(number % 97)}/${String(number)}`;
    const found = (await of.call(1, 'get', { key })) as ObjectRecord | null;
    expect(text(found?.value)).toBe(String(number));
  }
}

describe('kill -9', () => {
  test('of all members loses nothing that was acknowledged', async () => {
    const folder = await tempFolder('restart');
    const running = await startProcessCluster(folder);
    cluster = running;
    await cluster.call(1, 'createPool', milk);
    let first = 0;
    const everything: number[] = [];
    for (let round = 0; round < 2; round++) {
      const counts = countAcknowledged(cluster);
      for (const id of [1, 2, 3]) {
        first += 1_000_000;
        await cluster.call(id, 'writeUntilFailure', { prefix: '/milk/w', lanes: 8, first });
      }
      await until(() => [...counts.values()].every((numbers) => numbers.length >= 200));
      await Promise.all([1, 2, 3].map((id) => running.kill(id)));
      everything.push(...[...counts.values()].flat());
      await Promise.all([3, 1, 2].map((id) => running.start(id)));
      await cluster.whenRunning();
      await expectAll(cluster, everything);
    }
    expect(everything.length).toBeGreaterThanOrEqual(1200);
  });

  test('of a majority stops the shards, and the cluster heals when it is back', async () => {
    const folder = await tempFolder('heal');
    const running = await startProcessCluster(folder);
    cluster = running;
    await cluster.call(1, 'createPool', milk);
    await cluster.call(1, 'createPool', { name: '/herd', kind: 'volatile' });
    await cluster.call(1, 'put', { key: '/herd/kept', value: bytes('in memory') });
    const counts = countAcknowledged(cluster);
    for (const id of [1, 2]) {
      const first = id * 1_000_000;
      await cluster.call(id, 'writeUntilFailure', { prefix: '/milk/w', lanes: 4, first });
    }
    await until(() => (counts.get(1)?.length ?? 0) + (counts.get(2)?.length ?? 0) >= 300);
    await Promise.all([2, 3].map((id) => running.kill(id)));
    await cluster.call(1, 'whenWritten');
    await expect(
      cluster.call(1, 'put', { key: '/milk/now', value: bytes('x'), timeoutMs: 300 }),
    ).rejects.toMatchObject({
      code: 'SHARD_STOPPED',
      message: expect.stringContaining('member 2, 3') as string,
    });
    // What is applied can still be read.
    expect(await cluster.call(1, 'get', { key: '/herd/kept', read: 'local' })).not.toBeNull();

    await cluster.start(3);
    await cluster.start(2);
    await cluster.whenRunning();
    await cluster.call(3, 'put', { key: '/milk/now', value: bytes('again') });
    await expectAll(cluster, [...counts.values()].flat());
    const kept = (await cluster.call(3, 'get', { key: '/herd/kept' })) as ObjectRecord | null;
    expect(text(kept?.value)).toBe('in memory');
  });

  test('of all: what is stable is not told before it is known again', async () => {
    const folder = await tempFolder('stable');
    const running = await startProcessCluster(folder);
    cluster = running;
    await cluster.call(1, 'createPool', milk);
    await cluster.call(1, 'put', { key: '/milk/one', value: bytes('1') });
    await Promise.all([1, 2, 3].map((id) => running.kill(id)));
    await running.start(1);
    const get = async (read: string) => {
      const call = running.call(1, 'get', { key: '/milk/one', read, timeoutMs: 500 });
      return (await call) as ObjectRecord | null;
    };
    expect(text((await get('local'))?.value)).toBe('1');
    // The others may have less on disk, and a majority of them would cut what is here.
    await expect(get('stable')).rejects.toMatchObject({ code: 'SHARD_STOPPED' });
    await running.start(2);
    await running.start(3);
    await running.whenRunning();
    expect(text((await get('stable'))?.value)).toBe('1');
  });

  test('of the leader and a follower, one after the other', async () => {
    const folder = await tempFolder('leader');
    cluster = await startProcessCluster(folder);
    await cluster.call(1, 'createPool', milk);
    for (const id of [1, 3]) {
      await cluster.call(2, 'put', {
        key: `/milk/${String(id)}`,
        value: bytes('x'),
      });
      await cluster.kill(id);
      await cluster.start(id);
      await cluster.whenRunning();
    }
    expect(await cluster.call(3, 'list', '/milk')).toEqual(['/milk/1', '/milk/3']);
  });
});

describe('a restart', () => {
  test('goes on with versions, history, tokens and pools', async () => {
    const folder = await tempFolder('again');
    let members = await startTestCluster({ folder });
    const put = async (value: string): Promise<number> =>
      (await members.member(1).store.objects.put({ key: '/milk/cow', value: bytes(value) }))
        .version;
    await members.member(2).store.objects.createPool(milk);
    const one = await put('one');
    const watch = await members.member(3).store.objects.openWatch({ prefix: '/milk' });
    const { token } = watch;
    await watch.return();
    const two = await put('two');
    await members.close();

    members = await startTestCluster({ folder });
    try {
      const three = await put('three');
      expect([two, three]).toEqual([one + 1, one + 2]);
      const { objects } = members.member(2).store;
      expect((await objects.pools()).map(({ name }) => name)).toEqual(['/milk']);
      expect(text((await objects.get({ key: '/milk/cow', version: one }))?.value)).toBe('one');
      const seen: string[] = [];
      for await (const { object } of objects.watch({ prefix: '/milk', from: token })) {
        seen.push(text(object.value) ?? '');
        if (seen.length === 2) {
          break;
        }
      }
      expect(seen).toEqual(['two', 'three']);
    } finally {
      await members.close();
    }
  });

  test('a member whose disk was wiped is filled by the others', async () => {
    const folder = await tempFolder('wiped');
    const members = await startTestCluster({ folder });
    try {
      await members.member(1).store.objects.createPool(milk);
      for (let nth = 0; nth < 200; nth++) {
        const value = Buffer.alloc(10_000, String(nth));
        await members.member(1).store.objects.put({ key: `/milk/${String(nth)}`, value });
      }
      await members.stop(2);
      await rm(join(folder, 'member-2'), { recursive: true });
      await members.start(2);
      await members.whenRunning();
      const { objects } = members.member(2).store;
      const found = await objects.get({ key: '/milk/123', read: 'local' });
      expect(found?.value?.byteLength).toBe(10_000);
      const keys: string[] = [];
      for await (const key of objects.list({ prefix: '/milk' })) {
        keys.push(key);
      }
      expect(keys).toHaveLength(200);
    } finally {
      await members.close();
    }
  });
});

describe('while a majority is away', () => {
  test('changes wait for it, watches go on afterwards, and views tell', async () => {
    const folder = await tempFolder('away');
    const members = await startTestCluster({ folder });
    try {
      const one = members.member(1);
      await one.store.objects.createPool(milk);
      const watch = await one.store.objects.openWatch({ prefix: '/milk' });
      const views = one.group.watchView();
      await members.stop(3);
      await members.stop(2);
      // A change under way at that moment would have an unknown effect.
      await until(() => members.members.every(({ group }) => !group.view.running));
      const key = '/milk/waited';
      await expect(
        one.store.objects.put({ key, value: bytes('x'), timeoutMs: 200 }),
      ).rejects.toMatchObject({ code: 'SHARD_STOPPED', details: { missing: '2, 3' } });
      const waiting = one.store.objects.put({ key, value: bytes('y') });
      const reading = one.store.objects.get({ key });
      await members.start(3);
      await members.start(2);
      await members.whenRunning();
      expect((await waiting).version).toBeGreaterThan(0);
      await reading;
      const { value } = await watch.next();
      expect(text(value?.object.value)).toBe('y');
      await watch.return();

      const seen: string[] = [];
      for await (const view of views) {
        seen.push(`${String(view.number)} ${view.running ? 'runs' : 'stands'}`);
        if (view.number > 2 && view.running) {
          break;
        }
      }
      // The first to go leaves a view of two; with the second there is no majority of it.
      expect(seen).toContain('1 runs');
      expect(seen).toContain('2 stands');
    } finally {
      await members.close();
    }
  });

  test('a retry under its session identity is applied once', async () => {
    const folder = await tempFolder('session');
    const members = await startTestCluster({ folder });
    try {
      await members.member(1).store.objects.createPool(milk);
      const request = {
        key: '/milk/once',
        value: bytes('x'),
        session: { session: 77, request: 1, lowestUnanswered: 1 },
      };
      const first = await members.member(1).store.objects.put(request);
      await members.stop(2);
      await members.start(2);
      await members.whenRunning();
      const again = await members.member(2).store.objects.put(request);
      expect(again).toMatchObject({ version: first.version, epoch: first.epoch });
      const other = { ...request.session, request: 2 };
      const next = await members.member(3).store.objects.put({ ...request, session: other });
      expect(next.version).toBe(first.version + 1);
    } finally {
      await members.close();
    }
  });
});

describe('a start that cannot be is one sentence and the mend', () => {
  test('two members on one folder, a busy port, a newer format, an unknown setting', async () => {
    const folder = await tempFolder('refused');
    const members = await startTestCluster({ folder, members: 1 });
    try {
      const config = members.configOf(1);
      await expect(startMember(config)).rejects.toMatchObject({
        code: expect.stringMatching(/^(DATA_IN_USE|ADDRESS_IN_USE)$/) as string,
      });
      const other = { ...config, dataFolder: join(folder, 'other') };
      await expect(startMember({ ...config, datafolder: 'x' })).rejects.toMatchObject({
        code: 'INVALID_CONFIG',
        message: expect.stringContaining('did you mean dataFolder?') as string,
      });
      await expect(startMember({ ...other, node: 2 })).rejects.toMatchObject({
        code: 'INVALID_CONFIG',
        message: 'node 2 is not among members',
      });
      // The folder did not become that of the wrong node.
      await expect(startMember(other)).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' });
    } finally {
      await members.close();
    }
    await writeFile(
      join(folder, 'member-1', 'format.json'),
      '{"format":9,"cluster":"test","node":1,"disk":"x"}',
    );
    await expect(startMember(members.configOf(1))).rejects.toMatchObject({ code: 'NEWER_FORMAT' });
  });
});

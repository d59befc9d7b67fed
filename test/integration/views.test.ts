import { afterEach, describe, expect, test } from 'vitest';
import { Layout } from '../../platform/group/mod.ts';
import type { LocalCluster } from '../../platform/local-cluster.ts';
import type { ObjectRecord } from '../../platform/store/mod.ts';
import {
  bytes,
  startProcessCluster,
  startTestCluster,
  type TestCluster,
  text,
} from '../support/cluster.ts';
import { tempFolder, until } from '../support/mod.ts';

let cluster: LocalCluster | TestCluster | null = null;

afterEach(async () => {
  await cluster?.close();
  cluster = null;
});

const milk = { name: '/milk', kind: 'persistent' } as const;

interface Writers {
  readonly numbers: Map<number, number[]>;
  readonly ended: Map<number, string>;
}

/** What the writers of these members are told, from now on. */
function watchWriters(of: LocalCluster, ids: readonly number[]): Writers {
  const writers: Writers = { numbers: new Map(), ended: new Map() };
  for (const { id, process } of of.members.filter((member) => ids.includes(member.id))) {
    const numbers: number[] = [];
    writers.numbers.set(id, numbers);
    process?.on('message', (message: { type: string; number: number; code: string }) => {
      if (message.type === 'acknowledged') numbers.push(message.number);
      if (message.type === 'writerEnded') writers.ended.set(id, message.code);
    });
  }
  return writers;
}

const total = ({ numbers }: Writers): number => [...numbers.values()].flat().length;

describe('kill -9 of one member', () => {
  test.each([3, 1])('%i: the others go on, and it is let in again', async (victim) => {
    const folder = await tempFolder('views');
    const running = await startProcessCluster(folder);
    cluster = running;
    const others = [1, 2, 3].filter((id) => id !== victim);
    await cluster.call(1, 'createPool', milk);
    await cluster.call(1, 'createPool', { name: '/herd', kind: 'volatile' });
    await cluster.call(1, 'put', { key: '/herd/kept', value: bytes('in memory') });
    const writers = watchWriters(cluster, others);
    for (const id of others) {
      const first = id * 1_000_000;
      await cluster.call(id, 'writeUntilFailure', { prefix: '/milk/w', lanes: 4, first });
    }
    await until(() => total(writers) >= 200);
    await cluster.kill(victim);
    const atKill = total(writers);
    await until(() => total(writers) >= atKill + 500);
    await cluster.start(victim);
    await cluster.whenRunning();
    const atReturn = total(writers);
    await until(() => total(writers) >= atReturn + 200);
    expect(writers.ended).toEqual(new Map());

    const told = [...writers.numbers.values()].flat();
    for (const id of [1, 2, 3]) {
      const keys = new Set((await running.call(id, 'list', '/milk/w')) as string[]);
      const lost = told.filter((n) => !keys.has(`/milk/w/${String(n % 97)}/${String(n)}`));
      expect({ id, lost }).toEqual({ id, lost: [] });
    }
    const kept = (await cluster.call(victim, 'get', {
      key: '/herd/kept',
      read: 'local',
    })) as ObjectRecord | null;
    expect(text(kept?.value)).toBe('in memory');
    // More than the smallest ring holds: what it sends wraps where the others expect it.
    const large = Buffer.alloc(4096, victim);
    for (let nth = 0; nth < 64; nth++) {
      await cluster.call(victim, 'put', { key: '/milk/large', value: large });
    }
  });
});

test('a change under which its shard falls below its minimum is not acknowledged', async () => {
  const subgroups = [
    { name: 'milk', kind: 'persistent', shards: 1, replicas: 2, minReplicas: 2 },
  ] as const;
  const folder = await tempFolder('minimum');
  const running = await startProcessCluster(folder, { members: 4, config: { subgroups } });
  cluster = running;
  await running.call(1, 'createPool', { ...milk, subgroup: 'milk' });
  const { shards } = new Layout([1, 2, 3, 4], subgroups).subgroup('milk');
  const [first = 0, second = 0] = shards[0]?.members ?? [];
  const put = (key: string) => running.call(first, 'put', { key, value: bytes(key) });
  await put('/milk/both');
  await running.kill(second);
  // Nobody but the first can have them; the view without the other is yet to come.
  const keys = Array.from({ length: 50 }, (_, nth) => `/milk/${String(nth)}`);
  await Promise.all(
    keys.map(async (key) => {
      const answer = running.call(first, 'put', { key, value: bytes(key), timeoutMs: 3000 });
      await expect(answer).rejects.toMatchObject({ code: 'SHARD_STOPPED' });
    }),
  );
  await running.start(second);
  await running.whenRunning();
  await put('/milk/after');
});

describe('shards of some of the members', () => {
  /** Four members; the one shard of `milk` is of two of them, if nothing else is said. */
  async function startFour(minReplicas: number, replicas = 2) {
    const subgroups = [{ name: 'milk', kind: 'persistent', shards: 1, replicas, minReplicas }];
    const folder = await tempFolder('four');
    const four = await startTestCluster({ members: 4, folder, config: { subgroups } });
    cluster = four;
    await four.member(1).store.objects.createPool({ ...milk, subgroup: 'milk' });
    const shard = four.member(1).group.layout.subgroup('milk').shards[0];
    const homes = shard?.members ?? [];
    const others = four.ids.filter((id) => !homes.includes(id));
    const put = async (id: number, key: string, timeoutMs = 10_000) =>
      four.member(id).store.objects.put({ key, value: bytes(key), timeoutMs });
    return { four, shard: shard?.shard ?? 0, homes, others: others as [number, number], put };
  }

  async function whenHeldBy(four: TestCluster, at: number, shard: number, nodes: number[]) {
    for await (const { number } of four.member(at).group.watchView()) {
      if (number > 0 && four.member(at).group.holders(shard).join() === nodes.join()) return;
    }
  }

  test('one that lost both is opened again when they are back, with all it had', async () => {
    const { four, shard, homes, others, put } = await startFour(1);
    const [first = 0, second = 0] = homes;
    await put(others[0], '/milk/both');
    await four.stop(first);
    await whenHeldBy(four, others[0], shard, [second]);
    await put(others[0], '/milk/one');
    await four.stop(second);
    await whenHeldBy(four, others[0], shard, []);
    await expect(put(others[0], '/milk/none', 500)).rejects.toMatchObject({
      code: 'SHARD_STOPPED',
      message: expect.stringMatching(/waiting for member/) as string,
    });
    await four.start(first);
    await four.start(second);
    await four.whenRunning();
    for (const key of ['/milk/both', '/milk/one']) {
      for (const id of homes) {
        const found = await four.member(id).store.objects.get({ key, read: 'local' });
        expect(text(found?.value)).toBe(key);
      }
    }
    await put(others[1], '/milk/after');
  });

  test('a change from elsewhere is made once, whichever of both is lost under it', async () => {
    const { four, homes, others, put } = await startFour(1);
    for (const [round, victim] of homes.entries()) {
      const keys = Array.from({ length: 300 }, (_, nth) => `/milk/${String(round)}/${String(nth)}`);
      const lanes = Array.from({ length: 10 }, async (_, lane) => {
        for (const key of keys.slice(lane * 30, lane * 30 + 30)) await put(others[0], key);
      });
      await put(others[1], `/milk/${String(round)}/first`);
      await four.stop(victim);
      await Promise.all(lanes);
      await four.start(victim);
      await four.whenRunning();
      for (const key of keys) {
        const found: unknown[] = [];
        for await (const version of four.member(others[1]).store.objects.history({ key })) {
          found.push(version);
        }
        expect([key, found.length]).toEqual([key, 1]);
      }
    }
  });

  test('one below its minimum stops and says what it waits for', async () => {
    const { four, homes, put } = await startFour(4, 4);
    const [first = 0, second = 0, third = 0] = homes;
    await put(first, '/milk/all');
    await four.stop(second);
    for await (const { stopped } of four.member(first).group.watchView()) {
      if (stopped.length > 0) break;
    }
    for (const id of [first, third]) {
      await expect(put(id, '/milk/none', 500)).rejects.toMatchObject({
        code: 'SHARD_STOPPED',
        message: expect.stringMatching(/3 of the 4 members it needs/) as string,
      });
    }
    await four.start(second);
    await four.whenRunning();
    await put(first, '/milk/after');
  });
});

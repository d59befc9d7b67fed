import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import type { LocalCluster } from '../../platform/local-cluster.ts';
import type { ObjectRecord } from '../../platform/store/mod.ts';
import { bytes, startProcessCluster, text } from '../support/cluster.ts';
import { tempFolder, until } from '../support/mod.ts';

let cluster: LocalCluster | null = null;

afterEach(async () => {
  for (const { process: child } of cluster?.members ?? []) {
    if (child?.pid !== undefined) process.kill(child.pid, 'SIGCONT');
  }
  await cluster?.close();
  cluster = null;
});

/** Stops a process again and again, and lets it run in between, until told to end. */
function stutter(pid: number): { end(): Promise<void> } {
  const state = { on: true };
  const run = async (): Promise<void> => {
    while (state.on) {
      process.kill(pid, 'SIGSTOP');
      await pause(500);
      process.kill(pid, 'SIGCONT');
      await pause(300);
    }
  };
  const done = run();
  return {
    end: () => {
      state.on = false;
      return done;
    },
  };
}

test('a slow member observes a shard that demotes it, and is let in when it keeps up', async () => {
  const slowMember = { policy: 'demote', afterMs: 250 };
  const subgroups = [{ name: 'milk', kind: 'persistent', shards: 1, slowMember }];
  const running = await startProcessCluster(await tempFolder('slow'), { config: { subgroups } });
  cluster = running;
  await running.call(1, 'createPool', { name: '/milk', kind: 'persistent', subgroup: 'milk' });
  const [frontier] = (await running.call(1, 'frontier', '/milk')) as [{ shard: number }];
  const holders = async (at: number): Promise<string> => {
    const nodes = (await running.call(at, 'holders', frontier.shard)) as number[];
    return nodes.toSorted((a, b) => a - b).join();
  };
  const told: number[] = [];
  const ended: string[] = [];
  for (const { id, process: child } of running.members.filter((member) => member.id < 3)) {
    child?.on('message', (message: { type: string; number: number; code: string }) => {
      if (message.type === 'acknowledged') told.push(message.number);
      if (message.type === 'writerEnded') ended.push(message.code);
    });
    const first = id * 1_000_000;
    await running.call(id, 'writeUntilFailure', { prefix: '/milk/w', lanes: 4, first });
  }
  await until(() => told.length >= 100);

  const slow = stutter(running.members[2]?.process?.pid ?? 0);
  await until(async () => (await holders(1)) === '1,2');
  const atDemotion = told.length;
  await until(() => told.length >= atDemotion + 500);
  await slow.end();
  // Whether it observes still or not: what it is given is put, and it shows what others put.
  const put = (id: number, key: string): Promise<unknown> =>
    running.call(id, 'put', { key, value: bytes(key) });
  await put(3, '/milk/at-the-observer');
  await put(1, '/milk/elsewhere');
  for (const key of ['/milk/at-the-observer', '/milk/elsewhere']) {
    const found = (await running.call(3, 'get', { key })) as ObjectRecord | null;
    expect(text(found?.value)).toBe(key);
  }
  await until(async () => {
    const key = '/milk/elsewhere';
    return (await running.call(3, 'get', { key, read: 'local' })) !== null;
  });
  await until(async () => (await holders(1)) === '1,2,3' && (await holders(3)) === '1,2,3');
  const atReturn = told.length;
  await until(() => told.length >= atReturn + 100);
  expect(ended).toEqual([]);
  const acknowledged = [...told];
  for (const id of [1, 2, 3]) {
    const keys = new Set((await running.call(id, 'list', '/milk/w')) as string[]);
    const lost = acknowledged.filter((n) => !keys.has(`/milk/w/${String(n % 97)}/${String(n)}`));
    expect({ id, lost }).toEqual({ id, lost: [] });
  }
});

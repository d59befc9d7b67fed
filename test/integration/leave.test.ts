/** Members that are stopped leave by their own word: the others go on before they are gone. */
import { afterEach, expect, test } from 'vitest';
import { type Database, raw } from '../../platform/client/mod.ts';
import type { GroupStatus } from '../../platform/group/machine-types.ts';
import { bytes, startProcessCluster, text } from '../support/cluster.ts';
import { tempFolder, until } from '../support/mod.ts';
import { startServedProcesses } from '../support/serving.ts';

let close: () => Promise<void> = () => Promise.resolve();

afterEach(() => close());

test.each([
  ['the leader', 1],
  ['another', 3],
])('%s: when its process has ended, the view without it runs', async (_who, leaver) => {
  const running = await startProcessCluster(await tempFolder('leave'));
  close = () => running.close();
  await running.call(1, 'createPool', { name: '/milk', kind: 'persistent' });
  const others = [1, 2, 3].filter((id) => id !== leaver);
  await running.kill(leaver, 'SIGTERM');
  // One that is lost is in the view until its lease has lapsed, at least.
  for (const id of others) {
    const status = (await running.call(id, 'status')) as GroupStatus;
    expect([id, status.members]).toEqual([id, others]);
    const key = `/milk/${String(id)}`;
    await running.call(id, 'put', { key, value: bytes('without') });
  }
  await running.start(leaver);
  await running.whenRunning();
  const found = await running.call(leaver, 'get', { key: `/milk/${String(others[0])}` });
  expect(text((found as { value: Uint8Array }).value)).toBe('without');
});

test.each([1, 2])(
  'a restart waits for the view that went on without it, of which member %d alone is here',
  async (kept) => {
    const running = await startProcessCluster(await tempFolder('leave-restart'));
    close = () => running.close();
    await running.call(1, 'createPool', { name: '/milk', kind: 'persistent' });
    await running.kill(3, 'SIGTERM');
    const other = 3 - kept;
    // On two disks of two, and on the third's not.
    await running.call(1, 'put', { key: '/milk/later', value: bytes('later') });
    await Promise.all([running.kill(1), running.kill(2)]);

    // Two of the three that there once were, but one of the two that went on.
    await Promise.all([running.start(kept), running.start(3)]);
    const explained = `a majority of view 2: member ${String(other)}`;
    await until(async () => {
      const { problem, running: runs } = (await running.call(kept, 'status')) as GroupStatus;
      expect(runs).toBe(false);
      return problem?.includes(explained) === true;
    });
    await running.start(other);
    await running.whenRunning();
    const found = await running.call(3, 'get', { key: '/milk/later' });
    expect(text((found as { value: Uint8Array }).value)).toBe('later');
    const { members } = (await running.call(kept, 'status')) as GroupStatus;
    expect(members.toSorted()).toEqual([1, 2, 3]);
  },
);

test('what a client has under way at it is answered, or made once by another', async () => {
  const served = await startServedProcesses(await tempFolder('leave-doors'));
  const { running, database } = served;
  close = served.close;
  await database.createPool({ name: '/milk', kind: 'persistent' });
  const pool = database.pool('/milk', raw());
  const lanes = { made: 0, isOver: false };
  const work = Promise.all(
    Array.from({ length: 16 }, async (_, lane) => {
      for (let nth = 0; !isOver(lanes); nth++) {
        await pool.put(`${String(lane)}/${String(nth)}`, bytes('x'));
        lanes.made++;
      }
    }),
  );
  await until(() => lanes.made >= 500);
  await running.kill(1, 'SIGTERM');
  const before = lanes.made;
  await until(() => lanes.made >= before + 500);
  lanes.isOver = true;
  await work;
  const versions = new Map<string, number>();
  for await (const { object } of changesOf(database, lanes.made)) {
    versions.set(object.key, (versions.get(object.key) ?? 0) + 1);
  }
  expect(versions.size).toBe(lanes.made);
  expect(new Set(versions.values())).toEqual(new Set([1]));
});

/** As many changes of the pool as are expected, from its start. */
async function* changesOf(database: Database, count: number) {
  let seen = 0;
  for await (const event of database.pool('/milk', raw()).watch({ from: 'start' })) {
    yield event;
    seen++;
    if (seen >= count) return;
  }
}

/** It changes while something is awaited. */
function isOver(lanes: { readonly isOver: boolean }): boolean {
  return lanes.isOver;
}

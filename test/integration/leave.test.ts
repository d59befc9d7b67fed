/** Members that are stopped leave by their own word: the others go on before they are gone. */
import { afterEach, expect, test } from 'vitest';
import { type Database, raw } from '../../platform/client/mod.ts';
import type { GroupStatus } from '../../platform/group/group-machine.ts';
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

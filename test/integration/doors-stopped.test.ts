import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, type DoorsRig, jsonOf, linesOf, startDoors } from './doors-rig.ts';

let rig: DoorsRig;

beforeAll(async () => {
  rig = await startDoors('stopped');
});

afterAll(async () => rig.close());

test('without a majority the doors say so, show what is known, and take no change', async () => {
  const name = '/stopped/pool';
  const { door } = rig.cluster;
  await door.createPool({ name, kind: 'persistent' });
  await door.put({ key: `${name}/a`, value: new Uint8Array([1]) });
  for (const member of rig.cluster.members.slice(1)) await member.close();
  const at = async (path: string, options = {}) => ask(rig.httpPort, path, options);

  await expect.poll(async () => (await at('/readyz')).status, { timeout: 20_000 }).toBe(503);
  expect(jsonOf(await at('/readyz'))).toMatchObject({
    ready: false,
    waitingFor: expect.stringMatching(/member 2, 3/) as string,
  });
  expect((await at('/healthz')).status).toBe(200);
  for (const read of ['stable', 'local']) {
    expect((await at(`/v1/objects${name}/a?read=${read}`)).status).toBe(200);
    const keys = await at(`/v1/keys?prefix=${name}&read=${read}`);
    expect(linesOf(keys)).toEqual([`${name}/a`]);
  }
  expect((await at(`/v1/keys?prefix=${name}&read=never`)).status).toBe(400);
  const limited = { key: `${name}/a`, timeoutMs: 700 };
  const stopped = {
    code: 'SHARD_STOPPED',
    message: expect.stringMatching(/member 2, 3/) as string,
  };
  // The lease that the last one to go gave lasts for a moment.
  const read = async (): Promise<unknown> => door.get(limited).catch((error: unknown) => error);
  await expect.poll(read, { timeout: 20_000 }).toMatchObject(stopped);
  await expect(door.put({ ...limited, value: new Uint8Array([2]) })).rejects.toMatchObject(stopped);
});

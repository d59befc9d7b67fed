import { afterAll, beforeAll, expect, test } from 'vitest';
import { GrpcDoor } from '../../platform/client/grpc/mod.ts';
import { bytes } from '../support/cluster.ts';
import { type DoorsRig, startDoors } from './doors-rig.ts';

let rig: DoorsRig;

beforeAll(async () => {
  rig = await startDoors('grpc-ends', 1);
  await rig.cluster.door.createPool({ name: '/barn/notes', kind: 'volatile' });
});

afterAll(async () => rig.close());

function openDoor(): GrpcDoor {
  return new GrpcDoor(`127.0.0.1:${String(rig.grpcPort)}`, { token: null, timeoutMs: 5000 });
}

test('a put that waits to be sent is answered when its door is closed', async () => {
  const door = openDoor();
  const put = door.put({ key: '/barn/notes/a', value: bytes('14.2') });
  await Promise.all([expect(put).rejects.toMatchObject({ code: 'CLOSED' }), door.close()]);
});

test('an error as long as a request leaves the connection as it is', async () => {
  const door = openDoor();
  await expect(door.removePipeline('x'.repeat(200_000))).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
  expect(await door.members()).toMatchObject({ me: 1 });
  await door.close();
});

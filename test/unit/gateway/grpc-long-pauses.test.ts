/** Clients of the gRPC door that stop in the middle of a long value, or hardly go on. */
import { credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import { GrpcDoor } from '../../../platform/client/grpc/mod.ts';
import type { Door, ObjectRecord } from '../../../platform/client/mod.ts';
import { startGrpcServer } from '../../../platform/gateway/mod.ts';
import { Ack, type ObjectPiece, ObjectsClient, ReadLevel } from '../../../platform/wire/mod.ts';
import { until } from '../../support/mod.ts';
import { longBody, longSize } from './long-rig.ts';
import { backendOf } from '../../support/backend.ts';

const key = '/milk/film';
const timeoutMs = 30_000;
const idleMs = 600;
const tooSlow = `bytes of the value moved within ${String(idleMs)} ms`;
const asked = { key, read: ReadLevel.READ_LEVEL_UNSPECIFIED, exact: false, timeoutMs };
const place = { version: 1, epoch: 1, time: 1, previousVersionOfKey: null };
const about = { key, removed: false, size: longSize, eventTime: null, meta: {} };
const head = {
  ...{ key, value: Buffer.alloc(0), ack: Ack.ACK_UNSPECIFIED, meta: {}, triggerOnly: false },
  ...{ expect: undefined, timeoutMs, session: undefined },
};
const closings: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closings.splice(0)) await close();
});

/** A member that is none, with room for one of the shortest long values each way. */
async function open(): Promise<{ door: GrpcDoor; client: ObjectsClient }> {
  const served = {
    put: () => Promise.resolve(place),
    get: ({ maxBytes = Infinity }): Promise<ObjectRecord> => {
      const value = maxBytes < longSize ? null : longBody;
      return Promise.resolve({ ...about, ...place, value });
    },
  } as unknown as Door;
  const limits = { longBodyBytes: longSize, idleMs };
  const server = await startGrpcServer(backendOf(served), {
    host: '127.0.0.1',
    port: 0,
    ...limits,
  });
  const address = `127.0.0.1:${String(server.port)}`;
  const door = new GrpcDoor(address, { token: null, timeoutMs });
  const client = new ObjectsClient(address, credentials.createInsecure());
  closings.push(
    () => {
      client.close();
    },
    () => door.close(),
    () => server.close(),
  );
  return { door, client };
}

test('a put of which no more comes is given up, and leaves its room', async () => {
  const { door, client } = await open();
  for (let round = 0; round < 2; round++) {
    const failed = await new Promise<ServiceError | null>((resolve) => {
      const put = client.putLong(new Metadata(), resolve);
      put.write({ put: head, size: longSize, bytes: Buffer.alloc(9) });
    });
    expect(failed?.details).toContain(tooSlow);
  }
  expect(await door.put({ key, value: longBody })).toMatchObject(place);
});

test('and one of which hardly anything comes', async () => {
  const { door, client } = await open();
  const failed = await new Promise<ServiceError | null>((resolve) => {
    const put = client.putLong(new Metadata(), resolve);
    put.write({ put: head, size: longSize, bytes: Buffer.alloc(0) });
    const dribble = setInterval(() => {
      put.write({ put: undefined, size: 0, bytes: Buffer.alloc(1) });
    }, idleMs / 10);
    closings.push(() => {
      clearInterval(dribble);
    });
  });
  expect(failed?.details).toContain(tooSlow);
  expect(await door.put({ key, value: longBody })).toMatchObject(place);
});

test('a get that nobody reads is given up, and leaves its room', async () => {
  const { door, client } = await open();
  const pieces = client.getLong(asked);
  const ended = new Promise<ServiceError>((resolve) => pieces.once('error', resolve));
  await new Promise((resolve) => pieces.once('data', resolve));
  pieces.pause();
  await expect(door.get({ key })).rejects.toMatchObject({ code: 'OVERLOADED' });
  await until(async () => (await door.get({ key }).catch(() => null)) !== null);
  pieces.resume();
  expect((await ended).details).toContain(tooSlow);
});

test('a get that is read slowly, but goes on, is not', async () => {
  const { client } = await open();
  const begin = performance.now();
  let bytes = 0;
  for await (const piece of client.getLong(asked) as AsyncIterable<ObjectPiece>) {
    bytes += piece.bytes.byteLength;
    const isEarly = performance.now() - begin < 5 * idleMs;
    if (isEarly) await new Promise((resolve) => setTimeout(resolve, idleMs / 10));
  }
  expect(bytes).toBe(longSize);
});

import { Client, credentials, makeGenericClientConstructor, status } from '@grpc/grpc-js';
import { service as healthService } from 'grpc-health-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FreshetError, limits } from '../../platform/base/mod.ts';
import { errorTrailer, GrpcDoor } from '../../platform/client/grpc/mod.ts';
import type { PutResult } from '../../platform/client/mod.ts';
import { Ack, ObjectsClient, type PutReplyBatch, ReadLevel } from '../../platform/wire/mod.ts';
import { bytes, text } from '../support/cluster.ts';
import { ask, type DoorsRig, sendRaw, startDoors, take } from './doors-rig.ts';

let rig: DoorsRig;
let door: GrpcDoor;
const address = () => `127.0.0.1:${String(rig.grpcPort)}`;

beforeAll(async () => {
  rig = await startDoors('grpc');
  ({ door } = rig.cluster);
  await door.createPool({ name: '/barn/notes', kind: 'persistent' });
  await door.createPool({ name: '/byre/small', kind: 'volatile', maxValueBytes: 100 });
});

afterAll(async () => rig.close());

describe('streams of puts', () => {
  test('thousands in flight are each answered, in the order of the key', async () => {
    const count = 20_000;
    const requests = Array.from({ length: count }, (_, nth) => ({
      key: `/barn/notes/many/${String(nth % 7)}`,
      value: bytes(String(nth)),
    }));
    const results = await door.putMany(requests);
    expect(results.filter((result) => result instanceof FreshetError)).toEqual([]);
    for (let lane = 0; lane < 7; lane++) {
      const versions = results.filter((_, nth) => nth % 7 === lane) as PutResult[];
      const sorted = [...versions].sort((a, b) => a.version - b.version);
      expect(versions).toEqual(sorted);
      const newest = await door.get({ key: `/barn/notes/many/${String(lane)}` });
      expect(Number(text(newest?.value)) % 7).toBe(lane);
      expect(newest?.version).toBe(versions.at(-1)?.version);
    }
  });

  test('one that is refused does not hold up the others', async () => {
    const results = await door.putMany([
      { key: '/barn/notes/ok/1', value: bytes('1') },
      { key: '/barn/notes/../up', value: bytes('2') },
      { key: '/byre/small/over', value: new Uint8Array(101) },
      { key: '/barn/notes/huge', value: new Uint8Array(limits.valueBytesMax + 1) },
      { key: '/barn/notes/ok/2', value: bytes('3'), expect: { versionOfKey: 99 } },
      { key: '/barn/notes/ok/3', value: bytes('4') },
    ]);
    const codes = results.map((result) => (result instanceof FreshetError ? result.code : 'ok'));
    const refused = ['INVALID_KEY', 'VALUE_TOO_LARGE', 'VALUE_TOO_LARGE', 'CONDITION_FAILED'];
    expect(codes).toEqual(['ok', ...refused, 'ok']);
  });

  test('one that the wire cannot say is refused by name, and the stream lives on', async () => {
    const key = '/barn/notes/odd';
    const odd: readonly (readonly [options: Record<string, unknown>, name: RegExp])[] = [
      [{ expect: { versionOfKey: 1.5 } }, /^expect\.versionOfKey is 1\.5/],
      [{ expect: { version: -1 } }, /^expect\.version is -1/],
      [{ expect: { epoch: NaN } }, /^expect\.epoch is NaN/],
      [{ eventTime: 0.5 }, /^eventTime is 0\.5/],
      [{ eventTime: 2 ** 60 }, /^eventTime is/],
      [{ timeoutMs: -1 }, /^timeoutMs is -1/],
      [{ ack: 'perhaps' }, /^ack is 'perhaps', not one of none, delivered, persisted/],
    ];
    const results = await door.putMany([
      { key: '/barn/notes/ok/4', value: bytes('4') },
      ...odd.map(([options]) => ({ key, value: bytes('x'), ...options })),
      { key: '/barn/notes/ok/5', value: bytes('5'), timeoutMs: Infinity },
      { key: '/barn/notes/ok/6', value: bytes('6'), timeoutMs: 20_000.5 },
    ]);
    const refused = results.slice(1, 1 + odd.length) as FreshetError[];
    expect(refused.map(({ code }) => code)).toEqual(odd.map(() => 'INVALID_ARGUMENT'));
    refused.forEach(({ message }, nth) => {
      expect(message).toMatch(odd[nth]![1]);
    });
    expect(results.filter((result) => result instanceof FreshetError)).toEqual(refused);
    expect(await door.get({ key })).toBeNull();
  });

  test('a client that does not read its answers is not read either', async () => {
    const client = new ObjectsClient(address(), credentials.createInsecure());
    const stream = client.putStream();
    stream.on('error', () => undefined);
    stream.pause();
    const put = (nth: number) => ({
      key: `/byre/small/deaf/${String(nth % 10)}`,
      value: Buffer.from('x'),
      ack: Ack.ACK_UNSPECIFIED,
      meta: {},
      triggerOnly: false,
      timeoutMs: 0,
      expect: undefined,
      eventTime: undefined,
      session: undefined,
    });
    const batches = 40;
    const each = 2000;
    for (let batch = 0; batch < batches; batch++) {
      const puts = Array.from({ length: each }, (_, nth) => put(nth));
      stream.write({ firstSequence: batch * each, puts });
    }
    stream.end();
    // The member goes on serving others meanwhile.
    await door.put({ key: '/barn/notes/meanwhile', value: bytes('x') });
    const answered = new Set<number>();
    for await (const { outcomes } of stream as AsyncIterable<PutReplyBatch>) {
      for (const { sequence } of outcomes) answered.add(sequence);
    }
    client.close();
    expect(answered.size).toBe(batches * each);
  });
});

describe('verify', () => {
  test('tells per shard and member, alike over gRPC and HTTP', async () => {
    await door.put({ key: '/barn/notes/verified', value: bytes('x') });
    const report = await door.verify(false);
    expect(report.ok).toBe(true);
    const holds = report.shards.filter(({ version }) => version !== null && version > 0);
    expect(holds.length).toBeGreaterThan(0);
    for (const { members, version } of holds) {
      expect(members.map(({ verdict }) => verdict)).toEqual(['same', 'same', 'same']);
      expect(new Set(members.map(({ digest }) => digest)).size).toBe(1);
      expect(members.every((member) => (member.version ?? 0) >= (version ?? 0))).toBe(true);
    }
    const scrubbed = rig.cluster.members.map(({ group }) => group.care.counts.scrubPasses);
    expect(scrubbed).toEqual([1, 1, 1]);
    const answer = await ask(rig.httpPort, '/v1/verify?quick=true', { method: 'POST' });
    expect(JSON.parse(answer.body.toString())).toEqual(await door.verify(true));
    expect(rig.cluster.members[0]?.group.care.counts.scrubPasses).toBe(1);
  });
});

describe('errors', () => {
  test('carry code, message and mend, and a status that means something', async () => {
    const client = new ObjectsClient(address(), credentials.createInsecure());
    const request = {
      key: '/nowhere/a',
      read: ReadLevel.READ_LEVEL_UNSPECIFIED,
      version: undefined,
      exact: false,
      at: undefined,
      timeoutMs: 0,
    };
    const failure = await new Promise<{ code: number; metadata: { get(name: string): Buffer[] } }>(
      (resolve) => {
        client.get(request, (error) => resolve(error as never));
      },
    );
    client.close();
    expect(failure.code).toBe(status.NOT_FOUND);
    const [trailer] = failure.metadata.get(errorTrailer);
    expect(JSON.parse(trailer!.toString())).toMatchObject({
      code: 'UNKNOWN_POOL',
      message: expect.stringContaining('/nowhere') as string,
      mend: expect.stringMatching(/./) as string,
    });
  });

  test('arguments that the wire cannot say are named before they are sent', async () => {
    const key = '/barn/notes/odd';
    const prefix = '/barn/notes';
    const value = bytes('x');
    const refused = { code: 'INVALID_ARGUMENT' };
    await expect(door.get({ key, version: 1.5 })).rejects.toMatchObject(refused);
    await expect(door.stat({ key, at: NaN })).rejects.toMatchObject(refused);
    await expect(door.get({ key, read: 'soon' as 'local' })).rejects.toMatchObject(refused);
    await expect(door.remove({ key, expect: { version: -2 } })).rejects.toMatchObject(refused);
    await expect(door.triggerPut({ key, value, to: [0.5] })).rejects.toMatchObject(refused);
    await expect(take(door.list({ prefix, limit: -1 }), 1)).rejects.toMatchObject(refused);
    await expect(take(door.history({ key, fromVersion: 0.5 }), 1)).rejects.toMatchObject(refused);
    await expect(
      door.createPool({ name: '/byre/odd', kind: 'volatile', history: 1.5 }),
    ).rejects.toMatchObject({ code: 'INVALID_POOL' });
  });

  test('a limit of nothing gives nothing, one without end gives all', async () => {
    const prefix = '/barn/notes';
    await door.put({ key: `${prefix}/limited`, value: bytes('x') });
    expect(await take(door.list({ prefix, limit: 0 }), 1)).toEqual([]);
    expect(await take(door.history({ key: `${prefix}/limited`, limit: 0 }), 1)).toEqual([]);
    expect(await take(door.list({ prefix, limit: Infinity }), 1)).toHaveLength(1);
  });

  test('a number that no name stands for, and one beyond safe integers', async () => {
    const client = new Client(address(), credentials.createInsecure());
    const call = async (message: Buffer) =>
      new Promise<{ code: number } | null>((resolve) => {
        const path = '/freshet.v1.Objects/Get';
        const same = (value: Buffer) => value;
        client.makeUnaryRequest(path, same, same, message, (error) => resolve(error));
      });
    const key = Buffer.from('/barn/notes/a');
    const keyField = Buffer.concat([Buffer.from([0x0a, key.length]), key]);
    const readLevel99 = await call(Buffer.concat([keyField, Buffer.from([0x10, 99])]));
    expect(readLevel99?.code).toBe(status.INVALID_ARGUMENT);
    const version2to63 = Buffer.from([0x18, ...Array<number>(9).fill(0x80), 0x01]);
    expect(await call(Buffer.concat([keyField, version2to63]))).toMatchObject({
      code: expect.any(Number) as number,
    });
    expect(await call(Buffer.from([0x0a, 0xff, 0xff, 0x03]))).not.toBeNull();
    client.close();
    expect(await door.get({ key: '/barn/notes/a' })).toBeNull();
  });

  test('an address where nobody listens is told in one short sentence', async () => {
    const nobody = new GrpcDoor('127.0.0.1:1', { token: null, timeoutMs: 2000 });
    const failures = await Promise.all([
      nobody.members().catch((error: unknown) => error as FreshetError),
      nobody
        .put({ key: '/a/b', value: bytes('x') })
        .catch((error: unknown) => error as FreshetError),
    ]);
    await nobody.close();
    for (const failure of failures) {
      expect(failure).toMatchObject({ code: 'UNREACHABLE', retryable: true });
      const { message } = failure as FreshetError;
      const sentence = /^The member at 127\.0\.0\.1:1 cannot be reached(: nobody listens there)?$/;
      expect(message).toMatch(sentence);
    }
  });

  test('no address, no such token, and what is asked after close', async () => {
    const options = { token: null, timeoutMs: 5000 };
    expect(() => new GrpcDoor('', options)).toThrow(FreshetError);
    expect(() => new GrpcDoor(address(), { ...options, token: 'a\nb' })).toThrow(FreshetError);
    const other = new GrpcDoor(address(), options);
    await other.members();
    await other.close();
    const key = '/barn/notes/ok/1';
    const gone = { code: 'CLOSED' };
    await expect(other.get({ key })).rejects.toMatchObject(gone);
    await expect(other.put({ key, value: bytes('1') })).rejects.toMatchObject(gone);
    await expect(take(other.list({ prefix: '/barn/notes' }), 1)).rejects.toMatchObject(gone);
    await expect(take(other.watch({ prefix: '/barn/notes' }), 1)).rejects.toMatchObject(gone);
  });

  test('a deadline that has passed, and a caller who gives up', async () => {
    const get = door.get({ key: '/barn/notes/a', timeoutMs: 0 });
    await expect(get).rejects.toMatchObject({ code: 'TIMEOUT' });
    const abort = new AbortController();
    const watch = take(door.watch({ prefix: '/barn/notes', signal: abort.signal }), 1);
    abort.abort();
    await expect(watch).rejects.toMatchObject({ code: 'CANCELLED' });
    const { signal } = abort;
    const put = door.put({ key: '/barn/notes/a', value: bytes('x'), signal });
    await expect(put).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

test('the health service answers SERVING, and NOT_FOUND for what there is not', async () => {
  type Health = Client & {
    check(
      request: { service: string },
      done: (error: { code: number } | null, reply?: { status: string }) => void,
    ): void;
  };
  const HealthClient = makeGenericClientConstructor(healthService, 'Health');
  const client = new HealthClient(address(), credentials.createInsecure()) as unknown as Health;
  const check = async (service: string) =>
    new Promise((resolve) => {
      client.check({ service }, (error, reply) => resolve(error?.code ?? reply?.status));
    });
  expect(await check('')).toBe('SERVING');
  expect(await check('nothing')).toBe(status.NOT_FOUND);
  client.close();
});

test('garbage and half frames on the gRPC and replication ports leave the member alive', async () => {
  const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
  const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
  const halfHeaders = Buffer.from([0, 1, 0, 1, 4, 0, 0, 0, 1, 0x82]);
  const oversized = Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1]);
  const garbage = [
    [Buffer.alloc(5000, 0xa5)],
    ['GET / HTTP/1.1\r\nhost: x\r\n\r\n'],
    [preface, settings, halfHeaders],
    [preface, oversized, Buffer.alloc(1000)],
    [preface.slice(0, 10)],
    [],
  ];
  for (const port of [rig.grpcPort, rig.replicationPort]) {
    for (const parts of garbage) await sendRaw(port, parts);
  }
  for (const { grpc } of rig.cluster.ports) {
    const other = new GrpcDoor(`127.0.0.1:${String(grpc)}`, { token: null, timeoutMs: 20_000 });
    await other.put({ key: '/barn/notes/alive', value: bytes(String(grpc)) });
    expect(text((await other.get({ key: '/barn/notes/alive' }))?.value)).toBe(String(grpc));
    expect((await other.members()).waitingFor).toBeNull();
    await other.close();
  }
});

/** The native door by itself: without gRPC, with wrong tickets, in large numbers. */
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  FreshetError,
  ManualClock,
  type NativeAddress,
  type NativeDoorInfo,
  type NativeTicket,
  SystemClock,
  SystemRandom,
  toChange,
  type WatchEvent,
} from '../../platform/base/mod.ts';
import { loadAddon } from '../../platform/bridge/mod.ts';
import { connect } from '../../platform/client/mod.ts';
import { ChangeCall } from '../../platform/client/native/change-call.ts';
import { DoorConnection } from '../../platform/client/native/door-connection.ts';
import type { Dial } from '../../platform/client/native/door-socket.ts';
import type { NativeDoor } from '../../platform/client/native/native-door.ts';
import { clusterIdentity } from '../../platform/cluster-identity.ts';
import { issueTicket } from '../../platform/native-ticket.ts';
import { bytes, text } from '../support/cluster.ts';
import { until } from '../support/mod.ts';
import { openNativeOnly } from '../support/native-only.ts';
import { type DoorsRig, startDoors, take } from './doors-rig.ts';

const addon = loadAddon();
const { statusNames } = addon;
const dial: Dial = (host, port) => addon.dial(host, port);

let rig: DoorsRig;
let info: NativeDoorInfo;
let door: NativeDoor;

beforeAll(async () => {
  rig = await startDoors('native-door');
  const { members } = rig.cluster;
  await rig.cluster.door.createPool({ name: '/barn/kept', kind: 'persistent' });
  await rig.cluster.door.createPool({ name: '/barn/light', kind: 'volatile', maxValueBytes: 9 });
  await rig.cluster.door.createPool({ name: '/barn/large', kind: 'volatile' });
  // Members ask each other for their doors.
  await until(async () => {
    info = await rig.cluster.door.nativeDoor();
    return info.members.length === members.length;
  });
  // Doors take changes of pools that their members have heard of.
  const hasAll = (one: (typeof members)[number]) => one.store.objects.directory.list().length === 3;
  await until(() => members.every(hasAll));
  door = await openNativeOnly(async () => rig.cluster.door.nativeDoor());
});

afterAll(async () => {
  await door.close();
  await rig.close();
});

/** There is none natively; then a member is asked, over gRPC, whether the pool is the same. */
async function expectNone(key: string): Promise<void> {
  await expect(door.get({ key })).rejects.toThrow('gRPC was used');
}

test('every member tells the ports of all native doors', async () => {
  const { members } = await rig.cluster.door.members();
  const told = members.map(({ ports }) => ports['native']);
  expect(told).toEqual(rig.cluster.ports.map(({ native }) => native));
  expect(info.members.map(({ port }) => port)).toEqual(told);
});

test.each(['/barn/kept', '/barn/light'])(
  '%s is changed, read and watched natively',
  async (pool) => {
    const key = `${pool}/a`;
    const watching = take(door.watch({ prefix: pool }), 4);
    let seen: readonly WatchEvent[] = [];
    void watching.then((events) => (seen = events));
    const first = await door.put({ key, value: bytes('1') });
    const second = await door.put({ key, value: bytes('2'), eventTime: 5, meta: { who: 'cam' } });
    expect(second.previousVersionOfKey).toBe(first.version);
    const { version, epoch, time } = second;
    const kept = { key, version, epoch, time, eventTime: 5, meta: { who: 'cam' }, size: 1 };
    const whole = { ...kept, previousVersionOfKey: first.version, removed: false };
    for (const read of ['local', 'stable', 'linearizable'] as const) {
      expect(await door.get({ key, read })).toEqual({ ...whole, value: Buffer.from('2') });
    }
    expect(await door.stat({ key })).toEqual({ ...whole, value: null });
    expect(text((await door.get({ key, version: first.version }))?.value)).toBe('1');
    await expectNone(`${pool}/none`);
    expect(await door.get({ key: `${pool}/none`, read: 'stable' })).toBeNull();
    const expect77 = { versionOfKey: 77 };
    await expect(door.remove({ key, expect: expect77 })).rejects.toMatchObject({
      code: 'CONDITION_FAILED',
      details: { versionOfKey: second.version },
    });
    await door.remove({ key, expect: { versionOfKey: second.version } });
    await expectNone(key);
    // The watch may have begun after the first of them: it sees the rest, and what comes.
    const isWaiting = () => seen.length === 0;
    while (isWaiting()) await door.put({ key, value: bytes('x') });
    const versions = seen.map(({ object }) => object.version);
    expect(versions).toEqual([...versions].sort((a, b) => a - b));
  },
);

test('a token of a native watch is one at every door', async () => {
  const prefix = '/barn/kept/token/';
  const watching = take(door.watch({ prefix }), 1);
  let isSeen = false;
  void watching.then(() => (isSeen = true));
  const isWaiting = () => !isSeen;
  for (let count = 0; isWaiting(); count++) {
    await door.put({ key: `${prefix}${String(count)}`, value: bytes('x') });
  }
  const [event] = await watching;
  const { version } = await door.put({ key: `${prefix}last`, value: bytes('x') });
  const seen: number[] = [];
  for await (const { object } of rig.cluster.door.watch({ prefix, from: event!.token })) {
    seen.push(object.version);
    if (object.version === version) break;
  }
  // All that came after it, in one shard each: nothing is told again, nothing is left out.
  expect(seen).not.toContain(event!.object.version);
  expect(new Set(seen).size).toBe(seen.length);
});

test('tens of thousands at once: all are answered, found, and told once in order', async () => {
  const count = 30_000;
  const keys = Array.from({ length: count }, (_, nth) => `/barn/light/many/${String(nth)}`);
  const told: string[] = [];
  const abort = new AbortController();
  const watching = (async () => {
    const prefix = '/barn/light/many/';
    for await (const { object } of door.watch({ prefix, signal: abort.signal })) {
      told.push(object.key);
    }
  })();
  const isSilent = () => told.length === 0;
  while (isSilent()) await door.put({ key: '/barn/light/many/begin', value: bytes('x') });
  const results = await door.putMany(keys.map((key) => ({ key, value: bytes('milk') })));
  const places = results.map((result) => ('version' in result ? result.version : 0));
  expect(Math.min(...places)).toBeGreaterThan(0);
  const found = await Promise.all(keys.map(async (key) => door.get({ key })));
  expect(found.every((object, nth) => object?.version === places[nth])).toBe(true);
  const isTold = () => told.length > count;
  await until(isTold);
  abort.abort();
  await expect(watching).rejects.toMatchObject({ code: 'CANCELLED' });
  const toldOnce = told.filter((key) => !key.endsWith('begin'));
  expect(new Set(toldOnce).size).toBe(count);
  expect(toldOnce).toHaveLength(count);
});

test('the puts of a batch end each for itself, and are told in their order', async () => {
  const at = (name: string) => ({ key: `/barn/light/batch/${name}`, value: bytes(name) });
  const outcomes = await door.putMany([
    at('1'),
    at('../2'),
    { ...at('3'), value: bytes('more than nine') },
    { ...at('4'), signal: AbortSignal.abort() },
    { ...at('5'), store: false },
    { ...at('6'), ack: 'none' },
    { ...at('7'), expect: { versionOfKey: 77 } },
    { ...at('8'), signal: new AbortController().signal },
  ]);
  const told = outcomes.map((one) => (one instanceof FreshetError ? one.code : 'ok'));
  expect(told.slice(0, 4)).toEqual(['ok', 'INVALID_KEY', 'VALUE_TOO_LARGE', 'CANCELLED']);
  expect(told.slice(4)).toEqual(['ok', 'ok', 'CONDITION_FAILED', 'ok']);
  for (const name of ['1', '8']) {
    const { key } = at(name);
    expect(text((await door.get({ key }))?.value)).toBe(name);
  }
  await expectNone(at('5').key);
  expect(await door.putMany([])).toEqual([]);
});

test('values of every size up to 8 MiB come back as they were', async () => {
  for (const size of [0, 1, 4095, 65_535, 65_536, 300_000, 1024 * 1024]) {
    const value = Buffer.alloc(size, 'milk ');
    const key = `/barn/large/${String(size)}`;
    await door.put({ key, value });
    expect(value.equals((await door.get({ key }))?.value ?? Buffer.from('none'))).toBe(true);
  }
});

test('what is refused before it is sent has the words of the other doors', async () => {
  const { door: grpc } = rig.cluster;
  const requests = [
    { key: '/barn/light/a', value: bytes('more than nine') },
    { key: '/barn/light/a', value: bytes('x'), eventTime: 0.5 },
    { key: '/barn/light/a', value: bytes('x'), expect: { version: 0.5 } },
    { key: '/barn/light/a', value: bytes('x'), ack: 'maybe' as never },
    { key: '/barn/light/a', value: bytes('x'), meta: { a: 'm'.repeat(5000) } },
    { key: '/barn/light/a', value: bytes('x'), timeoutMs: -1 },
  ];
  for (const request of requests) {
    const refusals = await Promise.all(
      [door, grpc].map(async (one) => one.put(request).catch((caught: unknown) => caught)),
    );
    const codes = refusals.map((refusal) => (refusal as { code: string }).code);
    expect(codes[0]).toBe(codes[1]);
    expect(refusals[0]).toMatchObject({ name: 'FreshetError' });
  }
});

test('triggers go to the members whose lambdas are to take them', async () => {
  const { members, door: grpc } = rig.cluster;
  const taken: (readonly [number, string, string, unknown, number | null])[] = [];
  for (const { nodeId, store } of members) {
    store.onTrigger(({ key, value, meta, eventTime }) => {
      if (key.endsWith('busy')) throw new FreshetError('OVERLOADED', 'Too much waits');
      taken.push([nodeId, key, text(value) ?? '', meta, eventTime]);
    });
  }
  const key = '/barn/light/bell';
  const request = { key, value: bytes('ring'), meta: { who: 'cam' }, eventTime: 5 };
  const one = await door.triggerPut(request);
  expect(await grpc.triggerPut(request)).toMatchObject({ members: one.members });
  expect(one.time).toBeGreaterThan(0);
  const all = await door.triggerPut({ ...request, to: 'all' });
  expect([...all.members].sort()).toEqual([1, 2, 3]);
  expect((await door.triggerPut({ key, value: bytes(''), to: [2, 2] })).members).toEqual([2]);
  const [first] = one.members;
  const full = [key, 'ring', { who: 'cam' }, 5] as const;
  const sorted = taken.slice(2, 5).sort(([a], [b]) => a - b);
  expect([...taken.slice(0, 2), ...sorted, ...taken.slice(5)]).toEqual([
    [first, ...full],
    [first, ...full],
    ...[1, 2, 3].map((node) => [node, ...full]),
    [2, key, '', {}, null],
  ]);
  // Many at once, and one that is large, each taken once.
  taken.length = 0;
  const keys = Array.from({ length: 3000 }, (_, nth) => `/barn/large/${String(nth)}`);
  await Promise.all(keys.map(async (name) => door.triggerPut({ key: name, value: bytes('x') })));
  expect(taken.map(([, name]) => name).sort()).toEqual([...keys].sort());
  const value = Buffer.alloc(3 * 1024 * 1024, 'milk ');
  await door.triggerPut({ key: '/barn/large/all', value });
  expect(taken.at(-1)?.[2]).toBe(value.toString());
  // What a member does not take is asked over gRPC, for its words; this client has none.
  const busy = { key: '/barn/light/busy', value: bytes('x') };
  await expect(door.triggerPut(busy)).rejects.toThrow('gRPC was used');
  await expect(grpc.triggerPut(busy)).rejects.toMatchObject({ code: 'OVERLOADED' });
  const small = { key, value: bytes('more than nine') };
  await expect(door.triggerPut(small)).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' });
  await expect(door.triggerPut({ key, value: bytes('x'), to: [9] })).rejects.toThrow('gRPC was');
});

/** Resolves once a client of the first member's door is let in. */
async function enter(): Promise<DoorConnection> {
  return new Promise((resolve, reject) => {
    const connection: DoorConnection = new DoorConnection({
      address: info.members[0]!,
      ticket: info.ticket,
      statusNames,
      dial,
      clock: new SystemClock(),
      random: new SystemRandom(),
      onOpen: () => {
        resolve(connection);
      },
      onView: () => undefined,
      onLost: reject,
    });
  });
}

test('a client that lies about pools changes nothing', async () => {
  const [kept, large, light] = info.pools;
  const catalog = rig.cluster.members[0]!.group.layout.shards.find(({ shard }) =>
    info.pools.every(({ shards }) => !shards.includes(shard)),
  );
  const client = await enter();
  const put = async (key: string, pool: number, shard: number) =>
    new Promise((resolve, reject) => {
      const request = { key, value: bytes('x') };
      const change = toChange('put', request, { ...light!, id: pool }, undefined);
      const answer = { resolve, reject };
      client.ask(new ChangeCall(change, shard, Infinity, statusNames, answer));
    });
  const lies: [string, number, number][] = [
    ['/system/pools/barn/mine', 1, catalog!.shard],
    ['/barn/kept/lie', large!.id, large!.shards[0]!],
    ['/barn/large/lie', kept!.id, kept!.shards[0]!],
    ['/nowhere/lie', light!.id, light!.shards[0]!],
    ['/barn/lightly/lie', light!.id, light!.shards[0]!],
    ['/barn/light/lie', 4444, light!.shards[0]!],
    ['/barn/light/lie', light!.id, catalog!.shard],
  ];
  for (const [key, pool, shard] of lies) {
    await expect(put(key, pool, shard)).rejects.toMatchObject({ code: 'UNKNOWN_POOL' });
  }
  for (const { name } of info.pools) await expectNone(`${name}/lie`);
  expect(await put('/barn/light/truth', light!.id, light!.shards[0]!)).toMatchObject({ epoch: 1 });
  client.close();
});

test('a pool that is made is changed natively once members know it, and not when it is gone', async () => {
  const { members, door: grpc } = rig.cluster;
  const key = '/barn/brief/a';
  await grpc.createPool({ name: '/barn/brief', kind: 'volatile' });
  const knows = (isKnown: boolean) => async () => {
    const has = (one: (typeof members)[number]) => one.store.objects.directory.find(key) !== null;
    return Promise.resolve(members.every((one) => has(one) === isKnown));
  };
  await until(knows(true));
  const brief = await openNativeOnly(async () => grpc.nativeDoor());
  expect(await brief.put({ key, value: bytes('x') })).toMatchObject({ epoch: 1 });
  await grpc.removePool('/barn/brief');
  await until(knows(false));
  // Refused natively; its member is to tell why, over gRPC, which this client has not.
  await expect(brief.put({ key, value: bytes('x') })).rejects.toThrow('gRPC was used');
  await brief.close();
});

test('what a pool has that was made in the place of another is found by an old client', async () => {
  const { door: grpc } = rig.cluster;
  const name = '/barn/moved';
  const key = `${name}/a`;
  await grpc.createPool({ name, kind: 'volatile' });
  const old = await connect(`127.0.0.1:${String(rig.grpcPort)}`, { door: 'native' });
  await until(async () => (await grpc.nativeDoor()).pools.some((pool) => pool.name === name));
  await old.door.put({ key, value: bytes('x') });
  await grpc.removePool(name);
  await grpc.createPool({ name, kind: 'persistent' });
  await grpc.put({ key, value: bytes('y') });
  expect(text((await old.door.get({ key }))?.value)).toBe('y');
  await old.close();
});

/** Resolves with how the connection ended; null: it was opened. */
async function refusalOf(address: NativeAddress, ticket: NativeTicket): Promise<string | null> {
  return new Promise((resolve) => {
    const connection = new DoorConnection({
      address,
      ticket,
      statusNames,
      dial,
      clock: new SystemClock(),
      random: new SystemRandom(),
      onOpen: () => {
        connection.close();
        resolve(null);
      },
      onView: () => undefined,
      onLost: ({ code }) => {
        resolve(code);
      },
    });
  });
}

test('tickets are refused by name', async () => {
  const [address] = info.members;
  const { ticket: good } = info;
  expect(await refusalOf(address!, good)).toBeNull();
  const wrong = Buffer.from(good.ticket);
  wrong[63]! ^= 1;
  expect(await refusalOf(address!, { ...good, ticket: wrong })).toBe('UNAUTHENTICATED');
  const identity = clusterIdentity(rig.cluster.members[0]!.config.cluster);
  const random = new SystemRandom();
  const expired = issueTicket({ identity, random, clock: new ManualClock() });
  expect(await refusalOf(address!, expired)).toBe('UNAUTHENTICATED');
  const stranger = clusterIdentity({ name: 'test', secret: 'another' });
  const forged = issueTicket({ identity: stranger, random, clock: new SystemClock() });
  expect(await refusalOf(address!, forged)).toBe('UNAUTHENTICATED');
  // Whoever has the ticket alone, without its key.
  expect(await refusalOf(address!, { ...good, key: Buffer.alloc(32) })).toBe('UNAUTHENTICATED');
  const elsewhere = { ...good, clusterId: Buffer.alloc(16) };
  expect(await refusalOf(address!, elsewhere)).toBe('WRONG_CLUSTER');
  expect(await refusalOf({ ...address!, nodeId: 2 }, good)).toBe('NOT_A_MEMBER');
  const grpcPort = { ...address!, port: rig.grpcPort };
  expect(['INVALID_ARGUMENT', 'UNREACHABLE']).toContain(await refusalOf(grpcPort, good));
});

test('a member is reached by the name of its host too, and a way that fails is told', async () => {
  const [address] = info.members;
  const { ticket } = info;
  expect(await refusalOf({ ...address!, host: 'localhost' }, ticket)).toBeNull();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  for (const host of ['127.0.0.1', 'localhost']) {
    expect(await refusalOf({ ...address!, host, port }, ticket)).toBe('UNREACHABLE');
  }
});

/** Values too long for one message, in and out through every door and member. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import http from 'node:http';
import net from 'node:net';
import { promisify } from 'node:util';
import { credentials } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { limits } from '../../platform/base/mod.ts';
import { connect, Database, raw } from '../../platform/client/mod.ts';
import { GrpcDoor } from '../../platform/client/grpc/mod.ts';
import { type Backend, startGrpcServer, startHttpServer } from '../../platform/gateway/mod.ts';
import { ObjectsClient, ReadLevel, type WireGetRequest } from '../../platform/wire/mod.ts';
import { MemberDoor } from '../../platform/member-door.ts';
import { longValue } from '../support/long-value.ts';
import { makeTempFolder, type TemporaryFolder, until } from '../support/mod.ts';
import { startServingCluster, type ServingCluster } from '../support/serving.ts';
import { ask, errorOf, take } from './doors-rig.ts';
import { backendOf } from '../support/backend.ts';

const MiB = 1024 * 1024;
const size = limits.valueBytesWhole + 3 * MiB + 17;
const timeoutMs = 60_000;
const restOfHead = 'HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n';
const pools = [
  { name: '/long/light', kind: 'volatile', history: 1, schema: 'raw' },
  { name: '/long/kept', kind: 'persistent', schema: 'raw' },
] as const;

type Unary = (request: WireGetRequest, done: (error: Error | null) => void) => void;

let folder: TemporaryFolder;
let cluster: ServingCluster;

const valueOf = (number: number): Buffer => longValue(size, number);

/** A value as a key has it everywhere; a difference is told by its place alone. */
function expectSame(found: Uint8Array | null | undefined, value: Buffer): void {
  const bytes = Buffer.from(found ?? []);
  expect(bytes.byteLength).toBe(value.byteLength);
  expect(bytes.compare(value)).toBe(0);
}

beforeAll(async () => {
  folder = await makeTempFolder('long-values');
  cluster = await startServingCluster(folder.path, {
    members: 4,
    config: {
      memory: { ringBudgetBytes: 24 * MiB, shardBytes: 1024 * MiB },
      subgroups: [
        { name: 'volatile', kind: 'volatile', shards: 1, replicas: 2 },
        { name: 'persistent', kind: 'persistent', shards: 1, replicas: 2 },
      ],
    },
  });
  for (const pool of pools) await cluster.door.createPool({ ...pool, maxValueBytes: 80 * MiB });
});

afterAll(async () => {
  await cluster.close();
  await folder.remove();
});

afterEach(() => {
  vi.restoreAllMocks();
});

const httpPort = (nth: number): number => cluster.ports[nth % 4]!.http;

describe.each(pools)('in $name', ({ name }) => {
  test('over HTTP, put at one member and got at the next, whole and in part', async () => {
    const path = `/v1/objects${name}/http`;
    for (let nth = 0; nth < 4; nth++) {
      const body = valueOf(nth);
      expect((await ask(httpPort(nth), path, { method: 'PUT', body })).status).toBe(200);
      const found = await ask(httpPort(nth + 1), path);
      expect(found.status).toBe(200);
      expectSame(found.body, body);
      const head = await ask(httpPort(nth + 2), path, { method: 'HEAD' });
      expect(head.headers['content-length']).toBe(String(size));
      const range = `bytes=${String(size - 9)}-`;
      const end = await ask(httpPort(nth + 3), path, { headers: { range } });
      expect([end.status, end.body.compare(body, size - 9)]).toEqual([206, 0]);
    }
  });

  test('over gRPC and within a member', async () => {
    for (const nth of [0, 3]) {
      const { grpc } = cluster.ports[nth]!;
      const door = new GrpcDoor(`127.0.0.1:${String(grpc)}`, { token: null, timeoutMs });
      const here = new MemberDoor(cluster.members[nth]!, () => ({}));
      const value = valueOf(nth);
      const key = `${name}/grpc`;
      const put = await door.put({ key, value, meta: { nth: String(nth) } });
      expectSame((await here.get({ key, timeoutMs }))?.value, value);
      const again = valueOf(nth + 10);
      await here.put({ key, value: again, timeoutMs, expect: { versionOfKey: put.version } });
      const found = await door.get({ key });
      expectSame(found?.value, again);
      expect(found?.previousVersionOfKey).toBe(put.version);
      expect(await door.stat({ key })).toMatchObject({ size, value: null });
      await door.close();
    }
  });

  test('through a native client, over gRPC', async () => {
    // Whichever members hold the shard, some doors are those of others.
    const addresses = cluster.ports.map(({ grpc }) => `127.0.0.1:${String(grpc)}`);
    const database = await connect(addresses, { door: 'native' });
    const pool = database.pool(name, raw());
    await pool.put('native', Buffer.from('short'));
    const [value, again] = [valueOf(20), valueOf(21)];
    const put = await pool.put('native', value);
    expectSame((await pool.get('native'))?.value, value);
    const refused = pool.put('native', again, { expect: { versionOfKey: put.version + 1 } });
    await expect(refused).rejects.toMatchObject({
      code: 'CONDITION_FAILED',
      details: { versionOfKey: put.version },
    });
    const next = await pool.put('native', again, { expect: { versionOfKey: put.version } });
    const found = await pool.get('native', { read: 'local' });
    expect(found).toMatchObject({ version: next.version, previousVersionOfKey: put.version });
    expectSame(found?.value, again);
    const over = pool.put('native', Buffer.alloc(80 * MiB + 1));
    await expect(over).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' });
    await database.close();
  });

  test('no listing and no event brings it, and a typed watch gets it', async () => {
    const { door } = cluster;
    const pool = new Database(door).pool(name, raw());
    const event = take(door.watch({ prefix: `${name}/` }), 1);
    const typed = take(pool.watch(), 1);
    const value = valueOf(7);
    // The watches are there once they hear of it.
    let heard = 0;
    for (const one of [event, typed]) void one.then(() => heard++);
    await until(async () => {
      await door.put({ key: `${name}/seen`, value, timeoutMs });
      return heard === 2;
    });
    expect((await event)[0]?.object).toMatchObject({ value: null, removed: false, size });
    expectSame((await typed)[0]?.object.value, value);
    const sizes = await pool
      .objects()
      .select((o) => o.size)
      .toArray();
    expect(sizes).toContain(size);
    const values = pool
      .objects()
      .select((o) => o.value)
      .toArray();
    await expect(values).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' });
  });
});

/** Once some member has read `parts` of a value, and before the next is read, `run` is awaited. */
function beforePart(parts: number, run: () => Promise<unknown>): void {
  let left = parts;
  for (const { core } of cluster.members) {
    const call = core.call.bind(core);
    vi.spyOn(core, 'call').mockImplementation(async (what, ...rest) => {
      if (what.startsWith('Reading version') && left-- === 0) await run();
      return call(what, ...rest);
    });
  }
}

test('a read of what is newest finds the newer one, where that pruned it meanwhile', async () => {
  const { name } = pools[0];
  const key = `${name}/pruned`;
  const [shard = 0] = cluster.members[0]!.store.objects.directory.get(name)?.shards ?? [];
  const holders = cluster.members[0]!.group.holders(shard);
  const other = cluster.members.findIndex(({ core }) => !holders.includes(core.nodeId));
  // One who holds it reads it as a whole, another one in parts.
  for (const [nth, parts] of [
    [holders[0]! - 1, 0],
    [other, 3],
  ] as const) {
    const here = new MemberDoor(cluster.members[nth]!, () => ({}));
    const [old, newer] = [valueOf(nth), valueOf(nth + 10)];
    const { version } = await here.put({ key, value: old, timeoutMs });
    const hasRun = vi.fn(() => cluster.door.put({ key, value: newer, timeoutMs }));
    beforePart(parts, hasRun);
    expectSame((await here.get({ key, timeoutMs }))?.value, newer);
    expect(hasRun).toHaveBeenCalledOnce();
    vi.restoreAllMocks();
    // Of the past there is no newer one.
    const past = here.get({ key, version, exact: true, timeoutMs });
    await expect(past).rejects.toMatchObject({ code: 'COMPACTED' });
  }
});

test('what is over the limit of its pool is refused, and what is over all limits unread', async () => {
  const path = '/v1/objects/long/kept/over';
  const body = Buffer.alloc(80 * MiB + 1);
  const over = await ask(httpPort(0), path, { method: 'PUT', body });
  expect([over.status, errorOf(over).code]).toEqual([413, 'VALUE_TOO_LARGE']);
  const key = '/long/kept/over';
  const put = cluster.door.put({ key, value: body, timeoutMs });
  await expect(put).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' });
  const headers = { 'content-length': String(limits.valueBytesMax + 1) };
  const unread = await ask(httpPort(0), path, { method: 'PUT', headers }).catch(() => null);
  expect(unread === null || unread.status === 413).toBe(true);
});

describe('two values of one turn that are together too long for a message', () => {
  const bytes = 40 * MiB;

  test.each(pools)('go each by itself to a member that holds their shard: $name', async (pool) => {
    const [shard = 0] = cluster.members[0]!.store.objects.directory.get(pool.name)?.shards ?? [];
    const other = cluster.members.findIndex(({ group }) => !group.isHere(shard));
    const together = vi.spyOn(cluster.members[other]!.store.objects, 'putEach');
    const paths = ['one', 'two'].map((key) => `/v1/objects${pool.name}/${key}`);
    let round = 0;
    const values = (): Buffer[] => paths.map((_, nth) => longValue(bytes, 2 * round + nth));
    // How the last bytes come is the kernel's to say.
    await until(async () => {
      round++;
      const answers = await putAtOnce(httpPort(other), paths, values());
      expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200]);
      return together.mock.calls.some(([requests]) => requests.length === 2);
    });
    for (const nth of cluster.members.keys()) {
      for (const [at, value] of values().entries()) {
        expectSame((await ask(httpPort(nth), paths[at]!)).body, value);
      }
    }
  });
});

/** Puts whose last bytes are sent in one turn, once the member has read all others. */
async function putAtOnce(
  port: number,
  paths: readonly string[],
  values: readonly Buffer[],
): Promise<http.IncomingMessage[]> {
  const incoming: net.Socket[] = [];
  const note = (begun: unknown): void => {
    const { socket } = begun as { readonly socket: net.Socket };
    if (socket.localPort === port) incoming.push(socket);
  };
  subscribe('http.server.request.start', note);
  const requests = paths.map((path, nth) => {
    const headers = { 'content-length': values[nth]!.byteLength };
    const to = { host: '127.0.0.1', port, path, method: 'PUT', headers, agent: false };
    const request = http.request(to);
    request.write(values[nth]!.subarray(0, -1));
    return request;
  });
  const answers = requests.map(
    (request) =>
      new Promise<http.IncomingMessage>((resolve, reject) => {
        request.on('response', (answer) => {
          resolve(answer.resume());
        });
        request.on('error', reject);
      }),
  );
  try {
    await until(() => {
      const read = incoming.reduce((sum, { bytesRead }) => sum + bytesRead, 0);
      return read === requests.reduce((sum, { socket }) => sum + (socket?.bytesWritten ?? 1), 0);
    });
  } finally {
    unsubscribe('http.server.request.start', note);
  }
  for (const [nth, request] of requests.entries()) request.end(values[nth]!.subarray(-1));
  return Promise.all(answers);
}

test('clients that go before the end leave nothing behind', async () => {
  const path = '/v1/objects/long/kept/gone';
  const head = `PUT ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: ${String(size)}\r\n\r\n`;
  // Together more than may be on its way in.
  const clients = Math.ceil((2.5 * limits.valueBytesMax) / size);
  for (let nth = 0; nth < clients; nth++) await sendAndGo(head, nth === 0 ? size - 1000 : 1000);
  const aborted = new AbortController();
  const value = valueOf(1);
  const cut = cluster.door.put({ key: '/long/kept/gone', value, signal: aborted.signal });
  setImmediate(() => {
    aborted.abort();
  });
  await expect(cut).rejects.toMatchObject({ code: 'CANCELLED' });
  expect((await ask(httpPort(0), path)).status).toBe(404);
  expect((await ask(httpPort(0), path, { method: 'PUT', body: value })).status).toBe(200);
});

describe('more than may be on its way out', () => {
  const key = '/long/kept/out';
  const path = `/v1/objects${key}`;
  const value = valueOf(5);
  const makeBackend = (): Backend => {
    return backendOf(new MemberDoor(cluster.members[0]!, () => ({})));
  };

  beforeAll(async () => {
    const { door } = makeBackend();
    await door.put({ key, value, timeoutMs });
    await door.put({ key: '/long/kept/short', value: Buffer.from('short') });
  });

  test('over HTTP is refused, and what went away is on its way no more', async () => {
    const server = await startHttpServer(makeBackend(), {
      ...{ host: '127.0.0.1', port: 0, allowedHosts: [], dashboardFolder: null },
      longBodyBytes: 2 * size,
    });
    const { port } = server;
    const refused = async (headers = {}): Promise<void> => {
      const answer = await ask(port, path, { headers });
      expect([answer.status, errorOf(answer).code]).toEqual([429, 'OVERLOADED']);
      expect(answer.headers['retry-after']).toBe('1');
    };
    for (let round = 0; round < 2; round++) {
      // Those before may be on their way for a moment more.
      const readers = [await begunGet(port, path), await begunGet(port, path)];
      await refused();
      await refused({ range: 'bytes=0-1' });
      const head = await ask(port, path, { method: 'HEAD' });
      expect([head.status, head.headers['content-length']]).toEqual([200, String(size)]);
      const tag = { 'if-none-match': String(head.headers['etag']) };
      expect((await ask(port, path, { headers: tag })).status).toBe(304);
      expect((await ask(port, '/v1/objects/long/kept/short')).body.toString()).toBe('short');
      for (const reader of readers) reader.destroy();
      // While they are fetched.
      for (let nth = 0; nth < 3; nth++) await sendAndGo(`GET ${path} ${restOfHead}`, 0, port);
    }
    await server.close();
  });

  test('over gRPC too; in one message it is refused before it is fetched', async () => {
    const backend = makeBackend();
    const server = await startGrpcServer(backend, {
      ...{ host: '127.0.0.1', port: 0, longBodyBytes: size },
    });
    const address = `127.0.0.1:${String(server.port)}`;
    const door = new GrpcDoor(address, { token: null, timeoutMs });
    const client = new ObjectsClient(address, credentials.createInsecure());
    const get = vi.spyOn(backend.door, 'get');
    const asked = { key, read: ReadLevel.READ_LEVEL_UNSPECIFIED, exact: false, timeoutMs };
    const whole = promisify(client.get.bind(client) as Unary);
    await expect(whole(asked)).rejects.toThrow(/too many for one message/);
    expect(get.mock.calls).toMatchObject([[{ key, maxBytes: limits.valueBytesWhole }]]);
    get.mockRestore();
    for (let round = 0; round < 2; round++) {
      const pieces = client.getLong(asked);
      pieces.on('error', () => undefined);
      await new Promise((resolve) => pieces.once('data', resolve));
      pieces.pause();
      await expect(door.get({ key })).rejects.toMatchObject({ code: 'OVERLOADED' });
      pieces.cancel();
      await until(async () => (await door.get({ key }).catch(() => null)) !== null);
    }
    expectSame((await door.get({ key }))?.value, value);
    client.close();
    await door.close();
    await server.close();
  });
});

/** A connection on which a value has begun to come, and is read no further. */
async function begunGet(port: number, path: string): Promise<net.Socket> {
  let begun: net.Socket | null = null;
  await until(async () => (begun = await beginGet(port, path)) !== null);
  return begun as unknown as net.Socket;
}

/** null: it was refused. */
function beginGet(port: number, path: string): Promise<net.Socket | null> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port });
    socket.on('error', () => undefined);
    socket.once('data', (begin) => {
      socket.pause();
      if (begin.toString('latin1').startsWith('HTTP/1.1 200 ')) resolve(socket);
      else {
        socket.destroy();
        resolve(null);
      }
    });
    socket.write(`GET ${path} ${restOfHead}`);
  });
}

function sendAndGo(head: string, bytes: number, port = httpPort(0)): Promise<void> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      resolve();
    });
    socket.write(head);
    socket.write(Buffer.alloc(bytes), () => {
      socket.destroy();
    });
  });
}

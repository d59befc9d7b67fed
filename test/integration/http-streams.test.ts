import http from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packageVersion } from '../../platform/base/mod.ts';
import { Database } from '../../platform/client/mod.ts';
import {
  ask,
  type DoorsRig,
  errorOf,
  type HttpAsk,
  jsonOf,
  linesOf,
  memberDoor,
  sendRaw,
  startDoors,
} from './doors-rig.ts';

let rig: DoorsRig;

const at = async (path: string, options?: HttpAsk) => ask(rig.httpPort, path, options);
const put = async (key: string, body: string, headers = {}) =>
  at(`/v1/objects${key}`, { method: 'PUT', body, headers });
const json = { 'content-type': 'application/json' };

beforeAll(async () => {
  rig = await startDoors('http-streams');
  const { door } = rig.cluster;
  await door.createPool({ name: '/barn/notes', kind: 'persistent' });
  await door.createPool({ name: '/byre/yield', kind: 'volatile' });
});

afterAll(async () => rig.close());

describe('lists', () => {
  test('keys in byte order, by prefix, after one, up to a number, and as of a time', async () => {
    for (const name of ['b', 'a', 'c/1', 'c/2']) await put(`/barn/notes/list/${name}`, name);
    const places = jsonOf(await put('/barn/notes/list/late', 'x')) as { time: number };
    const keys = async (query: string) =>
      linesOf(await at(`/v1/keys?prefix=/barn/notes/list/${query}`));
    const all = ['a', 'b', 'c/1', 'c/2', 'late'].map((name) => `/barn/notes/list/${name}`);
    expect(await keys('')).toEqual(all);
    expect(await keys('c')).toEqual(all.slice(2, 4));
    expect(await keys('&after=/barn/notes/list/b&limit=2')).toEqual(all.slice(2, 4));
    expect(await keys(`&at=${String(places.time - 1)}`)).not.toContain('/barn/notes/list/late');
    const unknown = await at('/v1/keys?prefix=/nowhere/');
    expect([unknown.status, errorOf(unknown).code]).toEqual([404, 'UNKNOWN_POOL']);
    const from = await at('/v1/watch?prefix=/barn/notes&from=zzz');
    expect([from.status, errorOf(from).code]).toEqual([400, 'INVALID_ARGUMENT']);
    const headers = { 'last-event-id': '1.2' };
    expect((await at('/v1/watch?prefix=/barn/notes', { headers })).status).toBe(400);
  });

  test('a history both ways, bounded by number and by version', async () => {
    const versions: number[] = [];
    for (const litres of [1, 2, 3]) {
      const answer = await put('/barn/notes/history', JSON.stringify({ litres }), json);
      versions.push((jsonOf(answer) as { version: number }).version);
    }
    const history = async (query: string) => {
      const rows = linesOf(await at(`/v1/history/barn/notes/history?${query}`));
      return rows.map((row) => (row as { value: { litres: number } }).value.litres);
    };
    expect(await history('')).toEqual([1, 2, 3]);
    expect(await history('reverse=true&limit=2')).toEqual([3, 2]);
    expect(await history(`from=${String(versions[1])}&to=${String(versions[1])}`)).toEqual([2]);
  });

  test('a query as JSON lines, and its refusals', async () => {
    const yields = new Database(memberDoor(rig)).pool<{ litres: number }>('/byre/yield');
    for (const litres of [11, 12, 13]) await yields.put('cow_128', { litres });
    const plan = yields
      .versions()
      .where((o) => o.key.endsWith('/cow_128'))
      .orderBy((o) => o.version)
      .reverse()
      .take(2)
      .toPlan();
    const answer = await at('/v1/query', { method: 'POST', body: JSON.stringify(plan) });
    const rows = linesOf(answer) as { value: { litres: number } }[];
    expect(rows.map(({ value }) => value.litres)).toEqual([13, 12]);

    const refused = async (body: string) => at('/v1/query', { method: 'POST', body });
    expect(errorOf(await refused('{"source":')).code).toBe('INVALID_ARGUMENT');
    expect(errorOf(await refused('{}')).code).toBe('INVALID_QUERY');
    expect(errorOf(await refused('[]')).code).toBe('INVALID_QUERY');
    const deep = `{"v":1,"stages":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    expect(errorOf(await refused(deep)).code).toBe('INVALID_QUERY');
    const huge = JSON.stringify({ ...(plan as object), padding: 'x'.repeat(2 * 1024 * 1024) });
    expect(errorOf(await refused(huge)).code).toBe('INVALID_QUERY');
  });
});

describe('watch', () => {
  test('changes as events; a reader resumes after the last it saw, from header or query', async () => {
    const stream = await openWatch('/v1/watch?prefix=/barn/notes/seen');
    const first = await stream.nextAfter(async () => put('/barn/notes/seen/a', '{"n":1}', json));
    expect(first).toMatchObject({ event: 'put', data: { key: '/barn/notes/seen/a' } });
    expect(first.data['value']).toEqual({ n: 1 });
    stream.end();
    await put('/barn/notes/seen/b', 'raw');
    await at('/v1/objects/barn/notes/seen/a', { method: 'DELETE' });
    for (const resumed of [
      await openWatch('/v1/watch?prefix=/barn/notes/seen', { 'last-event-id': first.id }),
      await openWatch(`/v1/watch?prefix=/barn/notes/seen&from=${encodeURIComponent(first.id)}`),
    ]) {
      // Order holds within a shard: the two keys may come either way round.
      const events: ServerSentEvent[] = [];
      const isThere = (event: string, name: string) =>
        events.some((one) => one.event === event && one.data['key'] === `/barn/notes/seen/${name}`);
      while (!isThere('remove', 'a') || !isThere('put', 'b')) events.push(await resumed.next());
      resumed.end();
      const again = events.filter(
        ({ data }) =>
          data['key'] === first.data['key'] && data['version'] === first.data['version'],
      );
      expect(again).toEqual([]);
      const raw = events.find(({ data }) => data['key'] === '/barn/notes/seen/b');
      expect(raw?.data['valueBase64']).toBe(Buffer.from('raw').toString('base64'));
    }
  });

  test('values may be left out; a watch of nothing is refused with a status', async () => {
    const stream = await openWatch('/v1/watch?prefix=/barn/notes/bare&values=false');
    const event = await stream.nextAfter(async () => put('/barn/notes/bare/a', '{"n":1}', json));
    stream.end();
    expect(event.data).not.toHaveProperty('value');
    expect(event.data['size']).toBe(7);
    const unknown = await at('/v1/watch?prefix=/nowhere');
    expect([unknown.status, errorOf(unknown).code]).toEqual([404, 'UNKNOWN_POOL']);
  });
});

describe('the cluster', () => {
  test('pools are made, listed, measured and removed', async () => {
    const create = async (body: unknown) =>
      at('/v1/pools', { method: 'POST', body: JSON.stringify(body) });
    const made = await create({ name: '/byre/made', kind: 'volatile', history: 3 });
    expect(made.status).toBe(200);
    expect(jsonOf(made)).toMatchObject({ name: '/byre/made', kind: 'volatile', history: 3 });
    const names = async () =>
      (jsonOf(await at('/v1/pools')) as { name: string }[]).map(({ name }) => name);
    expect(await names()).toContain('/byre/made');
    const frontier = jsonOf(await at('/v1/frontier?name=/byre/made')) as { shard: number }[];
    expect(frontier.length).toBeGreaterThan(0);
    expect((await create({ name: '/byre/made', kind: 'persistent' })).status).toBe(409);
    expect((await at('/v1/pools?name=/byre/made', { method: 'DELETE' })).status).toBe(200);
    expect(await names()).not.toContain('/byre/made');
  });

  test.each([
    [{ name: '/byre/x', kind: 'volatile', histroy: 3 }, 'INVALID_POOL', 'did you mean history?'],
    [{ name: '/byre/x', kind: 'volatile', history: -1 }, 'INVALID_POOL', 'history'],
    [{ name: '/byre/x', kind: 'eternal' }, 'INVALID_POOL', 'kind'],
    [{ name: '/byre/x', kind: 'volatile', subgroup: 'nowhere' }, null, 'nowhere'],
    [
      { name: '/byre/x', kind: 'volatile', maxValueBytes: 2 ** 40 },
      'INVALID_POOL',
      'maxValueBytes',
    ],
    [{ name: '/byre/../x', kind: 'volatile' }, 'INVALID_KEY', '..'],
    [{ kind: 'volatile' }, 'INVALID_POOL', 'name'],
    [{ name: 7, kind: 'volatile' }, 'INVALID_POOL', 'name'],
    [[1, 2], 'INVALID_POOL', 'JSON object'],
    [null, 'INVALID_POOL', 'JSON object'],
  ])('pool options %j are refused', async (options, code, named) => {
    const answer = await at('/v1/pools', { method: 'POST', body: JSON.stringify(options) });
    expect(answer.status).toBe(400);
    const error = errorOf(answer);
    if (code !== null) expect(error.code).toBe(code);
    expect(`${error.message} ${error.mend}`).toContain(named);
  });

  test('members, sample, health, readiness and pipelines', async () => {
    const view = jsonOf(await at('/v1/members')) as { members: unknown[]; waitingFor: null };
    expect(view.members).toHaveLength(3);
    expect(view.waitingFor).toBeNull();
    const sample = jsonOf(await at('/v1/sample')) as { node: number; shards: unknown[] };
    expect(sample.node).toBe(1);
    expect(sample.shards.length).toBeGreaterThan(0);
    expect(jsonOf(await at('/healthz'))).toEqual({ status: 'ok' });
    expect(jsonOf(await at('/readyz'))).toEqual({ ready: true, waitingFor: null });
    expect(jsonOf(await at('/v1/pipelines'))).toEqual([]);
  });

  test('every route is in the OpenAPI document', async () => {
    const document = jsonOf(await at('/v1/openapi.json')) as {
      openapi: string;
      info: { version: string };
      paths: Record<string, Record<string, { summary?: string; responses: object }>>;
    };
    expect(document.openapi).toMatch(/^3\.1/);
    expect(document.info.version).toBe(packageVersion());
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { summary, responses }]) => {
        expect([path, method, summary]).not.toContain(undefined);
        expect(Object.keys(responses).length).toBeGreaterThan(0);
        return `${method} ${path}`;
      }),
    );
    expect(operations).toEqual(
      expect.arrayContaining(['put /v1/objects/{*}', 'get /v1/watch', 'post /v1/query']),
    );
    expect(operations.length).toBeGreaterThanOrEqual(17);
  });

  test('metrics are Prometheus text with a type for every sample', async () => {
    const answer = await at('/metrics');
    expect(answer.headers['content-type']).toContain('version=0.0.4');
    const typed = new Set<string>();
    for (const line of answer.body.toString().trimEnd().split('\n')) {
      const type = /^# TYPE (\w+) (counter|gauge|histogram)$/.exec(line);
      if (type !== null) typed.add(type[1]!);
      if (line.startsWith('#')) continue;
      const sample = /^(\w+)\{((?:\w+="(?:[^"\\]|\\.)*",?)+)\} (-?[\d.e+]+|\+Inf|NaN)$/.exec(line);
      expect(line).toSatisfy(() => sample !== null);
      expect(typed).toContain(sample![1]!.replace(/_(bucket|count|sum)$/, ''));
    }
    expect(typed).toContain('freshet_shard_delivered_version');
    expect(typed).toContain('freshet_log_damaged_segments');
    expect(typed).toContain('freshet_clock_held_back_seconds');
    for (const by of ['agent', 'loop', 'job', 'lambda']) {
      const series = `freshet_copied_bytes_total{member="1",by="${by}"} `;
      expect(answer.body.toString()).toContain(series);
    }
    for (const work of ['protocol', 'copy', 'system', 'idle']) {
      const series = `freshet_agent_seconds_total{member="1",work="${work}"} `;
      expect(answer.body.toString()).toContain(series);
    }
    expect(answer.body.toString()).toMatch(
      /^freshet_clock_offset_seconds\{member="\d",other="\d"\} -?\d/m,
    );
  });
});

describe('origins', () => {
  test.each([
    [{ host: 'evil.example' }, 403],
    [{ host: 'localhost:7400' }, 200],
    [{ host: '[::1]:7400' }, 200],
    [{ origin: 'http://evil.example' }, 403],
    [{ origin: 'null' }, 403],
    [{ host: 'localhost:7400', origin: 'http://localhost:7400' }, 200],
    [{ host: 'localhost:7400', origin: 'http://localhost:7401' }, 403],
    [{ 'sec-fetch-site': 'cross-site' }, 403],
    [{ 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors' }, 403],
    [{ 'sec-fetch-site': 'same-origin' }, 200],
  ])('%j', async (headers, status) => {
    const answer = await at('/v1/members', { headers });
    expect(answer.status).toBe(status);
    if (status === 403) expect(errorOf(answer).code).toBe('FORBIDDEN');
    const trigger = await at('/v1/objects/barn/notes/origin', {
      method: 'PUT',
      body: 'x',
      headers,
    });
    expect(trigger.status).toBe(status);
    const missing = await at('/nothing/here', { headers });
    expect(missing.status).toBe(status === 403 ? 403 : 404);
  });
});

describe('broken connections', () => {
  test('a body that ends midway stores nothing', async () => {
    const head = [
      'PUT /v1/objects/barn/notes/half HTTP/1.1',
      'host: 127.0.0.1',
      'content-length: 1000',
      '',
      'only this much',
    ].join('\r\n');
    await sendRaw(rig.httpPort, [head]);
    expect((await at('/v1/objects/barn/notes/half')).status).toBe(404);
    expect((await put('/barn/notes/half', 'whole')).status).toBe(200);
  });

  test('what is no HTTP gets a coded answer and the end of the connection', async () => {
    for (const garbage of [
      Buffer.alloc(2000, 0x80),
      Buffer.from('PUT\r\n\r\n'),
      Buffer.alloc(64),
    ]) {
      const answer = (await sendRaw(rig.httpPort, [garbage], { hangUp: false })).toString();
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
      expect(answer).toContain('"code":"INVALID_ARGUMENT"');
    }
    const long = `GET /v1/members HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(40_000)}`;
    const answer = (await sendRaw(rig.httpPort, [long], { hangUp: false })).toString();
    expect(answer).toContain('headers are too long');
    expect((await at('/healthz')).status).toBe(200);
  });
});

interface ServerSentEvent {
  readonly event: string;
  readonly id: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Reads Server-Sent Events as the specification has them. */
async function openWatch(path: string, headers: http.OutgoingHttpHeaders = {}) {
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    const options = { host: '127.0.0.1', port: rig.httpPort, path, headers, agent: false };
    http.get(options, resolve).on('error', reject);
  });
  expect(response.headers['content-type']).toContain('text/event-stream');
  const blocks = blocksOf(response);
  const next = async (): Promise<ServerSentEvent> => {
    for (;;) {
      const { value, done } = await blocks.next();
      if (done === true) throw new Error('The stream of events ended');
      if (!value.startsWith(':')) return parseEvent(value);
    }
  };
  return {
    next,
    end: () => {
      response.destroy();
    },
    /** Changes something until the watch, which opens by itself, has seen it. */
    nextAfter: async (change: () => Promise<unknown>): Promise<ServerSentEvent> => {
      const event = next();
      let isSeen = false as boolean;
      void event.then(() => (isSeen = true));
      while (!isSeen) await change();
      return event;
    },
  };
}

async function* blocksOf(response: http.IncomingMessage): AsyncGenerator<string, undefined> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) {
    text += chunk as string;
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    yield* blocks;
  }
  return undefined;
}

function parseEvent(block: string): ServerSentEvent {
  const fields = Object.fromEntries(
    block.split('\n').map((line) => {
      const colon = line.indexOf(': ');
      return [line.slice(0, colon), line.slice(colon + 2)];
    }),
  );
  const { event = '', id = '', data = 'null' } = fields;
  return { event, id, data: JSON.parse(data) as Record<string, unknown> };
}

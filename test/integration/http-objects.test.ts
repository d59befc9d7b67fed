import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ask,
  type DoorsRig,
  errorOf,
  type HttpAsk,
  jsonOf,
  linesOf,
  sendRaw,
  startDoors,
} from './doors-rig.ts';

const MiB = 1024 * 1024;
let rig: DoorsRig;

const http = async (path: string, options?: HttpAsk) => ask(rig.httpPort, path, options);
const put = async (key: string, body: string, headers = {}) =>
  http(`/v1/objects${key}`, { method: 'PUT', body, headers });

beforeAll(async () => {
  rig = await startDoors('http');
  const { door } = rig.cluster;
  await door.createPool({ name: '/barn/notes', kind: 'persistent' });
  await door.createPool({ name: '/byre/small', kind: 'volatile', maxValueBytes: 100 });
  await door.createPool({ name: '/byre/large', kind: 'volatile', history: 1 });
  await door.createPool({ name: '/byre/bell', kind: 'trigger' });
});

afterAll(async () => rig.close());

describe('objects', () => {
  test('a body is stored as it is and comes back with its type, its tag and its meta', async () => {
    const bytes = Buffer.from([0, 255, 1, 254]);
    const stored = await http('/v1/objects/barn/notes/raw%20%C3%A9', {
      method: 'PUT',
      body: bytes,
      headers: { 'content-type': 'image/x-cow', 'freshet-meta-camera': 'barn 2' },
    });
    expect(stored.status).toBe(200);
    const place = jsonOf(stored) as { version: number; epoch: number; time: number };
    expect(stored.headers.etag).toBe(`"${String(place.epoch)}-${String(place.version)}"`);
    const read = await http('/v1/objects/barn/notes/raw%20%C3%A9');
    expect(read.status).toBe(200);
    expect(read.body.equals(bytes)).toBe(true);
    expect(read.headers).toMatchObject({
      'content-type': 'image/x-cow',
      'freshet-meta-camera': 'barn 2',
      'freshet-version': String(place.version),
      'freshet-time': String(place.time),
      'content-security-policy': 'sandbox',
      'x-content-type-options': 'nosniff',
      etag: stored.headers.etag,
    });
    const direct = await rig.cluster.door.get({ key: '/barn/notes/raw é' });
    expect(Buffer.from(direct!.value!).equals(bytes)).toBe(true);
  });

  test('reads keep to their conditions, and never join parts of two versions', async () => {
    const path = '/v1/objects/barn/notes/parts';
    const { etag: before = '' } = (await put('/barn/notes/parts', 'eleven byte')).headers;
    const { etag: now = '' } = (await put('/barn/notes/parts', 'ELEVEN BYTE')).headers;
    const get = async (headers: Record<string, string>) => {
      const { status, body } = await http(path, { headers });
      return [status, body.toString()];
    };
    expect(await get({ range: 'bytes=0-5', 'if-range': now })).toEqual([206, 'ELEVEN']);
    expect(await get({ range: 'bytes=0-5', 'if-range': before })).toEqual([200, 'ELEVEN BYTE']);
    expect(await get({ range: 'Bytes=-4' })).toEqual([206, 'BYTE']);
    expect(await get({ range: 'bytes=5-2' })).toEqual([200, 'ELEVEN BYTE']);
    expect(await get({ range: 'bytes=11-' })).toEqual([416, '']);
    expect(await get({ 'if-match': `${before}, ${now}` })).toEqual([200, 'ELEVEN BYTE']);
    expect(await get({ 'if-match': '*' })).toEqual([200, 'ELEVEN BYTE']);
    expect((await get({ 'if-match': before }))[0]).toBe(412);
    expect(await get({ 'if-none-match': '*' })).toEqual([304, '']);
    const whole = await http(`http://127.0.0.1:${String(rig.httpPort)}${path}`);
    expect([whole.status, whole.body.toString()]).toEqual([200, 'ELEVEN BYTE']);
  });

  test('what was not waited for has no tag', async () => {
    const answer = await http('/v1/objects/barn/notes/loose?ack=none', {
      method: 'PUT',
      body: 'x',
    });
    expect([answer.status, answer.headers.etag]).toEqual([200, undefined]);
  });

  test('a parameter or header that is wrong is named', async () => {
    const message = async (path: string, headers = {}) =>
      errorOf(await http(path, { method: 'PUT', body: 'x', headers })).message;
    const path = '/v1/objects/barn/notes/named';
    expect(await message(`${path}?colour=red`)).toBe('There is no parameter colour');
    expect(await message(`${path}?ack=soon`)).toBe(
      'The parameter ack must be one of none, delivered, persisted',
    );
    expect(await message(`${path}?eventTime=x`)).toBe('The parameter eventTime must be integer');
    expect(await message(path, { 'content-type': '///' })).toContain('Content-Type');
    const missing = await http('/v1/keys');
    expect(errorOf(missing).message).toBe('The parameter prefix is missing');
  });

  test('HEAD tells size and place without the value, an empty value is a value', async () => {
    await put('/barn/notes/head', 'twelve bytes');
    const head = await http('/v1/objects/barn/notes/head', { method: 'HEAD' });
    expect(head).toMatchObject({ status: 200, body: Buffer.alloc(0) });
    expect(head.headers['content-length']).toBe('12');
    await put('/barn/notes/empty', '');
    const empty = await http('/v1/objects/barn/notes/empty');
    expect(empty).toMatchObject({ status: 200, body: Buffer.alloc(0) });
  });

  test('a removed object is gone, its history stays', async () => {
    await put('/barn/notes/gone', 'one');
    const removed = await http('/v1/objects/barn/notes/gone', { method: 'DELETE' });
    expect(removed.status).toBe(200);
    const read = await http('/v1/objects/barn/notes/gone');
    expect(read.status).toBe(404);
    expect(errorOf(read)).toMatchObject({ code: 'NOT_FOUND' });
    const history = linesOf(await http('/v1/history/barn/notes/gone')) as { removed: boolean }[];
    expect(history.map(({ removed: isRemoved }) => isRemoved)).toEqual([false, true]);
  });

  test('ETags are conditions', async () => {
    const first = await put('/barn/notes/tag', 'one', { 'if-none-match': '*' });
    expect(first.status).toBe(200);
    const again = await put('/barn/notes/tag', 'other', { 'if-none-match': '*' });
    expect(again.status).toBe(412);
    expect(errorOf(again).code).toBe('CONDITION_FAILED');
    const second = await put('/barn/notes/tag', 'two', { 'if-match': first.headers.etag });
    expect(second.status).toBe(200);
    const stale = await put('/barn/notes/tag', 'three', { 'if-match': first.headers.etag });
    expect(stale.status).toBe(412);
    const remove = await http('/v1/objects/barn/notes/tag', {
      method: 'DELETE',
      headers: { 'if-match': first.headers.etag },
    });
    expect(remove.status).toBe(412);
    const unchanged = await http('/v1/objects/barn/notes/tag', {
      headers: { 'if-none-match': second.headers.etag },
    });
    expect(unchanged).toMatchObject({ status: 304, body: Buffer.alloc(0) });
    expect((await http('/v1/objects/barn/notes/tag')).body.toString()).toBe('two');
    const nonsense = await put('/barn/notes/tag', 'x', { 'if-match': 'yes' });
    expect(nonsense.status).toBe(400);
    expect(errorOf(nonsense).code).toBe('INVALID_ARGUMENT');
  });

  test.each([
    ['bytes=0-3', 206, '0123', 'bytes 0-3/10'],
    ['bytes=7-', 206, '789', 'bytes 7-9/10'],
    ['bytes=-2', 206, '89', 'bytes 8-9/10'],
    ['bytes=3-99', 206, '3456789', 'bytes 3-9/10'],
    ['bytes=10-', 416, '', 'bytes */10'],
    ['lines=1-2', 200, '0123456789', undefined],
  ])('the range %s', async (range, status, body, contentRange) => {
    await put('/barn/notes/range', '0123456789');
    const read = await http('/v1/objects/barn/notes/range', { headers: { range } });
    expect(read.status).toBe(status);
    expect(read.body.toString()).toBe(body);
    expect(read.headers['content-range']).toBe(contentRange);
  });

  test('a version and a moment can be asked for, at each level of reading', async () => {
    const places: { version: number; time: number }[] = [];
    for (const text of ['one', 'two', 'three']) {
      places.push(jsonOf(await put('/barn/notes/time', text)) as { version: number; time: number });
    }
    const [one, two, three] = places;
    const get = async (query: string) => (await http(`/v1/objects/barn/notes/time?${query}`)).body;
    expect((await get(`version=${String(two!.version)}&exact=true`)).toString()).toBe('two');
    expect((await get(`version=${String(three!.version - 1)}`)).toString()).toBe('two');
    expect((await get(`at=${String(three!.time - 1)}`)).toString()).toBe('two');
    expect((await get(`at=${String(one!.time)}`)).toString()).toBe('one');
    for (const level of ['local', 'stable', 'linearizable']) {
      expect((await get(`read=${level}`)).toString()).toBe('three');
    }
    const before = await http(`/v1/objects/barn/notes/time?at=${String(one!.time - 1)}`);
    expect(before.status).toBe(404);
    const both = await http('/v1/objects/barn/notes/time?at=5&version=5');
    expect(errorOf(both).code).toBe('INVALID_ARGUMENT');
    const unknown = await http('/v1/objects/barn/notes/time?versoin=5');
    expect(unknown.status).toBe(400);
  });

  test('eventTime travels in the query', async () => {
    await http('/v1/objects/barn/notes/event?eventTime=1234567', { method: 'PUT', body: 'x' });
    const head = await http('/v1/objects/barn/notes/event', { method: 'HEAD' });
    expect(head.headers['freshet-event-time']).toBe('1234567');
  });
});

describe('bad input is refused with a code, and the member goes on', () => {
  const long = 'x'.repeat(1100);
  test.each([
    ['/nowhere/key', 404, 'UNKNOWN_POOL'],
    ['/barn/notes/a%00b', 400, 'INVALID_KEY'],
    ['/barn/notes/a%ffb', 400, 'INVALID_KEY'],
    ['/barn/notes/../small/a', 400, 'INVALID_KEY'],
    ['/barn/notes/%2e%2e/small', 400, 'INVALID_KEY'],
    ['/barn/notes/%252e%252e/small', 400, 'INVALID_KEY'],
    ['/barn/notes//a', 400, 'INVALID_KEY'],
    ['/barn/notes/a%zz', 400, 'INVALID_KEY'],
    [`/barn/notes/${long}`, 400, 'KEY_TOO_LONG'],
    [`/barn/notes/${'%C3%A9'.repeat(600)}`, 400, 'KEY_TOO_LONG'],
    [`/barn/notes/${long.repeat(8)}`, 400, 'KEY_TOO_LONG'],
  ])('key %.60s', async (key, status, code) => {
    for (const method of ['PUT', 'GET', 'DELETE']) {
      const body = method === 'PUT' ? { body: 'x' } : {};
      const answer = await http(`/v1/objects${key}`, { method, ...body });
      expect(answer.status).toBe(status);
      expect(errorOf(answer)).toMatchObject({ code, mend: expect.stringMatching(/./) as string });
    }
    expect((await put('/barn/notes/after', 'well')).status).toBe(200);
  });

  test('a value of the limit is taken, one byte more is not', async () => {
    expect((await put('/byre/small/a', 'x'.repeat(100))).status).toBe(200);
    const over = await put('/byre/small/a', 'x'.repeat(101));
    expect(over.status).toBe(413);
    expect(errorOf(over).code).toBe('VALUE_TOO_LARGE');
    expect((await http('/v1/objects/byre/small/a')).body.byteLength).toBe(100);
    const trigger = await http('/v1/triggers/byre/small/a', {
      method: 'POST',
      body: 'x'.repeat(101),
    });
    expect(errorOf(trigger).code).toBe('VALUE_TOO_LARGE');
  });

  test('64 MiB go in and come out, one byte more does not', async () => {
    const value = Buffer.alloc(64 * MiB, 'milk ');
    const stored = await http('/v1/objects/byre/large/a', { method: 'PUT', body: value });
    expect(stored.status).toBe(200);
    const read = await http('/v1/objects/byre/large/a');
    expect(read.body.equals(value)).toBe(true);
    const over = await overLimit(64 * MiB + 1);
    expect(over).toMatch(/^HTTP\/1\.1 413 /);
    expect(over).toContain('"code":"VALUE_TOO_LARGE"');
    expect((await http('/v1/objects/byre/large/a', { method: 'HEAD' })).status).toBe(200);
  });

  test('a trigger pool stores nothing and says so', async () => {
    const answer = await put('/byre/bell/a', 'x');
    expect(answer.status).toBe(501);
    expect(errorOf(answer).code).toBe('UNSUPPORTED');
    const trigger = await http('/v1/triggers/byre/bell/a', { method: 'POST', body: 'x' });
    expect(trigger.status).toBe(200);
    expect(jsonOf(trigger)).toMatchObject({ members: [expect.any(Number)] });
  });

  test('meta beyond its limit', async () => {
    const answer = await put('/barn/notes/meta', 'x', { 'freshet-meta-a': 'm'.repeat(5000) });
    expect(errorOf(answer).code).toBe('META_TOO_LARGE');
  });
});

/** Names the length of a body that is never sent, as a client does that waits for the answer. */
async function overLimit(length: number): Promise<string> {
  const head = [
    'PUT /v1/objects/byre/large/b HTTP/1.1',
    'host: 127.0.0.1',
    'connection: close',
    `content-length: ${String(length)}`,
    '',
    '',
  ].join('\r\n');
  return (await sendRaw(rig.httpPort, [head], { hangUp: false })).toString();
}

import { afterEach, expect, test } from 'vitest';
import { FreshetError } from '../../../platform/base/mod.ts';
import { until } from '../../support/mod.ts';
import {
  Client,
  longBody,
  type LongDoor,
  longSize,
  path,
  patient,
  putHead,
  startLongDoor,
} from './long-rig.ts';

const MiB = 1024 * 1024;
const getHead = `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`;
const tooSlow = /"code":"TIMEOUT","message":"Less than \d+ bytes of the value moved within 500/;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

let door: LongDoor;

afterEach(async () => {
  await door.close();
});

test('a long body may take longer than a request may, and only that body', async () => {
  const connection = { ...patient, headersMs: 100, requestMs: 100 };
  door = await startLongDoor({ connection });
  const client = new Client(door).send(putHead(longSize));
  for (let sent = 0; sent < longSize; sent += 4 * MiB) {
    client.send(longBody.subarray(sent, sent + 4 * MiB));
    await sleep(20);
  }
  expect(await client.answers(1)).toEqual([200]);
  client.send(putHead(10), 'short');
  expect(await client.closed()).toEqual([200, 408]);
  expect(client.text).toContain('"code":"TIMEOUT"');
});

test('of one that stands still the connection is ended, and it leaves its room', async () => {
  const connection = { ...patient, idleMs: 500 };
  door = await startLongDoor({ connection, longBodyBytes: longSize });
  for (let round = 0; round < 2; round++) {
    const client = new Client(door).send(putHead(longSize), 'begin');
    expect(await client.closed()).toEqual([408]);
    expect(client.text).toMatch(tooSlow);
  }
});

test('and of one that hardly comes', async () => {
  const connection = { ...patient, idleMs: 500 };
  door = await startLongDoor({ connection, longBodyBytes: longSize });
  for (let round = 0; round < 2; round++) {
    const client = new Client(door).send(putHead(longSize), 'begin');
    const dribble = setInterval(() => client.send('x'), 50);
    expect(await client.closed()).toEqual([408]);
    clearInterval(dribble);
    expect(client.text).toMatch(tooSlow);
  }
});

test('of a long body nothing is kept once it is put, whenever its answer can go', async () => {
  let puts = 0;
  const put = (): Promise<void> => (puts++ > 0 ? Promise.resolve() : new Promise(() => undefined));
  door = await startLongDoor({ longBodyBytes: longSize }, put);
  const waiting = new Client(door).send(putHead(1), 'x', putHead(longSize), longBody);
  await until(() => puts === 2);
  const next = new Client(door).send(putHead(longSize), longBody);
  expect(await next.answers(1)).toEqual([200]);
  waiting.socket.destroy();
});

test('and without an answer where one to another request is awaited', async () => {
  door = await startLongDoor(
    { connection: { ...patient, idleMs: 100 } },
    () => new Promise(() => undefined),
  );
  const client = new Client(door).send(putHead(1), 'x', putHead(longSize), 'begin');
  expect(await client.closed()).toEqual([]);
});

test('what comes of a body once it is there may take its time', async () => {
  door = await startLongDoor({ connection: { ...patient, idleMs: 500 } }, () => sleep(1200));
  const client = new Client(door).send(putHead(longSize), longBody);
  expect(await client.answers(1)).toEqual([200]);
});

test('an answer that nobody reads is given up, and leaves its room', async () => {
  const connection = { ...patient, idleMs: 300 };
  door = await startLongDoor({ connection, longBodyBytes: longSize });
  const idle = new Client(door).send(getHead);
  await until(() => idle.text !== '');
  idle.socket.pause();
  await until(async () => {
    const next = new Client(door).send(getHead);
    const [status] = await next.answers(1);
    next.socket.destroy();
    return status === 200;
  });
  idle.socket.destroy();
});

test('one that is read in time is not, however long that takes', async () => {
  const pauseMs = 400;
  door = await startLongDoor({ connection: { ...patient, idleMs: 3 * pauseMs } });
  const { socket } = new Client(door).send(getHead);
  let bytes = 0;
  let pauses = 0;
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.byteLength;
    if (bytes < (longSize * (pauses + 1)) / 8) return;
    pauses++;
    socket.pause();
    setTimeout(() => socket.resume(), pauseMs);
  });
  await until(() => bytes > longSize);
  expect(pauses).toBe(8);
  socket.destroy();
});

test('a long answer takes no room before those to what was asked earlier have gone', async () => {
  let answer = (): void => undefined;
  const put = (): Promise<void> => new Promise((resolve) => (answer = resolve));
  door = await startLongDoor({}, put);
  const waiting = new Client(door).send(putHead(1), 'x', getHead, getHead);
  await until(() => door.gets() === 2);
  const next = new Client(door).send(getHead);
  expect(await next.answers(1)).toEqual([200]);
  next.socket.destroy();
  answer();
  expect((await waiting.answers(2)).slice(0, 2)).toEqual([200, 200]);
  waiting.socket.destroy();
});

test('nor is a connection kept whose short answers nobody reads', async () => {
  const requestMs = 200;
  door = await startLongDoor({ connection: { ...patient, requestMs } });
  const client = new Client(door);
  const asks = 2000;
  client.socket.pause();
  for (let nth = 0; nth < asks; nth++) {
    client.send('GET /v1/openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n');
  }
  await sleep(15 * requestMs);
  client.socket.resume();
  expect((await client.closed()).length).toBeLessThan(asks);
});

test('of a client that goes nothing is fetched any more, and it leaves its room', async () => {
  const ends: string[] = [];
  const fetch = (signal?: AbortSignal): Promise<void> =>
    new Promise((_resolve, reject) => {
      ends.push('begun');
      signal?.addEventListener('abort', () => {
        ends.push('ended');
        reject(new FreshetError('UNREACHABLE', 'Nobody waits for it'));
      });
    });
  door = await startLongDoor({ longBodyBytes: longSize }, undefined, fetch);
  for (const nth of [1, 2]) {
    const client = new Client(door).send(getHead);
    await until(() => ends.length === 2 * nth - 1);
    client.socket.destroy();
    await until(() => ends.length === 2 * nth);
  }
  expect(ends).toEqual(['begun', 'ended', 'begun', 'ended']);
});

test('after a long answer the connection may be silent longer', async () => {
  door = await startLongDoor({ connection: { ...patient, idleMs: 300 } }, () => sleep(1500));
  const client = new Client(door).send(getHead, putHead(1), 'x');
  expect(await client.answers(2)).toEqual([200, 200]);
});

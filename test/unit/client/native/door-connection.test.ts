import { createHmac } from 'node:crypto';
import { createServer, type Server, Socket } from 'node:net';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import {
  type FreshetError,
  ManualClock,
  SeededRandom,
  type SessionStamp,
} from '../../../../platform/base/mod.ts';
import { ChangeCall } from '../../../../platform/client/native/change-call.ts';
import { DoorConnection } from '../../../../platform/client/native/door-connection.ts';
import { until } from '../../../support/mod.ts';

const statusNames = ['OK', 'NOT_FOUND'];
const key = Buffer.alloc(32, 5);
const requestsMax = 3;

/** The other side of the wire, by hand: it answers what it is told to. */
class Member {
  readonly server: Server;
  readonly frames: { type: number; bytes: Buffer }[] = [];
  isHonest = true;
  isSilent = false;
  socket: Socket | null = null;
  #rest: Buffer = Buffer.alloc(0);

  constructor() {
    this.server = createServer((socket) => {
      this.socket = socket;
      socket.on('data', (chunk) => {
        this.#onData(chunk);
      });
      socket.on('error', () => undefined);
    });
  }

  ofType(type: number): Buffer[] {
    return this.frames.filter((frame) => frame.type === type).map(({ bytes }) => bytes);
  }

  send(type: number, flags: number, size: number, write: (bytes: Buffer) => void): void {
    const bytes = Buffer.alloc(size);
    bytes.writeUInt32LE(size - 4, 0);
    bytes[4] = type;
    bytes[5] = flags;
    write(bytes);
    this.socket?.write(bytes);
  }

  done(change: Buffer, version: number): void {
    this.send(32, 0, 48, (bytes) => {
      change.copy(bytes, 8, 8, 16);
      bytes.writeDoubleLE(version, 24);
    });
  }

  #onData(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 8) {
      const size = this.#rest.readUInt32LE(0) + 4;
      if (this.#rest.length < size) return;
      const bytes = this.#rest.subarray(0, size);
      this.#rest = this.#rest.subarray(size);
      this.frames.push({ type: bytes[4]!, bytes });
      if (bytes[4] === 1 && !this.isSilent) this.#challenge(bytes);
      if (bytes[4] === 3) this.#welcome();
    }
  }

  #challenge(hello: Buffer): void {
    const nonce = Buffer.alloc(32, 7);
    const hmac = createHmac('sha256', this.isHonest ? key : 'another').update('member');
    const proof = hmac.update(hello.subarray(40, 72)).update(nonce).update(hello.subarray(20, 24));
    this.send(2, 0, 72, (bytes) => {
      nonce.copy(bytes, 8);
      proof.digest().copy(bytes, 40);
    });
  }

  #welcome(): void {
    this.send(4, 0, 24, (bytes) => {
      bytes.writeDoubleLE(6, 8);
      bytes.writeUInt32LE(requestsMax, 16);
      bytes.writeUInt32LE(1 << 20, 20);
    });
  }
}

let member: Member;
let clock: ManualClock;
let connection: DoorConnection | null = null;
const views: number[] = [];

beforeEach(async () => {
  member = new Member();
  clock = new ManualClock();
  views.length = 0;
  await new Promise<void>((resolve) => member.server.listen(0, '127.0.0.1', resolve));
});

afterEach(() => {
  connection?.close();
  member.socket?.destroy();
  member.server.close();
});

/** Resolves once it is open, or with why it is not. */
async function open(): Promise<FreshetError | null> {
  const address = member.server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const bytes = new Uint8Array(16);
  return new Promise((resolve) => {
    connection = new DoorConnection({
      address: { nodeId: 2, host: '127.0.0.1', port: address.port },
      ticket: { ticket: Buffer.alloc(64, 1), key, expires: 0, clusterId: bytes },
      statusNames,
      dial: () => -1,
      clock,
      random: new SeededRandom(1),
      onOpen: () => {
        resolve(null);
      },
      onView: (view) => views.push(view),
      onLost: resolve,
    });
  });
}

type Outcome = number | string;

function put(
  request: number,
  timeoutMs = 2500,
  session = 77,
  value = Buffer.from('v'),
): Promise<Outcome> {
  return new Promise((resolve) => {
    const stamp: SessionStamp = { session, request, lowestUnanswered: 1 };
    const plain = { pool: 1, key: '/p/k', value, meta: null } as const;
    const rest = { kind: 'put', ack: 'delivered', expect: null, eventTime: null } as const;
    const change = { ...plain, ...rest, session: stamp };
    const answer = {
      resolve: ({ version }: { version: number }) => {
        resolve(version);
      },
      reject: ({ code }: FreshetError) => {
        resolve(code);
      },
    };
    const untilMs = clock.monotonicMs() + timeoutMs;
    connection?.ask(new ChangeCall(change, 1, untilMs, statusNames, answer));
  });
}

test('keeps to what the member takes at once, and says a session once', async () => {
  expect(await open()).toBeNull();
  expect(views).toEqual([6]);
  const puts = [1, 2, 3, 4, 5].map(async (request) => put(request));
  await until(() => member.ofType(16).length === requestsMax);
  const numbers = member.ofType(16).map((bytes) => bytes.readDoubleLE(8));
  expect(new Set(numbers).size).toBe(requestsMax);
  // Answers come in any order; each makes room for one more.
  member.done(member.ofType(16)[1]!, 22);
  member.done(member.ofType(16)[0]!, 21);
  await until(() => member.ofType(16).length === 5);
  for (const nth of [4, 2, 3]) member.done(member.ofType(16)[nth]!, 21 + nth);
  expect(await Promise.all(puts)).toEqual([21, 22, 23, 24, 25]);
  expect(member.ofType(15).map((bytes) => bytes.readDoubleLE(8))).toEqual([77]);
  const last = put(1, 2500, 78);
  await until(() => member.ofType(16).length === 6);
  expect(member.ofType(15)).toHaveLength(2);
  member.done(member.ofType(16)[5]!, 30);
  expect(await last).toBe(30);
});

test('a turn begins with the first that is asked in it', async () => {
  clock.advance(20_000);
  expect(await open()).toBeNull();
  const turn = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  // Something is to be sent in the turn of the welcome, too.
  expect(connection?.turnMs).toBe(clock.monotonicMs());
  await turn();
  clock.advance(5000);
  const began = clock.monotonicMs();
  const answered = put(1);
  clock.advance(7);
  expect(connection?.turnMs).toBe(began);
  await until(() => member.ofType(16).length === 1);
  expect(connection?.turnMs).toBe(clock.monotonicMs());
  member.done(member.ofType(16)[0]!, 1);
  expect(await answered).toBe(1);
});

test('what is much goes before the turn ends', async () => {
  expect(await open()).toBeNull();
  const write = vi.spyOn(Socket.prototype, 'write');
  onTestFinished(() => {
    write.mockRestore();
  });
  const value = Buffer.alloc(15 * 1024);
  const puts = [1, 2].map(async (request) => put(request, 2500, 77, value));
  expect(write).not.toHaveBeenCalled();
  puts.push(put(3, 2500, 77, value));
  expect(write).toHaveBeenCalled();
  await until(() => member.ofType(16).length === 3);
  for (const bytes of member.ofType(16)) member.done(bytes, 21);
  expect(await Promise.all(puts)).toEqual([21, 21, 21]);
});

test('what is unanswered or waits is UNREACHABLE once the connection is lost', async () => {
  expect(await open()).toBeNull();
  const puts = [1, 2, 3, 4, 5].map(async (request) => put(request));
  await until(() => member.ofType(16).length === requestsMax);
  member.socket?.destroy();
  expect(await Promise.all(puts)).toEqual(Array.from({ length: 5 }, () => 'UNREACHABLE'));
  expect(connection?.hasEnded).toBe(true);
  expect(await put(6)).toBe('UNREACHABLE');
});

test('a member that says nothing is given up: the call first, then the connection', async () => {
  expect(await open()).toBeNull();
  const [short, long] = [put(1, 1000), put(2, 60_000)];
  await until(() => member.ofType(16).length === 2);
  for (let ms = 0; ms < 1700; ms += 100) clock.advance(100);
  expect(await short).toBe('TIMEOUT');
  for (let ms = 0; ms < 2000; ms += 100) clock.advance(100);
  expect(await long).toBe('UNREACHABLE');
});

test('a member that does not know the key of the ticket is none', async () => {
  member.isHonest = false;
  expect(await open()).toMatchObject({ code: 'UNAUTHENTICATED' });
  expect(member.ofType(3)).toEqual([]);
});

test('a handshake that does not end is given up', async () => {
  member.isSilent = true;
  const opened = open();
  for (let ms = 0; ms < 3500; ms += 100) clock.advance(100);
  expect(await opened).toMatchObject({ code: 'UNREACHABLE' });
});

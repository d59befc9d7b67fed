import { describe, expect, test } from 'vitest';
import {
  type ErrorCode,
  FreshetError,
  limits,
  ManualClock,
  type PoolInfo,
  type PutRequest,
  type PutResult,
  SeededRandom,
  type SessionStamp,
  timeoutOf,
  transferMs,
} from '../../../platform/base/mod.ts';
import type { Door } from '../../../platform/client/mod.ts';
import { attemptMs, isGone, pauseMs } from '../../../platform/client/retry-policy.ts';
import { SessionDoor } from '../../../platform/client/session-door.ts';

const done: PutResult = { version: 7, epoch: 1, time: 5, previousVersionOfKey: null };

/** One member: what its door was asked, and how it answers, one after the other. */
class FakeMember {
  readonly asked: PutRequest[] = [];
  readonly address: string;
  #answers: (ErrorCode | PutResult | (() => Promise<PutResult>))[] = [];
  isClosed = false;

  constructor(address: string) {
    this.address = address;
  }

  answers(...answers: (ErrorCode | PutResult | (() => Promise<PutResult>))[]): this {
    this.#answers = answers;
    return this;
  }

  get door(): Door {
    const answer = async (request: PutRequest): Promise<PutResult> => {
      this.asked.push(request);
      const next = this.#answers.length > 1 ? this.#answers.shift() : this.#answers[0];
      if (typeof next === 'function') return next();
      if (typeof next === 'object') return Promise.resolve(next);
      return Promise.reject(new FreshetError(next ?? 'UNREACHABLE', `of ${this.address}`));
    };
    const door: Partial<Door> = {
      put: answer,
      remove: (request) => answer({ ...request, value: new Uint8Array(0) }),
      triggerPut: async (request) => {
        await answer(request);
        return { members: [], time: 0 };
      },
      createPool: async ({ name, kind }) => {
        await answer({ key: name, value: new Uint8Array(0) });
        return { name, kind } as PoolInfo;
      },
      members: async () => {
        await answer({ key: '/members', value: new Uint8Array(0) });
        return { view: 1, me: 1, members: [], waitingFor: null };
      },
      list: async function* list({ prefix }) {
        yield `${prefix}/first`;
        await answer({ key: prefix, value: new Uint8Array(0) });
        yield `${prefix}/second`;
      },
      close: async () => {
        this.isClosed = true;
        return Promise.resolve();
      },
    };
    return door as Door;
  }
}

function rig(members: readonly FakeMember[], timeoutMs = 1000) {
  const clock = new ManualClock();
  const pauses: number[] = [];
  const door = new SessionDoor({
    addresses: members.map(({ address }) => address),
    open: (address) => members.find((member) => member.address === address)!.door,
    timeoutMs,
    clock,
    random: new SeededRandom(1),
    pause: async (delayMs) => {
      pauses.push(delayMs);
      clock.advance(delayMs);
      return Promise.resolve();
    },
  });
  return { door, clock, pauses };
}

const put = (key: string): PutRequest => ({ key, value: new Uint8Array(1) });
const stampsOf = (member: FakeMember): (SessionStamp | undefined)[] =>
  member.asked.map(({ session }) => session);

describe('a change', () => {
  test('goes under the same stamp to the next member when one is lost', async () => {
    const [a, b] = [new FakeMember('a').answers('UNREACHABLE'), new FakeMember('b').answers(done)];
    const { door, pauses } = rig([a, b]);
    expect(await door.put(put('/p/k'))).toEqual(done);
    expect(stampsOf(b)).toEqual(stampsOf(a));
    expect(stampsOf(a)).toEqual([expect.objectContaining({ request: 1, lowestUnanswered: 1 })]);
    expect(pauses).toEqual([]);
    // The one that answered is used from now on.
    await door.put(put('/p/k'));
    expect([a.asked.length, b.asked.length]).toEqual([1, 2]);
    expect(stampsOf(b)[1]).toMatchObject({ request: 2, lowestUnanswered: 2 });
  });

  test('tells the lowest one that is under way', async () => {
    let answer: (result: PutResult) => void = () => undefined;
    const slow = new Promise<PutResult>((resolve) => {
      answer = resolve;
    });
    const a = new FakeMember('a').answers(() => slow, done);
    const { door } = rig([a]);
    const first = door.put(put('/p/slow'));
    await door.remove({ key: '/p/k' });
    await door.put(put('/p/k'));
    expect(stampsOf(a).map((stamp) => stamp?.lowestUnanswered)).toEqual([1, 1, 1]);
    answer(done);
    await first;
    await door.put(put('/p/k'));
    expect(stampsOf(a)[3]?.lowestUnanswered).toBe(4);
  });

  test('keeps the identity that its caller gave', async () => {
    const session = { session: 9, request: 3, lowestUnanswered: 2 };
    const [a, b] = [new FakeMember('a').answers('TIMEOUT'), new FakeMember('b').answers(done)];
    await rig([a, b]).door.put({ ...put('/p/k'), session });
    expect([...stampsOf(a), ...stampsOf(b)]).toEqual([session, session]);
  });

  test.each(['CONDITION_FAILED', 'OVERLOADED', 'UNKNOWN_POOL', 'INVALID_VALUE'] as const)(
    'that is refused as %s is not tried again',
    async (code) => {
      const [a, b] = [new FakeMember('a').answers(code), new FakeMember('b').answers(done)];
      await expect(rig([a, b]).door.put(put('/p/k'))).rejects.toMatchObject({ code });
      expect(b.asked).toEqual([]);
    },
  );

  test('that nobody answers ends as TIMEOUT, and says what was heard last', async () => {
    const members = [new FakeMember('a'), new FakeMember('b').answers('SHARD_STOPPED')];
    const { door, pauses } = rig(members);
    await expect(door.put(put('/p/k'))).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: expect.stringMatching(/may have been made.*SHARD_STOPPED/) as string,
    });
    expect(pauses).toEqual([50, 100, 200, 400]);
    expect(new Set(members.flatMap(stampsOf).map((stamp) => stamp?.request))).toEqual(new Set([1]));
  });

  test('of a long value may take longer, with each member and in all', async () => {
    const members = [new FakeMember('a'), new FakeMember('b').answers('UNREACHABLE', done)];
    const { door } = rig(members);
    await door.put({ key: '/p/k', value: new Uint8Array(limits.valueBytesWhole + 1) });
    const [asked] = members.flatMap((member) => member.asked);
    expect(asked?.timeoutMs).toBe(3000 + transferMs(limits.valueBytesWhole + 1));
    const [whole, within] = [new FakeMember('c').answers(done), new FakeMember('d').answers(done)];
    const value = new Uint8Array(limits.valueBytesWhole + 1);
    await rig([whole]).door.put({ key: '/p/k', value });
    await rig([within]).door.put({ key: '/p/k', value, timeoutMs: 50 });
    const given = [...whole.asked, ...within.asked].map(({ timeoutMs }) => timeoutMs);
    expect(given).toEqual([timeoutOf(value.byteLength), 50]);
  });

  test('whose only try fails for good is told that error', async () => {
    const { door } = rig([new FakeMember('a').answers('SHARD_STOPPED')], 0);
    await expect(door.put(put('/p/k'))).rejects.toMatchObject({ code: 'SHARD_STOPPED' });
  });

  test('of a forgotten session may have been made', async () => {
    const a = new FakeMember('a').answers('UNREACHABLE');
    const b = new FakeMember('b').answers('SESSION_EXPIRED');
    await expect(rig([a, b]).door.put(put('/p/k'))).rejects.toMatchObject({
      code: 'SESSION_EXPIRED',
      message: expect.stringMatching(/may or may not have been made/) as string,
    });
  });

  test('is not tried again once the caller gave up, or the door is closed', async () => {
    const a = new FakeMember('a');
    const { door } = rig([a]);
    const signal = AbortSignal.abort();
    await expect(door.put({ ...put('/p/k'), signal })).rejects.toMatchObject({
      code: 'UNREACHABLE',
    });
    expect(a.asked).toHaveLength(1);
    await door.close();
    expect(a.isClosed).toBe(true);
    await expect(door.put(put('/p/k'))).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test('of many is answered by itself', async () => {
    const a = new FakeMember('a').answers('CONDITION_FAILED', 'UNREACHABLE', done);
    const { door } = rig([a]);
    const outcomes = await door.putMany([put('/p/1'), put('/p/2')]);
    expect(outcomes).toEqual([expect.objectContaining({ code: 'CONDITION_FAILED' }), done]);
  });
});

describe('what is no change', () => {
  test('a trigger is sent once, and the next call goes elsewhere', async () => {
    const [a, b] = [new FakeMember('a'), new FakeMember('b').answers(done)];
    const { door } = rig([a, b]);
    await expect(door.triggerPut(put('/p/k'))).rejects.toMatchObject({ code: 'UNREACHABLE' });
    await door.triggerPut(put('/p/k'));
    expect([a.asked.length, b.asked.length]).toEqual([1, 1]);
  });

  test('a pool is asked for until it is there', async () => {
    const [a, b] = [new FakeMember('a').answers('NOT_CURRENT'), new FakeMember('b').answers(done)];
    const { door } = rig([a, b]);
    const pool = { name: '/p', kind: 'volatile' } as const;
    expect(await door.createPool(pool)).toMatchObject(pool);
    expect([a.asked.length, b.asked.length]).toEqual([1, 1]);
  });

  test('a stream that has begun ends with its member', async () => {
    const [a, b] = [new FakeMember('a'), new FakeMember('b').answers(done)];
    const { door } = rig([a, b]);
    const keys: string[] = [];
    const read = async () => {
      for await (const key of door.list({ prefix: '/p' })) keys.push(key);
    };
    await expect(read()).rejects.toMatchObject({ code: 'UNREACHABLE' });
    await read();
    expect(keys).toEqual(['/p/first', '/p/first', '/p/second']);
  });

  test('connecting finds the first member that answers', async () => {
    const [a, b] = [new FakeMember('a'), new FakeMember('b').answers(done)];
    const { door } = rig([a, b]);
    await door.connect();
    await door.put(put('/p/k'));
    expect([a.asked.length, b.asked.length]).toEqual([1, 2]);
    await expect(rig([a, new FakeMember('c')]).door.connect()).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: 'of c',
    });
    expect(() => rig([])).toThrow(/No address/);
  });
});

test('one member has the whole time; of several each has a part of it', () => {
  expect(attemptMs(10_000, 1)).toBe(10_000);
  expect(attemptMs(10_000, 3)).toBe(3000);
  expect(attemptMs(200, 3)).toBe(200);
  expect(attemptMs(10_000, 3, 20_000_000)).toBe(5000);
});

test('pauses come after each round, and grow to a second', () => {
  const rounds = (members: number) => Array.from({ length: 8 }, (_, n) => pauseMs(n + 1, members));
  expect(rounds(1)).toEqual([50, 100, 200, 400, 800, 1000, 1000, 1000]);
  expect(rounds(3)).toEqual([0, 0, 50, 0, 0, 100, 0, 0]);
  // Nobody is known that could be asked.
  expect(rounds(0)).toEqual(rounds(1));
  expect(isGone('UNREACHABLE') && !isGone('DISK_FULL') && !isGone('SESSION_EXPIRED')).toBe(true);
});

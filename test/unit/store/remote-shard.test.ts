import { describe, expect, test } from 'vitest';
import {
  type ErrorCode,
  FreshetError,
  ManualClock,
  SeededRandom,
} from '../../../platform/base/mod.ts';
import { RemoteShard, serveShards } from '../../../platform/store/remote-shard.ts';
import type { ShardAccess, ShardChange } from '../../../platform/store/shard-access.ts';
import { storeLimits } from '../../../platform/store/store-limits.ts';

const result = (version: number) => ({ version, epoch: 1, time: 1, previousVersionOfKey: null });
const refused = (code: ErrorCode) => new FreshetError(code, 'It was not made').toJSON();
const changeOf = (key: string) => ({ kind: 'put', key, value: null, session: null }) as ShardChange;
const call = { timeoutMs: 1000, signal: null };

/** A shard at members 2 and 3, which answer what they are asked in turn. */
function makeRemote(...answers: readonly (readonly unknown[] | FreshetError)[]) {
  const clock = new ManualClock();
  const asked: { readonly node: number; readonly changes: readonly ShardChange[] }[] = [];
  const group = { senders: [2], layout: { has: () => true } };
  const messages = {
    up: new Set([2, 3]),
    call: async (node: number, _method: string, [, changes]: [number, readonly ShardChange[]]) => {
      const answer = answers[Math.min(asked.length, answers.length - 1)] ?? [];
      asked.push({ node, changes });
      if (answer instanceof FreshetError) throw answer;
      return Promise.resolve(answer);
    },
  };
  const shard = new RemoteShard({ shard: 7 } as never, {
    messages: messages as never,
    group: { ...group, senders: () => group.senders } as never,
    ...{ clock, random: new SeededRandom(1), crc32c: () => 0 },
  });
  /** Lets time pass until the work is done. */
  const passing = async <Result>(work: Promise<Result>): Promise<Result> => {
    const state = { isDone: false };
    void work.finally(() => {
      state.isDone = true;
    });
    while (!state.isDone) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(20);
    }
    return work;
  };
  return { clock, asked, group, shard, passing };
}

describe('of many changes', () => {
  test('those that a member did not make, as it left, are made by the next', async () => {
    const { asked, group, shard, passing } = makeRemote(
      [result(1), refused('NOT_A_MEMBER'), refused('CONDITION_FAILED'), refused('NOT_A_MEMBER')],
      [result(2), refused('SHARD_STOPPED')],
      [result(3)],
    );
    const puts = passing(shard.putMany(['/a', '/b', '/c', '/d'].map(changeOf), call));
    group.senders = [3];
    const failed = expect.objectContaining({ code: 'CONDITION_FAILED' }) as unknown;
    expect(await puts).toEqual([result(1), result(2), failed, result(3)]);
    const keys = asked.map(({ node, changes }) => [node, ...changes.map(({ key }) => key)]);
    expect(keys).toEqual([
      [2, '/a', '/b', '/c', '/d'],
      [3, '/b', '/d'],
      [3, '/d'],
    ]);
    // Under the identity of the first time, so that none is made twice.
    expect(asked[2]?.changes[0]?.session).toEqual(asked[0]?.changes[3]?.session);
    expect(asked[0]?.changes[3]?.session).not.toBeNull();
  });

  test('those that nobody made by the end say why, the others what they came to', async () => {
    const { shard, passing } = makeRemote(
      [result(1), refused('NOT_A_MEMBER')],
      new FreshetError('UNREACHABLE', 'gone'),
    );
    const [one, two] = await passing(shard.putMany([changeOf('/a'), changeOf('/b')], call));
    expect(one).toEqual(result(1));
    expect(two).toMatchObject({ code: 'UNREACHABLE' });
  });
});

describe('what was cut off from a member and then taken in by nobody', () => {
  const gone = new FreshetError('UNREACHABLE', 'gone');
  const nobody = new FreshetError('NOT_A_MEMBER', 'nobody');

  /** What a put comes to. */
  const outcomeOf = async (...answers: readonly FreshetError[]): Promise<unknown> => {
    const { shard, passing } = makeRemote(...answers);
    return passing(shard.put(changeOf('/a'), call).catch((caught: unknown) => caught));
  };

  test('does not say that it was not made', async () => {
    expect(await outcomeOf(gone, nobody)).toMatchObject({ code: 'UNREACHABLE' });
    expect(await outcomeOf(nobody)).toMatchObject({ code: 'NOT_A_MEMBER' });
  });

  test('of many neither', async () => {
    const lost = [result(1), refused('SHARD_STOPPED'), refused('NOT_A_MEMBER')];
    const { shard, passing } = makeRemote(lost, [refused('NOT_A_MEMBER'), refused('NOT_A_MEMBER')]);
    const [, cutOff, never] = await passing(shard.putMany(['/a', '/b', '/c'].map(changeOf), call));
    expect([cutOff, never]).toMatchObject([{ code: 'SHARD_STOPPED' }, { code: 'NOT_A_MEMBER' }]);
  });
});

describe('a feed that another member reads', () => {
  /** One step of it, at a shard whose next records come when they are asked for, or never. */
  function poll(events: readonly unknown[]) {
    const clock = new ManualClock();
    const state = { isClosed: false };
    const feed = {
      position: 4,
      next: () => (events.length > 0 ? Promise.resolve(events) : new Promise(() => undefined)),
      close: () => {
        state.isClosed = true;
      },
    };
    const handlers = new Map<string, (from: number, argument: unknown) => Promise<unknown>>();
    const messages = {
      handle: (name: string, run: (from: number, argument: unknown) => Promise<unknown>) =>
        handlers.set(name, run),
    };
    const shard = { feed: () => feed } as unknown as ShardAccess;
    serveShards(messages as never, () => shard, clock);
    const answer = handlers.get('shard.feed')?.(2, [7, {}, 10]);
    return { clock, state, answer };
  }

  test('is answered as soon as there is something, and leaves no timer', async () => {
    const events = [{ kind: 'put', object: { version: 6 } }];
    const { clock, state, answer } = poll(events);
    expect(await answer).toEqual({ events, position: 7 });
    expect([state.isClosed, clock.timerCount]).toEqual([true, 0]);
  });

  test('is answered with nothing after a while', async () => {
    const { clock, state, answer } = poll([]);
    clock.advance(storeLimits.remoteFeedWaitMs);
    expect(await answer).toEqual({ events: [], position: 4 });
    expect([state.isClosed, clock.timerCount]).toEqual([true, 0]);
  });
});

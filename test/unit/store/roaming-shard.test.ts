import { describe, expect, test } from 'vitest';
import { FreshetError, SystemClock } from '../../../platform/base/mod.ts';
import { RoamingShard, type ShardPlaces } from '../../../platform/store/roaming-shard.ts';
import type { FeedEvent, FeedOptions, ShardAccess } from '../../../platform/store/shard-access.ts';

const left = new FreshetError('NOT_A_MEMBER', 'left');
const result = (version: number) => ({ version, epoch: 1, time: 1, previousVersionOfKey: null });
const change = { kind: 'put', key: '/k' } as never;
const call = { timeoutMs: 1000, signal: null };

/** Of all versions here. */
const epoch = 7;

/** Versions 1 to `newest`; a reader beyond them waits until it is closed. */
class FakeFeed {
  readonly position: number;
  readonly epochBefore: number;
  readonly #newest: number;
  #next: number;
  #close: (() => void) | null = null;
  readonly #failures: FreshetError[];

  /** Rejects with each of the failures once, first of all. */
  constructor(newest: number, options: FeedOptions, failures: FreshetError[]) {
    this.#failures = failures;
    this.position = options.from ?? newest + 1;
    this.epochBefore = options.epochBefore ?? epoch;
    this.#next = this.position;
    this.#newest = newest;
  }

  async start(): Promise<void> {
    return Promise.resolve();
  }

  async next(): Promise<readonly FeedEvent[]> {
    const failure = this.#failures.shift();
    if (failure !== undefined) throw failure;
    if (this.#next <= this.#newest) {
      const version = this.#next++;
      return Promise.resolve([{ kind: 'put', object: { version, epoch } }] as never);
    }
    return new Promise((_resolve, reject) => {
      this.#close = () => {
        reject(new FreshetError('CLOSED', 'closed'));
      };
    });
  }

  close(): void {
    this.#close?.();
  }
}

/** A shard at one member; `puts` are those that it was asked for. */
class FakePlace {
  readonly puts: unknown[] = [];
  newest = 0;
  refusal: FreshetError | null = null;
  readonly feedFailures: FreshetError[] = [];
  readonly feeds: FeedOptions[] = [];

  put(given: unknown): Promise<unknown> {
    this.puts.push(given);
    return this.refusal === null ? Promise.resolve(result(1)) : Promise.reject(this.refusal);
  }

  putMany(given: readonly unknown[]): Promise<readonly unknown[]> {
    this.puts.push(...given);
    return Promise.resolve(given.map((_, nth) => (nth === 1 ? left : result(nth))));
  }

  feed(options: FeedOptions): FakeFeed {
    this.feeds.push(options);
    return new FakeFeed(this.newest, options, this.feedFailures);
  }
}

function makeShard() {
  const here = new FakePlace();
  const elsewhere = new FakePlace();
  const group = {
    generation: 0,
    nodeId: 1,
    isHereNow: true,
    isHere: () => group.isHereNow,
    isThere: true,
    layout: { has: () => group.isThere },
    sendersNow: [1],
    senders: () => group.sendersNow,
    stoppedError: () =>
      new FreshetError(group.isThere ? 'SHARD_STOPPED' : 'UNKNOWN_POOL', 'stopped'),
  };
  const shard = new RoamingShard(7, {
    group,
    clock: new SystemClock(),
    here: () => here,
    elsewhere: () => elsewhere as unknown as ShardAccess,
  } as unknown as ShardPlaces);
  const move = (isHere: boolean): void => {
    group.isHereNow = isHere;
    group.generation++;
    shard.onView();
  };
  /** With its subgroup. */
  const takeAway = (): void => {
    group.isThere = false;
    move(false);
  };
  return { here, elsewhere, group, shard, move, takeAway };
}

describe('a change', () => {
  test('that was not made here, as the shard has left, is made elsewhere', async () => {
    const { here, elsewhere, group, shard } = makeShard();
    here.refusal = left;
    const put = shard.put(change, call);
    group.isHereNow = false;
    group.generation++;
    expect(await put).toEqual(result(1));
    expect([here.puts.length, elsewhere.puts.length]).toEqual([1, 1]);
  });

  test('of unknown outcome is not made again', async () => {
    const { here, elsewhere, group, shard } = makeShard();
    here.refusal = new FreshetError('SHARD_STOPPED', 'unknown');
    const put = shard.put(change, call);
    group.isHereNow = false;
    group.generation++;
    await expect(put).rejects.toBe(here.refusal);
    expect(elsewhere.puts).toEqual([]);
  });

  test('that is refused here while the shard is here says that it stands still', async () => {
    const { here, shard } = makeShard();
    here.refusal = left;
    const short = { ...call, timeoutMs: 30 };
    await expect(shard.put(change, short)).rejects.toMatchObject({ code: 'SHARD_STOPPED' });
  });

  test('that the core refuses before its view has come here is made elsewhere then', async () => {
    const { here, elsewhere, shard, move } = makeShard();
    here.refusal = left;
    const put = shard.put(change, call);
    await new Promise(setImmediate);
    expect([here.puts.length, elsewhere.puts.length]).toEqual([1, 0]);
    move(false);
    expect(await put).toEqual(result(1));
    expect(elsewhere.puts).toHaveLength(1);
  });

  test('of a shard that was taken away is nowhere made, and says so at once', async () => {
    const { here, elsewhere, shard, takeAway } = makeShard();
    here.refusal = left;
    const put = shard.put(change, call);
    takeAway();
    await expect(put).rejects.toMatchObject({ code: 'UNKNOWN_POOL' });
    await expect(shard.put(change, call)).rejects.toMatchObject({ code: 'UNKNOWN_POOL' });
    await expect(shard.frontier('local', call)).rejects.toMatchObject({ code: 'UNKNOWN_POOL' });
    expect(elsewhere.puts).toEqual([]);
  });

  test('of a shard that was taken away is nowhere made, though a view has places in it here', async () => {
    const { here, elsewhere, group, shard } = makeShard();
    group.isThere = false;
    group.generation++;
    await expect(shard.put(change, call)).rejects.toMatchObject({ code: 'UNKNOWN_POOL' });
    await expect(shard.frontier('local', call)).rejects.toMatchObject({ code: 'UNKNOWN_POOL' });
    expect([...here.puts, ...elsewhere.puts]).toEqual([]);
  });

  test('that a member which does not send gave to another is not given once more', async () => {
    const { here, elsewhere, group, shard } = makeShard();
    group.sendersNow = [2];
    here.refusal = left;
    const put = shard.put(change, call);
    const many = shard.putMany([{ key: '/a' }, { key: '/b' }] as never[], call);
    group.isHereNow = false;
    group.generation++;
    await expect(put).rejects.toBe(left);
    expect(await many).toEqual([result(0), left]);
    expect([here.puts.length, elsewhere.puts.length]).toEqual([3, 0]);
  });

  test('of many: only what was not made goes elsewhere', async () => {
    const { elsewhere, group, shard } = makeShard();
    const changes = [{ key: '/a' }, { key: '/b' }, { key: '/c' }] as never[];
    const puts = shard.putMany(changes, call);
    group.isHereNow = false;
    group.generation++;
    expect(await puts).toEqual([result(0), result(1), result(2)]);
    expect(elsewhere.puts).toEqual([changes[1]]);
  });
});

describe('a feed', () => {
  const options = { prefix: '/', from: 1, frontier: 'persisted' } as const;
  const versionsOf = (events: readonly FeedEvent[]) => events.map(({ object }) => object.version);

  test('goes on elsewhere behind what it handed out, also while one waits for it', async () => {
    const { here, elsewhere, shard, move } = makeShard();
    here.newest = 2;
    elsewhere.newest = 4;
    const feed = shard.feed(options);
    expect(versionsOf([...(await feed.next(1)), ...(await feed.next(1))])).toEqual([1, 2]);
    const waiting = feed.next(1);
    move(false);
    expect(versionsOf(await waiting)).toEqual([3]);
    expect(feed.position).toBe(4);
    here.newest = 5;
    move(true);
    expect(versionsOf([...(await feed.next(1)), ...(await feed.next(1))])).toEqual([4, 5]);
    feed.close();
  });

  test('from now on begins where it was started, wherever it goes on', async () => {
    const { here, elsewhere, shard, move } = makeShard();
    here.newest = 9;
    const feed = shard.feed({ ...options, from: null });
    await feed.start();
    expect(feed.position).toBe(10);
    elsewhere.newest = 11;
    move(false);
    expect(versionsOf(await feed.next(1))).toEqual([10]);
    feed.close();
  });

  test('says elsewhere of which history the version before is', async () => {
    const { here, elsewhere, shard, move } = makeShard();
    here.newest = 2;
    const feed = shard.feed(options);
    await feed.next(1);
    await feed.next(1);
    const later = shard.feed({ ...options, from: null });
    await later.start();
    elsewhere.newest = 3;
    move(false);
    expect(versionsOf([...(await feed.next(1)), ...(await later.next(1))])).toEqual([3, 3]);
    const place = { from: 3, epochBefore: epoch };
    expect(elsewhere.feeds).toEqual([
      expect.objectContaining(place),
      expect.objectContaining(place),
    ]);
    feed.close();
    later.close();
  });

  test('of a shard that was taken away ends for whoever waits', async () => {
    const { shard, takeAway } = makeShard();
    const feed = shard.feed(options);
    const waiting = feed.next(1);
    takeAway();
    await expect(waiting).rejects.toMatchObject({ code: 'UNKNOWN_POOL' });
    await expect(feed.next(1)).rejects.toMatchObject({ code: 'UNKNOWN_POOL' });
    feed.close();
    expect(() => shard.feed(options)).toThrow('stopped');
  });

  test('waits until a member that stands still, or is away, answers again', async () => {
    const { here, shard } = makeShard();
    here.newest = 1;
    const passing = ['TIMEOUT', 'OVERLOADED', 'UNREACHABLE', 'SHARD_STOPPED'] as const;
    here.feedFailures.push(...passing.map((code) => new FreshetError(code, 'for now')));
    const feed = shard.feed(options);
    expect(versionsOf(await feed.next(1))).toEqual([1]);
    here.feedFailures.push(new FreshetError('COMPACTED', 'for good'));
    await expect(feed.next(1)).rejects.toMatchObject({ code: 'COMPACTED' });
    feed.close();
  });

  test('that is closed says so to whoever waits', async () => {
    const { shard } = makeShard();
    const feed = shard.feed(options);
    const waiting = feed.next(1);
    feed.close();
    await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(feed.next(1)).rejects.toMatchObject({ code: 'CLOSED' });
  });
});

import { expect, test } from 'vitest';
import { FreshetError } from '../../../platform/base/mod.ts';
import { decodeToken } from '../../../platform/base/resume-token.ts';
import type { FeedEvent, ShardFeed } from '../../../platform/base/shard-feed.ts';
import { Watch } from '../../../platform/base/watch.ts';

/** A shard's feed over versions that are there, then those that are pushed, then the failure. */
class ListFeed implements ShardFeed {
  readonly epochBefore = 0;
  closed = false;
  position = 1;
  readonly #events: FeedEvent[] = [];
  #wake: (() => void) | null = null;
  #failure: FreshetError | null = null;

  push(...keys: string[]): void {
    for (const key of keys) {
      this.#events.push(event(key, this.position++));
    }
    this.#wake?.();
  }

  fail(failure: FreshetError): void {
    this.#failure = failure;
    this.#wake?.();
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  async next(max: number): Promise<readonly FeedEvent[]> {
    while (this.#events.length === 0) {
      if (this.#failure !== null) {
        throw this.#failure;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#events.splice(0, Math.min(max, 2));
  }

  close(): void {
    this.closed = true;
    this.#wake?.();
  }
}

function event(key: string, version: number): FeedEvent {
  const object = {
    key,
    value: new Uint8Array(),
    removed: false,
    size: 0,
    version,
    epoch: 3,
    time: version,
    eventTime: null,
    previousVersionOfKey: null,
    meta: {},
  };
  return { kind: 'put', object };
}

function open(feeds: Map<number, ListFeed>, signal: AbortSignal | null = null): Watch {
  return new Watch({
    feeds,
    positions: new Map([...feeds.keys()].map((shard) => [shard, { epoch: 0, version: 0 }])),
    wants: (key) => !key.includes('other'),
    signal,
  });
}

function openTwo(): { one: ListFeed; two: ListFeed; watch: Watch } {
  const [one, two] = [new ListFeed(), new ListFeed()];
  const feeds = new Map([
    [1, one],
    [2, two],
  ]);
  return { one, two, watch: open(feeds) };
}

async function take(watch: Watch, count: number): Promise<string[]> {
  const keys: string[] = [];
  for (let nth = 0; nth < count; nth++) {
    const { value } = await watch.next();
    keys.push(value?.object.key ?? 'end');
  }
  return keys;
}

test('merges shards, each in its own order, and the token says what was seen', async () => {
  const { one, two, watch } = openTwo();
  one.push('a1', 'a2', 'other', 'a4');
  two.push('b1');
  const keys = await take(watch, 4);
  expect(keys.filter((key) => key.startsWith('a'))).toEqual(['a1', 'a2', 'a4']);
  expect(keys).toContain('b1');
  expect(decodeToken(watch.token)).toEqual(
    new Map([
      [1, { epoch: 3, version: 4 }],
      [2, { epoch: 3, version: 1 }],
    ]),
  );
  two.push('b2');
  expect(await take(watch, 1)).toEqual(['b2']);
  await watch.return();
  expect([one.closed, two.closed]).toEqual([true, true]);
  expect((await watch.next()).done).toBe(true);
});

test('a failure comes after what was there before, and closes everything', async () => {
  const { one, two, watch } = openTwo();
  one.push('a1');
  expect(await take(watch, 1)).toEqual(['a1']);
  const next = watch.next();
  one.fail(new FreshetError('COMPACTED', 'gone'));
  await expect(next).rejects.toMatchObject({ code: 'COMPACTED' });
  expect(two.closed).toBe(true);
});

test('an aborted signal ends the wait', async () => {
  const abort = new AbortController();
  const watch = open(new Map([[1, new ListFeed()]]), abort.signal);
  const next = watch.next();
  abort.abort();
  await expect(next).rejects.toMatchObject({ code: 'CANCELLED' });
});

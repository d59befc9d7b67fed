import { expect, test } from 'vitest';
import { FreshetError } from '../../../../platform/base/mod.ts';
import type {
  DoorConnection,
  DoorWatch,
  OpenWatch,
} from '../../../../platform/client/native/door-connection.ts';
import type { WatchFrame } from '../../../../platform/client/native/door-frames.ts';
import { NativeFeed } from '../../../../platform/client/native/native-feed.ts';

const statusNames = ['OK', 'COMPACTED', 'SHARD_STOPPED'];

/** A member's side of one watch: what was asked of it, and what it is told to say. */
class Source implements OpenWatch {
  readonly allowed: number[] = [];
  readonly frame: WatchFrame;
  readonly told: DoorWatch;
  isClosed = false;

  constructor(frame: WatchFrame, told: DoorWatch) {
    this.frame = frame;
    this.told = told;
    this.allowed.push(frame.credit);
  }

  allow(events: number): void {
    this.allowed.push(events);
  }

  close(): void {
    this.isClosed = true;
  }

  event(version: number, epoch = 3, value: Uint8Array = Buffer.from('x')): void {
    const numbers = { version, epoch, time: version, eventTime: NaN, previousVersionOfKey: 0 };
    const object = { ...numbers, size: value.length, meta: null };
    this.told.onEvent(1, `/p/${String(version)}`, object, value);
  }
}

function rig() {
  const sources: Source[] = [];
  const asked: (number | null)[] = [];
  let next = 1;
  const feed = new NativeFeed({
    shard: 4,
    prefix: '/p/',
    persisted: false,
    statusNames,
    route: async (failed) => {
      asked.push(failed);
      if (next > 3) throw new FreshetError('UNREACHABLE', 'nobody is left');
      const watch = (frame: WatchFrame, told: DoorWatch): OpenWatch => {
        const source = new Source(frame, told);
        sources.push(source);
        return source;
      };
      const connection: Pick<DoorConnection, 'nodeId' | 'watch'> = { nodeId: next++, watch };
      return Promise.resolve(connection as DoorConnection);
    },
  });
  const begin = async (): Promise<Source> => {
    const started = feed.start();
    await settled();
    const [source] = sources;
    source!.told.onWatching(7);
    await started;
    return source!;
  };
  return { feed, sources, asked, begin };
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

async function versions(feed: NativeFeed, max = 256): Promise<number[]> {
  return (await feed.next(max)).map(({ object }) => object.version);
}

test('begins where the member says, and hands out what comes', async () => {
  const { feed, begin } = rig();
  const source = await begin();
  expect(source.frame).toMatchObject({ shard: 4, prefix: '/p/', from: NaN, epoch: 0 });
  expect(feed.position).toBe(7);
  source.event(8);
  source.event(11);
  expect(await versions(feed, 1)).toEqual([8]);
  expect(feed.position).toBe(9);
  const waiting = versions(feed);
  expect(await waiting).toEqual([11]);
  feed.close();
  expect(source.isClosed).toBe(true);
  await expect(feed.next(1)).rejects.toMatchObject({ code: 'CLOSED' });
});

test('allows more once half of what may be ahead was taken, less of what is large', async () => {
  const { feed, begin } = rig();
  const source = await begin();
  const say = (from: number, to: number, value?: Uint8Array): void => {
    for (let version = from; version < to; version++) source.event(version, 3, value);
  };
  // At first it does not know that they are small.
  const [first = 0] = source.allowed;
  say(8, 8 + first);
  await feed.next(first);
  const [, second = 0] = source.allowed;
  expect(second).toBe(first + 1024);
  say(500, 500 + 511);
  await feed.next(511);
  expect(source.allowed).toHaveLength(2);
  say(2000, 2001);
  await feed.next(1);
  expect(source.allowed.at(-1)).toBe(first + 512 + 1024);
  const large = Buffer.alloc(8 * 1024 * 1024);
  say(3000, 3000 + 1024, large);
  await feed.next(1024);
  const last = source.allowed.at(-1)!;
  expect(last - (first + 512 + 1024)).toBeLessThan(10);
});

test('goes on at another member where the last event was, in what epoch', async () => {
  const { feed, sources, asked, begin } = rig();
  const source = await begin();
  source.event(8);
  source.event(9, 5);
  source.told.onEnded(null);
  await settled();
  expect(asked).toEqual([null, 1]);
  expect(sources[1]!.frame).toMatchObject({ from: 10, epoch: 5 });
  // What the lost one still says is not heard.
  source.event(10);
  sources[1]!.told.onWatching(10);
  sources[1]!.event(10, 6);
  expect(await versions(feed)).toEqual([8, 9, 10]);
});

test('ends with COMPACTED where something may be left out', async () => {
  for (const how of ['gap', 'ended'] as const) {
    const { feed, begin } = rig();
    const source = await begin();
    source.event(8);
    if (how === 'gap') source.event(30, 0);
    else source.told.onEnded(1);
    expect(await versions(feed)).toEqual([8]);
    await expect(feed.next(1)).rejects.toMatchObject({
      code: 'COMPACTED',
      details: { shard: 4, version: 9 },
    });
  }
});

test('is UNREACHABLE where a member cannot tell, and where nobody is left', async () => {
  const stopped = rig();
  (await stopped.begin()).told.onEnded(2);
  await expect(stopped.feed.next(1)).rejects.toMatchObject({ code: 'UNREACHABLE' });
  const { feed, sources, begin } = rig();
  await begin();
  for (const nth of [0, 1, 2]) {
    sources[nth]!.told.onEnded(null);
    await settled();
  }
  await expect(feed.next(1)).rejects.toMatchObject({ code: 'UNREACHABLE' });
});

import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { ObjectStore, WatchEvent } from '../../platform/store/mod.ts';
import { RoamingShard } from '../../platform/store/roaming-shard.ts';
import type { ShardFeed } from '../../platform/store/shard-access.ts';
import { bytes, startTestCluster, type TestCluster, text } from '../support/cluster.ts';
import { makeTempFolder, type TemporaryFolder } from '../support/mod.ts';

let folder: TemporaryFolder;
let cluster: TestCluster;

function store(id: number): ObjectStore {
  return cluster.member(id).store.objects;
}

async function collect<Item>(items: AsyncIterable<Item>, max = Infinity): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) {
    all.push(item);
    if (all.length >= max) {
      break;
    }
  }
  return all;
}

beforeAll(async () => {
  folder = await makeTempFolder('cluster');
  cluster = await startTestCluster({ folder: folder.path });
  await store(1).createPool({ name: '/herd', kind: 'volatile' });
  await store(2).createPool({ name: '/milk', kind: 'persistent' });
  await store(3).createPool({ name: '/camera', kind: 'trigger' });
});

afterAll(async () => {
  await cluster.close();
  await folder.remove();
});

describe.each(['/herd', '/milk'])('objects of %s', (pool) => {
  test('are found at every member at once', async () => {
    const put = await store(1).put({ key: `${pool}/a/cow`, value: bytes('milk') });
    expect(put.version).toBeGreaterThan(0);
    expect(put.previousVersionOfKey).toBeNull();
    for (const id of cluster.ids) {
      const found = await store(id).get({ key: `${pool}/a/cow` });
      expect(text(found?.value)).toBe('milk');
      expect(found).toMatchObject({
        key: `${pool}/a/cow`,
        version: put.version,
        epoch: put.epoch,
        time: put.time,
        size: 4,
        removed: false,
        eventTime: null,
        previousVersionOfKey: null,
      });
    }
  });

  test('have versions, times and a chain back', async () => {
    const key = `${pool}/b/chain`;
    const puts = [];
    for (const value of ['one', 'two', 'three']) {
      puts.push(await store(2).put({ key, value: bytes(value), eventTime: 1_600_000_000_000_000 }));
    }
    const [one, two, three] = puts as [(typeof puts)[0], (typeof puts)[0], (typeof puts)[0]];
    expect(two.previousVersionOfKey).toBe(one.version);
    expect(three.previousVersionOfKey).toBe(two.version);
    expect(two.time).toBeGreaterThan(one.time);

    const get = async (point: object): Promise<string | null> =>
      text((await store(3).get({ key, ...point }))?.value);
    expect(await get({ version: one.version })).toBe('one');
    expect(await get({ version: two.version, exact: true })).toBe('two');
    expect(await get({ version: three.version + 1000 })).toBe('three');
    expect(await get({ at: one.time })).toBe('one');
    expect(await get({ at: two.time - 1 })).toBe('one');
    expect(await get({ at: three.time })).toBe('three');
    expect(await get({ at: one.time - 1 })).toBeNull();
    expect(await get({ version: one.version - 1 })).toBeNull();
    for (const read of ['local', 'stable', 'linearizable']) {
      expect(await get({ read })).toBe('three');
    }

    const newest = await store(1).stat({ key });
    expect(newest).toMatchObject({ size: 5, value: null, eventTime: 1_600_000_000_000_000 });

    const forward = await collect(store(1).history({ key }));
    expect(forward.map(({ value }) => text(value))).toEqual(['one', 'two', 'three']);
    const back = await collect(store(2).history({ key, reverse: true, limit: 2 }));
    expect(back.map(({ value }) => text(value))).toEqual(['three', 'two']);
    const some = await collect(
      store(2).history({ key, fromVersion: two.version, toVersion: two.version }),
    );
    expect(some.map(({ version }) => version)).toEqual([two.version]);
  });

  test('are removed with a version of their own; an empty value is a value', async () => {
    const key = `${pool}/c/gone`;
    const empty = await store(1).put({ key, value: new Uint8Array() });
    expect((await store(2).get({ key }))?.value).toHaveLength(0);
    const removed = await store(3).remove({ key });
    expect(removed.previousVersionOfKey).toBe(empty.version);
    expect(await store(1).get({ key })).toBeNull();
    expect(await store(1).stat({ key })).toBeNull();
    expect((await store(1).get({ key, version: empty.version }))?.value).toHaveLength(0);
    const versions = await collect(store(2).history({ key }));
    expect(versions.map((one) => one.removed)).toEqual([false, true]);
    const back = await store(2).put({ key, value: bytes('again') });
    expect(back.previousVersionOfKey).toBe(removed.version);
  });

  test('are put under conditions', async () => {
    const key = `${pool}/d/counter`;
    const absent = { versionOfKey: 0 };
    const first = await store(1).put({ key, value: bytes('1'), expect: absent });
    await expect(store(2).put({ key, value: bytes('x'), expect: absent })).rejects.toMatchObject({
      code: 'CONDITION_FAILED',
      details: { key, versionOfKey: first.version },
    });
    const newest = { versionOfKey: first.version, epoch: first.epoch };
    await store(3).put({ key, value: bytes('2'), expect: newest });
    await expect(store(3).put({ key, value: bytes('3'), expect: newest })).rejects.toMatchObject({
      code: 'CONDITION_FAILED',
    });
    expect(text((await store(1).get({ key }))?.value)).toBe('2');

    // Increments from all members at once: each condition holds for exactly one of them.
    const increment = async (id: number): Promise<void> => {
      for (;;) {
        const found = await store(id).get({ key });
        const next = String(Number(text(found?.value)) + 1);
        const versionOfKey = found?.version ?? 0;
        try {
          await store(id).put({ key, value: bytes(next), expect: { versionOfKey } });
          return;
        } catch (caught) {
          expect(caught).toMatchObject({ code: 'CONDITION_FAILED' });
        }
      }
    };
    await Promise.all([1, 2, 3, 1, 2, 3].map(increment));
    expect(text((await store(2).get({ key }))?.value)).toBe('8');
  });

  test('carry meta and event time', async () => {
    const key = `${pool}/e/meta`;
    const meta = { 'content-type': 'image/jpeg', trace: '00-1' };
    await store(1).put({ key, value: bytes('x'), meta, eventTime: 1_650_000_000_000_000 });
    expect(await store(3).get({ key })).toMatchObject({ meta, eventTime: 1_650_000_000_000_000 });
    expect(await store(3).stat({ key })).toMatchObject({ meta, size: 1, value: null });
  });

  test('are refused with an event time that is none', async () => {
    const key = `${pool}/e/when`;
    for (const eventTime of [NaN, 0.5, 2 ** 53]) {
      const refused = { code: 'INVALID_ARGUMENT', message: expect.stringContaining(key) as string };
      const request = { key, value: bytes('x'), eventTime };
      await expect(store(1).put(request)).rejects.toMatchObject(refused);
      await expect(store(1).triggerPut(request)).rejects.toMatchObject(refused);
    }
    expect(await store(3).get({ key })).toBeNull();
  });

  test('are put by many, each with its own outcome', async () => {
    const requests = Array.from({ length: 500 }, (_, nth) => ({
      key: `${pool}/many/${String(nth).padStart(4, '0')}`,
      value: bytes(String(nth)),
    }));
    const bad = { key: '/no/pool', value: bytes('') };
    const outcomes = await store(2).putMany([...requests, bad]);
    expect(outcomes.slice(0, 500).every((one) => 'version' in one && one.version > 0)).toBe(true);
    expect(outcomes[500]).toMatchObject({ code: 'UNKNOWN_POOL' });
    const keys = await collect(store(3).list({ prefix: `${pool}/many/` }));
    expect(keys).toEqual(requests.map(({ key }) => key));
    const page = await collect(
      store(1).list({ prefix: `${pool}/many/`, after: `${pool}/many/0100`, limit: 3 }),
    );
    expect(page.map((key) => key.slice(-4))).toEqual(['0101', '0102', '0103']);
  });

  test('pass whole, whatever their size', async () => {
    for (const size of [0, 1, 63, 64, 65, 4096, 65_536, 1_000_001, 9_000_000]) {
      const value = Buffer.alloc(size, `${String(size)}-`);
      const key = `${pool}/size/${String(size)}`;
      await store(1).put({ key, value });
      const found = await store(3).get({ key });
      expect(Buffer.compare(Buffer.from(found?.value ?? []), value)).toBe(0);
    }
  });

  test('are listed as of a time, removed ones not among them', async () => {
    const prefix = `${pool}/asof`;
    await store(1).put({ key: `${prefix}/a`, value: bytes('1') });
    await store(1).put({ key: `${prefix}/b`, value: bytes('1') });
    await store(1).remove({ key: `${prefix}/a` });
    expect(await collect(store(2).list({ prefix: `${prefix}/` }))).toEqual([`${prefix}/b`]);
  });
});

describe('watching', () => {
  test('shows what comes after now, in order, and resumes by token', async () => {
    const watch = await store(2).openWatch({ prefix: '/milk/w' });
    for (const value of ['1', '2', '3']) {
      await store(1).put({ key: '/milk/w/cow', value: bytes(value) });
    }
    await store(3).remove({ key: '/milk/w/cow' });
    await store(3).put({ key: '/milk/other', value: bytes('not wanted') });
    const seen: WatchEvent[] = await collect(watch, 4);
    expect(seen.map(({ kind, object }) => [kind, text(object.value)])).toEqual([
      ['put', '1'],
      ['put', '2'],
      ['put', '3'],
      ['remove', null],
    ]);
    const resumed = store(3).watch({ prefix: '/milk/w', from: seen[1]?.token ?? '' });
    expect((await collect(resumed, 2)).map(({ kind }) => kind)).toEqual(['put', 'remove']);
  });

  test('from now on shows nothing that was acknowledged before, whoever put it', async () => {
    for (let round = 0; round < 100; round++) {
      const key = `/milk/now/${String(round)}`;
      await store(1 + (round % 2)).put({ key, value: bytes('before') });
      const watch = await store(3).openWatch({ prefix: key });
      await store(1).put({ key, value: bytes('after') });
      expect((await collect(watch, 1)).map(({ object }) => text(object.value))).toEqual(['after']);
    }
  });

  test('from the start shows everything that is kept', async () => {
    await store(1).put({ key: '/milk/start/1', value: bytes('1') });
    await store(1).put({ key: '/milk/start/2', value: bytes('2') });
    const events = await collect(store(2).watch({ prefix: '/milk/start/', from: 'start' }), 2);
    expect(events.map(({ object }) => object.key).sort()).toEqual([
      '/milk/start/1',
      '/milk/start/2',
    ]);
  });

  test('keeps up with more than may wait, without a gap', async () => {
    const count = 20_000;
    const watch = await store(3).openWatch({ prefix: '/herd/burst' });
    const puts = Array.from({ length: count }, (_, nth) => ({
      key: `/herd/burst/${String(nth)}`,
      value: bytes(String(nth)),
    }));
    for (let at = 0; at < count; at += 4000) {
      await store(1).putMany(puts.slice(at, at + 4000));
    }
    const seen = new Set((await collect(watch, count)).map(({ object }) => object.key));
    expect(seen.size).toBe(count);
  });

  test('ordered triggers are seen and leave nothing behind', async () => {
    const watch = await store(1).openWatch({ prefix: '/herd/t' });
    const put = await store(2).put({ key: '/herd/t/x', value: bytes('go'), store: false });
    expect(put.version).toBeGreaterThan(0);
    const [event] = await collect(watch, 1);
    expect(event).toMatchObject({ kind: 'trigger', object: { key: '/herd/t/x' } });
    expect(text(event?.object.value)).toBe('go');
    expect(await store(1).get({ key: '/herd/t/x' })).toBeNull();
  });

  test('a token of another history is refused, and nothing of the watch stays', async () => {
    await expect(store(1).openWatch({ prefix: '/milk', from: 'zz.1.1' })).resolves.toBeDefined();
    const shard = (await store(1).pool('/milk')).shards[0] ?? 0;
    await store(1).put({ key: '/milk/history', value: bytes('') });
    const token = `${shard.toString(36)}.zz.1`;
    const opened = vi.spyOn(RoamingShard.prototype, 'feed');
    onTestFinished(() => opened.mockRestore());
    await expect(store(1).openWatch({ prefix: '/milk', from: token })).rejects.toMatchObject({
      code: 'COMPACTED',
    });
    const feeds = opened.mock.results.map(({ value }) => value as ShardFeed);
    expect(feeds).toHaveLength(1);
    await expect(feeds[0]?.next(1)).rejects.toMatchObject({ code: 'CLOSED' });
  });
});

describe('trigger puts', () => {
  test('reach one, all or named members, which take them in', async () => {
    const got: string[] = [];
    for (const { nodeId, store: own } of cluster.members) {
      own.onTrigger(({ key, value, meta }) => {
        got.push(`${String(nodeId)} ${key} ${String(text(value))} ${meta['kind'] ?? ''}`);
      });
    }
    const request = { key: '/camera/1', value: bytes('jpeg'), meta: { kind: 'frame' } };
    const one = await store(1).triggerPut(request);
    const again = await store(3).triggerPut(request);
    expect(again.members).toEqual(one.members);
    expect(got).toEqual(
      [...one.members, ...one.members].map((id) => `${String(id)} /camera/1 jpeg frame`),
    );
    got.length = 0;
    expect((await store(2).triggerPut({ ...request, to: 'all' })).members).toHaveLength(3);
    expect(got).toHaveLength(3);
    got.length = 0;
    await store(2).triggerPut({ ...request, to: [3, 1] });
    expect(got.map((line) => line[0]).sort()).toEqual(['1', '3']);
    await expect(store(2).triggerPut({ ...request, to: [9] })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    const large = Buffer.alloc(3_000_000, 'x');
    await store(1).triggerPut({ key: '/camera/large', value: large, to: 'all' });
    expect(got.filter((line) => line.length > 3_000_000)).toHaveLength(3);
  });

  test('a handler that is full answers the sender', async () => {
    const { FreshetError } = await import('../../platform/base/mod.ts');
    for (const { store: own } of cluster.members) {
      own.onTrigger(() => {
        throw new FreshetError('OVERLOADED', 'the dispatcher is full');
      });
    }
    await expect(
      store(1).triggerPut({ key: '/camera/1', value: bytes('x'), to: 'all' }),
    ).rejects.toMatchObject({ code: 'OVERLOADED' });
  });

  test('a trigger pool stores nothing', async () => {
    await expect(store(1).put({ key: '/camera/1', value: bytes('x') })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    });
    const put = await store(1).put({ key: '/camera/1', value: bytes('x'), store: false });
    expect(put.version).toBeGreaterThan(0);
    expect(await store(2).get({ key: '/camera/1' })).toBeNull();
  });
});

test('frontiers and views are visible', async () => {
  await store(1).put({ key: '/milk/frontier', value: bytes('x') });
  const shards = await store(2).frontier('/milk');
  expect(shards).toHaveLength(4);
  for (const { persisted, stable, delivered, epoch } of shards) {
    expect(stable).toBe(persisted);
    expect(delivered).toBeGreaterThanOrEqual(persisted);
    expect(epoch).toBeGreaterThan(0);
  }
  const { view } = cluster.member(2).group;
  expect(view.running).toBe(true);
  expect(view.members.map(({ up }) => up)).toEqual([true, true, true]);
});

import { nativeFilter, type StoredObject, verifyNative } from '../../../platform/expression/mod.ts';
import {
  type Batches,
  compileScan,
  localShards,
  parsePlan,
  planQuery,
  type Query,
  QueryEngine,
  type QueryPlan,
  queryVersions,
  type ShardPlan,
} from '../../../platform/query/mod.ts';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { type LogRecord, logRecord, MemorySource } from './memory-source.ts';
import { type DailyYield, milk, open, reasonOf, yieldPool } from './milk.ts';

const shardPlanOf = (query: { toPlan(): QueryPlan }): ShardPlan => {
  const { shard } = planQuery(parsePlan(JSON.parse(JSON.stringify(query.toPlan()))), 'json');
  if (shard === null) {
    throw new Error('the plan asks for nothing');
  }
  return shard;
};

describe("the lecture's cow query", () => {
  it('scans back natively and stops at ten', async () => {
    const { db, source } = open(milk(50));
    const recent = await db
      .pool<DailyYield>('/dairy/daily_yield')
      .versions()
      .where((o) => o.key.endsWith('/cow_128'))
      .orderBy((o) => o.version)
      .reverse()
      .take(10)
      .toArray();
    expectTypeOf(recent).toEqualTypeOf<StoredObject<DailyYield>[]>();
    expect(recent.map((o) => o.value.litres)).toEqual(
      Array.from({ length: 10 }, (_, i) => 49 - i + 0.128),
    );
    expect(recent.every((o) => o.key === `${yieldPool}/cow_128`)).toBe(true);
    expect(source.requests).toHaveLength(2);
    for (const { program, ...request } of source.requests) {
      expect(request).toEqual({
        prefix: `${yieldPool}/`,
        kind: 'versions',
        fromVersion: null,
        toVersion: null,
        fromTime: null,
        atTime: null,
        atAxis: 'commit',
        reverse: true,
        limit: 10,
        wantValues: true,
      });
      expect(verifyNative(program ?? new Uint8Array()).map(({ op }) => op)).toEqual([
        'pushField',
        'pushText',
        'endsWith',
      ]);
      const passes = nativeFilter(program ?? new Uint8Array());
      const record = { version: 1, time: 1, eventTime: null, size: 0 };
      expect(passes({ ...record, key: '/a/cow_128' })).toBe(true);
      expect(passes({ ...record, key: '/a/cow_12' })).toBe(false);
    }
  });

  it('means the same as orderByDescending', async () => {
    const { db } = open(milk(3));
    const versions = db.pool<DailyYield>(yieldPool).versions();
    const back = await versions
      .where((o) => o.value.cow.lt(125))
      .orderByDescending((o) => o.version)
      .thenBy((o) => o.key)
      .select((o) => ({ key: o.key, version: o.version }))
      .take(4)
      .toArray();
    expect(back).toEqual([
      { key: `${yieldPool}/cow_124`, version: 23 },
      { key: `${yieldPool}/cow_122`, version: 22 },
      { key: `${yieldPool}/cow_123`, version: 22 },
      { key: `${yieldPool}/cow_120`, version: 21 },
    ]);
  });
});

describe('a planned query', () => {
  const { db } = open(milk(1));
  const versions = db.pool<DailyYield>(yieldPool).versions();
  const objects = db.pool<DailyYield>(yieldPool).objects();

  it('narrows the scan', () => {
    const scan = compileScan(
      shardPlanOf(
        versions
          .where((o) => o.key.startsWith(`${yieldPool}/cow_12`).and(o.version.between(5, 9)))
          .where((o) => o.time.lt(700).and(o.value.litres.gt(3))),
      ),
    );
    expect(scan?.request).toMatchObject({
      prefix: `${yieldPool}/cow_12`,
      fromVersion: 5,
      toVersion: 9,
      atTime: 699,
      limit: null,
    });
    expect(scan?.residue?.body).toMatchObject({ op: 'and', args: [{ op: 'gt' }] });
  });

  it('does not take a bound for a cut of objects', () => {
    const scan = compileScan(shardPlanOf(objects.where((o) => o.version.lte(5).and(o.time.lt(9)))));
    expect(scan?.request).toMatchObject({ toVersion: null, atTime: null });
    expect(scan?.request.program).not.toBe(null);
  });

  it('reads nothing where nothing can be', async () => {
    const { db: fresh, source } = open(milk(1));
    const none = fresh.pool<DailyYield>(yieldPool).versions();
    expect(await none.where((o) => o.key.startsWith('/other/')).toArray()).toEqual([]);
    expect(await none.where((o) => o.version.gt(5).and(o.version.lt(3))).count()).toBe(0);
    expect(await none.take(0).toArray()).toEqual([]);
    expect(await none.skip(3).take(2).skip(2).count()).toBe(0);
    expect(source.requests).toEqual([]);
  });

  it('wants values only when something looks at them', () => {
    const wants = (query: { toPlan(): QueryPlan }): boolean | undefined =>
      compileScan(shardPlanOf(query))?.request.wantValues;
    expect(wants(versions)).toBe(true);
    expect(wants(versions.select((o) => ({ key: o.key, at: o.time })))).toBe(false);
    expect(wants(versions.select((o) => o.value).select((v) => v.litres))).toBe(true);
    expect(wants(versions.orderBy((o) => o.value.litres).select((o) => o.key))).toBe(true);
    expect(wants(db.pool<DailyYield>(yieldPool).keys())).toBe(false);
  });

  it('says conditions after a select over the source', () => {
    const query = versions
      .select((o) => ({ name: o.key, v: o.version }))
      .where((row) => row.name.endsWith('/cow_128').and(row.v.gt(3)))
      .orderBy((row) => row.v)
      .reverse()
      .take(5);
    const scan = compileScan(shardPlanOf(query));
    expect(scan).toMatchObject({ residue: null, strategy: 'scan' });
    expect(scan?.request).toMatchObject({ reverse: true, limit: 5, fromVersion: 4 });
  });

  it('counts at the shards', async () => {
    const counted = open(milk(5));
    const all = counted.db.pool<DailyYield>(yieldPool).versions();
    expect(await all.count()).toBe(100);
    expect(await all.where((o) => o.value.litres.gte(4)).count()).toBe(20);
    expect(await all.skip(95).take(10).count()).toBe(5);
    expect(await all.any((o) => o.key.endsWith('_139'))).toBe(true);
    expect(await all.any((o) => o.key.endsWith('_140'))).toBe(false);
    expect(counted.source.requests.at(-1)).toMatchObject({ limit: 1, wantValues: false });
  });

  it('gives objects and keys by key', async () => {
    const { db: fresh } = open(milk(2));
    const pool = fresh.pool<DailyYield>(yieldPool);
    expect(await pool.keys().take(2).toArray()).toEqual([
      `${yieldPool}/cow_120`,
      `${yieldPool}/cow_121`,
    ]);
    expect(
      await pool
        .keys()
        .where((key) => key.endsWith('5'))
        .reverse()
        .first(),
    ).toBe(`${yieldPool}/cow_135`);
    const newest = await pool
      .objects()
      .orderByDescending((o) => o.value.litres)
      .first();
    expect(newest).toMatchObject({ key: `${yieldPool}/cow_139`, value: { litres: 1.139 } });
    expect(newest.previousVersion).toBe(19);
  });

  it('is immutable and runs anew', async () => {
    const { db: fresh } = open(milk(1));
    const all = fresh.pool<DailyYield>(yieldPool).objects();
    const some = all.where((o) => o.value.cow.lt(125));
    expect(await some.count()).toBe(5);
    expect(await some.take(2).count()).toBe(2);
    expect(await all.count()).toBe(20);
    expect(await some.count()).toBe(5);
  });
});

describe('objects of one version', () => {
  const log = [1, 2, 3, 4].flatMap((version) =>
    ['a', 'b', 'c'].map((name) => logRecord({ key: `/p/${name}`, version, time: version }, name)),
  );
  const { db } = open([log], { source: { batchSize: 5 } });
  const versions = db.pool<string>('/p').versions();
  const show = (o: StoredObject<string>): string => `${o.value}${String(o.version)}`;
  const shown = async (query: Query<StoredObject<string>>): Promise<string> =>
    (await query.toArray()).map(show).join(' ');

  it('keep their order when versions are turned', async () => {
    const turned = 'a4 b4 c4 a3 b3 c3 a2 b2 c2 a1 b1 c1';
    expect(await shown(versions.orderByDescending((o) => o.version))).toBe(turned);
    expect(await shown(versions.orderByDescending((o) => o.time).take(4))).toBe('a4 b4 c4 a3');
    expect(await shown(versions.reverse())).toBe('c4 b4 a4 c3 b3 a3 c2 b2 a2 c1 b1 a1');
    const within = versions.orderBy((o) => o.version).thenByDescending((o) => o.value);
    expect(await shown(within.take(7))).toBe('c1 b1 a1 c2 b2 a2 c3');
  });
});

describe('removals', () => {
  /** Versions 1 to 12 of two keys each, of which the newest six are removals of b. */
  const log = Array.from({ length: 12 }, (_, i) => i + 1).flatMap((version) => [
    logRecord({ key: '/p/a', version, time: version }, version <= 8 ? version : undefined),
    logRecord({ key: '/p/b', version, time: version }, version <= 6 ? version : undefined),
  ]);

  it.each([true, false])('are left out and make room (limit counts them: %s)', async (counts) => {
    const source = { limitCountsRemovals: counts, batchSize: 3 };
    const { db, source: memory } = open([log], { source });
    const versions = db.pool<number>('/p').versions();
    const newest = versions.reverse().select((o) => [o.key, o.version]);
    expect(await newest.take(5).toArray()).toEqual([
      ['/p/a', 8],
      ['/p/a', 7],
      ['/p/b', 6],
      ['/p/a', 6],
      ['/p/b', 5],
    ]);
    expect(memory.requests.length > 1).toBe(counts);
    expect(await newest.take(2).toArray()).toEqual([
      ['/p/a', 8],
      ['/p/a', 7],
    ]);
    expect(await versions.count()).toBe(14);
    expect(await versions.skip(12).take(5).count()).toBe(2);
    expect(await db.pool<number>('/p').keys().toArray()).toEqual([]);
  });
});

describe('pulling', () => {
  it('reads no further than it is asked', async () => {
    const { db, source } = open(milk(500), { source: { batchSize: 10 } });
    const found: number[] = [];
    for await (const row of db.pool<DailyYield>(yieldPool).versions()) {
      found.push(row.version);
      if (found.length === 25) {
        break;
      }
    }
    expect(found).toHaveLength(25);
    expect(source.batchesGiven).toBeLessThan(8);
    expect(source.open).toBe(0);
  });

  it('stops early without a native limit', async () => {
    const { db, source } = open(milk(500), { source: { batchSize: 10 } });
    const query = db
      .pool<DailyYield>(yieldPool)
      .versions()
      .where((o) => o.value.litres.gt(1));
    expect(await query.take(5).toArray()).toHaveLength(5);
    expect(source.requests[0]).toMatchObject({ limit: null });
    expect(source.batchesGiven).toBeLessThan(20);
    expect(source.open).toBe(0);
  });

  it('runs nothing before the first element is asked for', () => {
    const { db, source } = open(milk(1));
    db.pool<DailyYield>(yieldPool).versions()[Symbol.asyncIterator]();
    expect(source.requests).toEqual([]);
  });

  it('is cancelled by its signal', async () => {
    const stop = new AbortController();
    const { db, source } = open(milk(50), { signal: stop.signal });
    let rows = 0;
    const reason = await reasonOf(async () => {
      for await (const row of db.pool<DailyYield>(yieldPool).versions()) {
        rows += row.version > 0 ? 1 : 0;
        stop.abort();
      }
    });
    expect(reason).toContain('CANCELLED');
    // What was in hand is given, nothing more is read.
    expect(rows).toBeLessThan(10);
    expect(source.open).toBe(0);
  });

  it('lets go of the other shards when one fails', async () => {
    const shards = milk(50);
    const source = new MemorySource(shards);
    const failing = localShards({
      shards: () => source.shards(),
      scan: (shard, request, signal): Batches<LogRecord> =>
        shard.index === 0
          ? source.scan(shard, request, signal)
          : {
              [Symbol.asyncIterator]: () => ({
                next: () => Promise.reject(new Error('the disk is gone')),
              }),
            },
    });
    const engine = new QueryEngine({ shards: failing, valueKindOf: () => 'json' });
    const query = queryVersions<DailyYield>(engine, { pool: yieldPool, at: null, axis: 'commit' });
    await expect(query.toArray()).rejects.toThrow('the disk is gone');
    await expect(query.count()).rejects.toThrow('the disk is gone');
    expect(source.open).toBe(0);
  });

  it('stops a shard that waits for nothing but the signal', async () => {
    const waiting = localShards({
      shards: () => Promise.resolve([{ index: 0 }, { index: 1 }]),
      scan: async function* (shard, _request, signal) {
        if (shard.index === 0) {
          throw new Error('gone');
        }
        await new Promise<void>((resolve) => {
          signal.addEventListener('abort', () => {
            resolve();
          });
        });
        yield [];
      },
    });
    const engine = new QueryEngine({ shards: waiting, valueKindOf: () => 'json' });
    const query = queryVersions<DailyYield>(engine, { pool: yieldPool, at: null, axis: 'commit' });
    await expect(query.toArray()).rejects.toThrow('gone');
  });
});

describe('local()', () => {
  const { db } = open(milk(3));
  const versions = db.pool<DailyYield>(yieldPool).versions();

  it('runs plain functions at the caller', async () => {
    const found = versions
      .where((o) => o.key.endsWith('/cow_128'))
      .local()
      .where((o) => /12\d$/.test(o.key) && o.value.litres > 1)
      .select((o) => `${String(o.version)}: ${o.value.litres.toFixed(1)}`);
    expect(await found.toArray()).toEqual(['15: 1.1', '25: 2.1']);
    expect(await found.reverse().first()).toBe('25: 2.1');
    expect(await found.count()).toBe(2);
    expect(await found.skip(2).firstOrNull()).toBe(null);
    expect(await found.any((text) => text.startsWith('25'))).toBe(true);
  });

  it('orders by several keys and reverses', async () => {
    const rows = versions
      .local()
      .orderByDescending((o) => o.value.cow % 2)
      .thenBy((o) => o.value.cow)
      .thenByDescending((o) => o.version)
      .select((o) => o.value.cow)
      .take(4);
    expect(await rows.toArray()).toEqual([121, 121, 121, 123]);
    const streamed: number[] = [];
    for await (const cow of rows) {
      streamed.push(cow);
    }
    expect(streamed).toEqual([121, 121, 121, 123]);
  });
});

/* eslint-disable @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-call,
   @typescript-eslint/no-unsafe-member-access -- lines that must not compile have no types */
describe('types of a query', () => {
  it('follow the operators', () => {
    const { db } = open([]);
    const versions = db.pool<DailyYield>(yieldPool).versions();
    const parts = versions.select((o) => ({ key: o.key, litres: o.value.litres, at: o.eventTime }));
    expectTypeOf(parts).toEqualTypeOf<Query<{ key: string; litres: number; at: number | null }>>();
    expectTypeOf(db.pool(yieldPool).keys()).toEqualTypeOf<Query<string>>();
    parts.where((row) => row.litres.gt(3));
    // @ts-expect-error thenBy needs an orderBy
    expect(() => versions.thenBy((o) => o.key)).toThrow();
    // @ts-expect-error a number is no text
    versions.where((o) => o.value.litres.startsWith('x'));
    // @ts-expect-error an object is no ordering key
    versions.orderBy((o) => o.value);
  });
});

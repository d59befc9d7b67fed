import { parsePlan } from '../../../platform/query/mod.ts';
import { encode } from '@msgpack/msgpack';
import { describe, expect, it } from 'vitest';
import { logRecord } from './memory-source.ts';
import { type DailyYield, milk, open, reasonOf, yieldPool } from './milk.ts';

describe('limits and mistakes', () => {
  it('refuses a sort that would not fit, with the mend', async () => {
    const { db } = open(milk(10), { limits: { bufferRows: 50, topRows: 10 } });
    const all = db.pool<DailyYield>(yieldPool).versions();
    const sorted = all.orderBy((o) => o.value.litres);
    expect(await reasonOf(() => sorted.toArray())).toMatch(/INVALID_QUERY.*50 rows.*take\(\)/);
    expect(await sorted.take(5).toArray()).toHaveLength(5);
    expect(await all.take(60).reverse().count().catch(String)).toContain('reverse needs more');
    const bytes = open(milk(10), { limits: { bufferBytes: 100 } }).db.pool<DailyYield>(yieldPool);
    expect(
      await reasonOf(() =>
        bytes
          .versions()
          .orderBy((o) => o.key)
          .toArray(),
      ),
    ).toContain('more than 100 bytes');
  });

  it('refuses a result that would not fit', async () => {
    const { db } = open(milk(10), { limits: { resultRows: 199 } });
    const all = db.pool<DailyYield>(yieldPool).versions();
    expect(await reasonOf(() => all.toArray())).toContain('for await');
    expect(await all.take(199).toArray()).toHaveLength(199);
  });

  it('names the key and the version of a value that cannot be decoded', async () => {
    const bad = { ...logRecord({ key: `${yieldPool}/cow_7`, version: 3, time: 3 }, 1) };
    const { db } = open([[{ ...bad, value: new Uint8Array([0x7b]) }]]);
    const all = db.pool<DailyYield>(yieldPool).versions();
    expect(await reasonOf(() => all.toArray())).toMatch(
      /INVALID_VALUE: The value of \/dairy\/daily_yield\/cow_7 at version 3 is not json/,
    );
    expect(await all.where((o) => o.version.ne(3)).toArray()).toEqual([]);
    expect(await all.count()).toBe(1);
  });

  it('decodes by the schema of the pool', async () => {
    const record = logRecord({ key: `${yieldPool}/a`, version: 1, time: 1 }, 0);
    const packed = [[{ ...record, value: encode({ litres: 3, cow: 1 }) }]];
    const first = open(packed, { values: 'msgpack' }).db.pool<DailyYield>(yieldPool).versions();
    expect((await first.where((o) => o.value.litres.eq(3)).first()).value).toEqual({
      litres: 3,
      cow: 1,
    });
    const raw = open([[{ ...record, value: new Uint8Array() }]], { values: 'raw' });
    expect((await raw.db.pool<Uint8Array>(yieldPool).versions().first()).value).toEqual(
      new Uint8Array(),
    );
  });

  it('takes no memory for what a value only promises', async () => {
    const record = logRecord({ key: `${yieldPool}/a`, version: 1, time: 1 }, 0);
    const nested = Array.from({ length: 200 }, () => [0xdd, 0x01, 0xff, 0xff, 0xff]).flat();
    const { db } = open([[{ ...record, value: Uint8Array.from(nested) }]], { values: 'msgpack' });
    const all = db.pool<DailyYield>(yieldPool).versions();
    expect(await reasonOf(() => all.toArray())).toMatch(/INVALID_VALUE.*version 1 is not msgpack/);
  });

  it('says so when first finds nothing', async () => {
    const { db } = open(milk(1));
    const none = db
      .pool<DailyYield>(yieldPool)
      .versions()
      .where((o) => o.version.gt(99));
    expect(await reasonOf(() => none.first())).toMatch(/NOT_FOUND.*firstOrNull/);
    expect(await none.firstOrNull()).toBe(null);
  });

  it('refuses plans that it does not know', async () => {
    const source = { pool: yieldPool, kind: 'versions', at: null, axis: 'commit' };
    const plan = (...operators: unknown[]): unknown => ({ v: 1, source, operators });
    const reason = (input: unknown): Promise<string> => reasonOf(() => parsePlan(input));
    expect(await reason(plan({ op: 'groupBy', key: null }))).toMatch(/INVALID_QUERY.*"groupBy"/);
    expect(await reason(plan({ op: 'tak', count: 1 }))).toContain('Did you mean take');
    expect(await reason(plan({ op: 'take', count: -1 }))).toContain('at least 0');
    expect(await reason(plan({ op: 'take', count: 1, x: 1 }))).toContain('"x"');
    expect(await reason(plan({ op: 'count' }, { op: 'reverse' }))).toContain('Put count last');
    expect(await reason(plan({ op: 'thenBy', key: null, descending: true }))).toContain('INVALID');
    const size = { v: 1, body: { op: 'length', args: [{ op: 'field', of: null, path: ['key'] }] } };
    expect(await reason(plan({ op: 'where', predicate: size }))).toContain('no condition');
    expect(await reason(plan(...Array.from({ length: 65 }, () => ({ op: 'reverse' }))))).toContain(
      '64',
    );
    expect(await reason({ v: 2, source, operators: [] })).toContain('version 1');
    expect(
      await reason({ ...(plan() as object), source: { ...source, pool: '/a/../b' } }),
    ).toContain('INVALID_KEY');
    expect(
      await reason({ ...(plan() as object), source: { ...source, at: { when: 1 } } }),
    ).toContain('when');
    const { db } = open(milk(1));
    expect(await reasonOf(() => db.pool(yieldPool).versions().take(1.5))).toContain('take(1.5)');
  });
});

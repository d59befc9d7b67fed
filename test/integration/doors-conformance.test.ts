import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect, Database, type Door, isFreshetError, json } from '../../platform/client/mod.ts';
import { bytes, text } from '../support/cluster.ts';
import { type DoorsRig, memberDoor, startDoors, take } from './doors-rig.ts';

let rig: DoorsRig;
let native: Database;

beforeAll(async () => {
  rig = await startDoors('conformance');
  native = await connect(`127.0.0.1:${String(rig.grpcPort)}`, { door: 'native' });
});

afterAll(async () => {
  await native.close();
  await rig.close();
});

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

/** The same through every way in: what a lambda, a program beside a member and a client see. */
describe.each([
  ['inside a member', () => memberDoor(rig)],
  ['inside another member', () => memberDoor(rig, 2)],
  ['over gRPC', (): Door => rig.cluster.door],
  ['to native threads', (): Door => native.door],
])('a door %s', (name, doorOf) => {
  const pool = `/conform/${name.replaceAll(' ', '-')}`;

  beforeAll(async () => {
    await doorOf().createPool({ name: pool, kind: 'persistent', history: 9, schema: 'json' });
    await doorOf().createPool({ name: `${pool}-bell`, kind: 'trigger' });
  });

  test('puts, reads at a version and a time, removes', async () => {
    const door = doorOf();
    const key = `${pool}/a`;
    const one = await door.put({ key, value: bytes('1'), eventTime: 17, meta: { who: 'cam' } });
    expect(one.previousVersionOfKey).toBeNull();
    const two = await door.put({ key, value: bytes('2') });
    expect(two).toMatchObject({ epoch: one.epoch, previousVersionOfKey: one.version });
    expect(two.time).toBeGreaterThan(one.time);
    expect(await door.get({ key, version: one.version, exact: true })).toMatchObject({
      key,
      removed: false,
      size: 1,
      version: one.version,
      epoch: one.epoch,
      time: one.time,
      eventTime: 17,
      previousVersionOfKey: null,
      meta: { who: 'cam' },
    });
    expect(text((await door.get({ key, at: two.time - 1 }))?.value)).toBe('1');
    for (const read of ['local', 'stable', 'linearizable'] as const) {
      expect(text((await door.get({ key, read }))?.value)).toBe('2');
    }
    const stat = await door.stat({ key });
    expect(stat).toMatchObject({ value: null, size: 1, version: two.version, removed: false });
    await door.remove({ key, expect: { versionOfKey: two.version } });
    expect(await door.get({ key })).toBeNull();
    const versions = await collect(door.history({ key }));
    expect(versions.map(({ value, removed }) => [text(value), removed])).toEqual([
      ['1', false],
      ['2', false],
      [null, true],
    ]);
    const newest = await collect(door.history({ key, reverse: true, limit: 1 }));
    expect(newest.map(({ removed }) => removed)).toEqual([true]);
  });

  test('an empty value is a value; values above a quarter of a ring come back whole', async () => {
    const door = doorOf();
    await door.put({ key: `${pool}/empty`, value: new Uint8Array(0) });
    expect((await door.get({ key: `${pool}/empty` }))?.value).toHaveLength(0);
    const large = Buffer.alloc(9 * 1024 * 1024, 'milk ');
    await door.put({ key: `${pool}/large`, value: large });
    const read = await door.get({ key: `${pool}/large` });
    expect(large.equals(Buffer.from(read?.value ?? new Uint8Array(0)))).toBe(true);
  });

  test('leaves out a value that is longer than asked for', async () => {
    const door = doorOf();
    const key = `${pool}/longer`;
    const { version } = await door.put({ key, value: bytes('12345') });
    const shorter = await door.get({ key, maxBytes: 4 });
    expect(shorter).toMatchObject({ key, value: null, removed: false, size: 5, version });
    expect(text((await door.get({ key, maxBytes: 5 }))?.value)).toBe('12345');
  });

  test('lists in byte order, a watch that resumes, a query, frontiers', async () => {
    const door = doorOf();
    const keys = ['a', 'b', 'é', '\u{1f404}'].map((letter) => `${pool}/list/${letter}`);
    for (const key of [...keys].reverse()) await door.put({ key, value: bytes('{"n":1}') });
    expect(await collect(door.list({ prefix: `${pool}/list/` }))).toEqual(keys);
    expect(
      await collect(door.list({ prefix: `${pool}/list/`, limit: 1, after: keys[0]! })),
    ).toEqual(keys.slice(1, 2));
    const prefix = `${pool}/watched/`;
    const watching = take(door.watch({ prefix }), 1);
    let isSeen = false;
    void watching.then(() => (isSeen = true));
    const isWaiting = () => !isSeen;
    while (isWaiting()) await door.put({ key: `${prefix}first`, value: bytes('x') });
    const [first] = await watching;
    expect(first).toMatchObject({ kind: 'put', object: { key: `${prefix}first` } });
    await door.remove({ key: `${prefix}first` });
    const kinds: string[] = [];
    for await (const event of door.watch({ prefix, from: first!.token })) {
      kinds.push(event.kind);
      if (event.kind === 'remove') break;
    }
    expect(kinds.slice(0, -1).every((kind) => kind === 'put')).toBe(true);
    const rows = new Database(door).pool(pool, json<{ n: number }>());
    expect(
      await rows
        .objects()
        .where((o) => o.key.startsWith(`${pool}/list/`))
        .count(),
    ).toBe(4);
    const frontier = await door.frontier(pool);
    expect(frontier.length).toBeGreaterThan(0);
    for (const { delivered, stable } of frontier) expect(delivered).toBeGreaterThanOrEqual(stable);
  });

  test.each([
    ['INVALID_KEY', (door: Door) => door.put({ key: `${pool}/a\0b`, value: bytes('x') })],
    ['INVALID_KEY', (door: Door) => door.get({ key: `${pool}/../up` })],
    ['INVALID_KEY', (door: Door) => door.get({ key: `${pool}/%2e%2e/up` })],
    ['KEY_TOO_LONG', (door: Door) => door.get({ key: `${pool}/${'x'.repeat(1100)}` })],
    ['UNKNOWN_POOL', (door: Door) => door.put({ key: '/nowhere/a', value: bytes('x') })],
    ['UNKNOWN_POOL', (door: Door) => take(door.list({ prefix: '/nowhere' }), 1)],
    ['UNKNOWN_POOL', (door: Door) => take(door.watch({ prefix: '/nowhere' }), 1)],
    ['UNKNOWN_POOL', (door: Door) => take(door.history({ key: '/nowhere/a' }), 1)],
    ['UNKNOWN_POOL', (door: Door) => door.frontier('/nowhere')],
    ['UNKNOWN_POOL', (door: Door) => door.removePool('/nowhere')],
    ['INVALID_ARGUMENT', (door: Door) => door.get({ key: `${pool}/a`, version: 3, at: 3 })],
    ['INVALID_ARGUMENT', (door: Door) => door.get({ key: `${pool}/a`, exact: true })],
    ['INVALID_ARGUMENT', (door: Door) => door.get({ key: `${pool}/a`, maxBytes: -1 })],
    ['UNSUPPORTED', (door: Door) => door.put({ key: `${pool}-bell/a`, value: bytes('x') })],
    ['INVALID_QUERY', (door: Door) => take(door.query({}), 1)],
    ['INVALID_POOL', (door: Door) => door.createPool({ name: '/c/x', kind: 'odd' as never })],
    ['POOL_EXISTS', (door: Door) => door.createPool({ name: pool, kind: 'volatile' })],
    [
      'CONDITION_FAILED',
      (door: Door) =>
        door.put({ key: `${pool}/cond`, value: bytes('x'), expect: { versionOfKey: 77 } }),
    ],
    [
      'META_TOO_LARGE',
      (door: Door) =>
        door.put({ key: `${pool}/meta`, value: bytes('x'), meta: { a: 'm'.repeat(5000) } }),
    ],
  ] as const)('refuses with %s, says what to do, and goes on', async (code, call) => {
    const door = doorOf();
    await expect(call(door)).rejects.toMatchObject({
      name: 'FreshetError',
      code,
      mend: expect.stringMatching(/./) as string,
    });
    await door.put({ key: `${pool}/after`, value: bytes('well') });
    expect(text((await door.get({ key: `${pool}/after` }))?.value)).toBe('well');
  });

  test('a pool takes and gives names, and a bad entry among many fails alone', async () => {
    const names = new Database(doorOf()).pool(pool);
    const results = await names.putMany([
      { name: 'page/a', value: 1 },
      { name: 'page/../b', value: 2 },
      { name: 'page/c', value: undefined },
      { name: 'page/d', value: 4 },
    ]);
    const codes = results.map((result) => (isFreshetError(result) ? result.code : 'ok'));
    expect(codes).toEqual(['ok', 'INVALID_KEY', 'INVALID_VALUE', 'ok']);
    expect(await collect(names.list({ prefix: 'page/' }))).toEqual(['page/a', 'page/d']);
    expect(await collect(names.list({ prefix: 'page/', after: 'page/a' }))).toEqual(['page/d']);
    expect(await collect(names.list({ prefix: 'page/', limit: 0 }))).toEqual([]);
  });

  test('a trigger reaches members and leaves nothing behind', async () => {
    const door = doorOf();
    const request = { key: `${pool}-bell/a`, value: bytes('x') };
    expect((await door.triggerPut(request)).members).toHaveLength(1);
    const all = await door.triggerPut({ ...request, to: 'all' });
    expect([...all.members].sort()).toEqual([1, 2, 3]);
    const named = await door.triggerPut({ ...request, to: [2] });
    expect(named.members).toEqual([2]);
  });
});

test('what one door acknowledged, the others list, count and tell the history of at once', async () => {
  const name = '/conform/current';
  const first = memberDoor(rig);
  await first.createPool({ name, kind: 'volatile', history: 50, schema: 'json' });
  const others = [memberDoor(rig, 1), memberDoor(rig, 2), rig.cluster.door, native.door];
  for (let round = 1; round <= 30; round++) {
    const value = bytes(`{"round":${String(round)}}`);
    await Promise.all([
      first.put({ key: `${name}/${String(round)}`, value }),
      first.put({ key: `${name}/one`, value }),
    ]);
    const told = await Promise.all(
      others.map(async (door) => {
        const pool = new Database(door).pool(name, json<{ round: number }>());
        const names = await collect(pool.list());
        const history = await collect(pool.history('one'));
        const values = history.map((one) => one.value?.round ?? 0);
        return [names.length, await pool.versions().count(), values.at(-1)];
      }),
    );
    expect(told).toEqual(others.map(() => [round + 1, 2 * round, round]));
  }
});

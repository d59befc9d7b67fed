import { afterEach, describe, expect, test } from 'vitest';
import { acks, frontierWidth, recordKinds, rowKinds } from '../../platform/bridge/mod.ts';
import { tempFolder } from '../support/mod.ts';
import { NativeMember, startShard, unpack } from './native-member.ts';

const open: NativeMember[] = [];
async function openOne(dataFolder: string | null = null): Promise<NativeMember> {
  const member = new NativeMember({ dataFolder });
  open.push(member);
  await startShard([member], 1, dataFolder !== null, nextEpoch());
  return member;
}
let epochs = 0;
function nextEpoch(): number {
  epochs += 1;
  return epochs;
}
afterEach(() => {
  for (const member of open.splice(0)) {
    member.close();
  }
});

describe('a volatile shard of one member', () => {
  test('gives versions 1, 2, 3 and reads each of them', async () => {
    const member = await openOne();
    await member.makePool(1);
    for (const version of [1, 2, 3]) {
      const answer = await member.submit(1, '/a', Buffer.from(`v${String(version)}`));
      expect(answer).toMatchObject({ status: 'OK', version });
    }
    expect(String(member.get(1, '/a'))).toBe('v3');
    expect(String(member.get(1, '/a', 2))).toBe('v2');
    expect(member.get(1, '/b')).toBe('NOT_FOUND');
    expect(member.addon.isCurrent(member.handle, 1, false)).toBe(true);
    expect(member.addon.versionAtTime(member.handle, 1, Infinity)).toBe(3);
    const frontiers = new Float64Array(frontierWidth);
    expect(member.addon.frontiers(member.handle, 1, frontiers)).toBe(0);
    expect(frontiers[3]).toBe(3);
  });

  test('refuses what a condition does not allow, and unknown pools', async () => {
    const member = await openOne();
    expect(await member.submit(1, '/a', Buffer.from('x'))).toMatchObject({
      status: 'UNKNOWN_POOL',
    });
    await member.makePool(1);
    await member.submit(1, '/a', Buffer.from('x'));
    const absent = Float64Array.of(NaN, -1, 0, -1, 0, 0, 0);
    const put = recordKinds.put;
    expect(
      await member.submit(1, '/a', Buffer.from('y'), acks.delivered, put, absent),
    ).toMatchObject({ status: 'CONDITION_FAILED', previousVersionOfKey: 1 });
    expect(
      await member.submit(1, '/b', Buffer.from('y'), acks.delivered, put, absent),
    ).toMatchObject({ status: 'OK', version: 2 });
  });

  test('takes large values where they lie and lets go of them', async () => {
    const member = await openOne();
    await member.makePool(1);
    for (const size of [65_537, 300_000, 5_000_000]) {
      const value = Buffer.alloc(size, size % 251);
      expect(await member.submit(1, '/large', value)).toMatchObject({ status: 'OK' });
      expect(value.equals(member.get(1, '/large') as Buffer)).toBe(true);
    }
    await member.rowOf(() => {
      return member.rows.filter(([kind]) => kind === rowKinds.released).length === 3;
    });
  });

  test('submits many packed puts in one call', async () => {
    const member = await openOne();
    await member.makePool(1);
    const packed = Buffer.alloc(2 * 96);
    const answers = await Promise.all(
      [0, 1].map((nth) =>
        member.call((token) => {
          const at = nth * 96;
          [1, recordKinds.put | (acks.delivered << 4), 5, 2, 0, 3].forEach((number, place) => {
            packed.writeUInt32LE(number, at + 4 * place);
          });
          [token, NaN, -1, -1, -1, 0, 0, 0].forEach((number, place) => {
            packed.writeDoubleLE(number, at + 24 + 8 * place);
          });
          packed.write(`k${String(nth)}val`, at + 88);
          return nth === 0 ? 0 : member.addon.submitMany(member.handle, packed, 2) - 2;
        }),
      ),
    );
    expect(answers.map((row) => row[4])).toEqual([1, 2]);
    expect(String(member.get(1, 'k1'))).toBe('val');
  });

  test('tells subscribers in order, from where they ask', async () => {
    const member = await openOne();
    await member.makePool(1);
    await member.submit(1, '/a/1', Buffer.from('x'));
    await member.submit(1, '/b/1', Buffer.from('x'));
    const { addon, handle } = member;
    await member.result((token) =>
      addon.subscribe(handle, 1, 42, '/a/', 1, acks.delivered, 0, 0, token),
    );
    await member.submit(1, '/a/2', Buffer.from('x'));
    await member.rowOf(([kind, , , , version]) => kind === rowKinds.event && version === 3);
    const events = member.rows.filter(([kind]) => kind === rowKinds.event);
    expect(events.map((row) => row.slice(0, 5))).toEqual([
      [rowKinds.event, 42, 1, expect.any(Number), 1],
      [rowKinds.event, 42, 1, expect.any(Number), 3],
    ]);
    expect(addon.unsubscribe(handle, 1, 42)).toBe(0);
    await member.submit(1, '/a/3', Buffer.from('x'));
    await member.submit(1, '/a/4', Buffer.from('x'));
    expect(member.rows.filter(([kind]) => kind === rowKinds.event)).toHaveLength(2);
  });

  test('admits a bounded number of puts and answers every one of them', async () => {
    const member = await openOne();
    await member.makePool(1);
    const max = member.addon.limits['outstandingMax'] ?? 0;
    const all: Promise<unknown>[] = [];
    let refused = 0;
    for (let nth = 0; nth < max + 2000; nth += 1) {
      all.push(
        member.submit(1, `/k/${String(nth)}`, Buffer.from('x')).catch((error: unknown) => {
          expect(String(error)).toContain('OVERLOADED');
          refused += 1;
        }),
      );
    }
    const answers = await Promise.all(all);
    expect(answers).toHaveLength(max + 2000);
    expect(refused).toBeGreaterThanOrEqual(2000);
    expect(await member.submit(1, '/last', Buffer.from('x'))).toMatchObject({ status: 'OK' });
  });
});

describe('scans', () => {
  async function filled(): Promise<NativeMember> {
    const member = await openOne();
    await member.makePool(1);
    for (let nth = 0; nth < 40; nth += 1) {
      const key = `/yield/cow_${String(nth % 4)}`;
      await member.submit(1, key, Buffer.from(`v${String(nth + 1)}`));
    }
    return member;
  }

  test('give versions, newest per key, and keys', async () => {
    const member = await filled();
    const versions = unpack(await member.scan({ shard: 1 }), true);
    expect(versions.resume).toBeNull();
    expect(versions.records.map(({ version }) => version)).toEqual(
      Array.from({ length: 40 }, (_, nth) => nth + 1),
    );
    const objects = unpack(await member.scan({ shard: 1, kind: 'objects' }), true).records;
    expect(objects.map(({ key, value }) => [key, value])).toEqual([
      ['/yield/cow_0', 'v37'],
      ['/yield/cow_1', 'v38'],
      ['/yield/cow_2', 'v39'],
      ['/yield/cow_3', 'v40'],
    ]);
    const old = unpack(await member.scan({ shard: 1, kind: 'keys', toVersion: 2 }), true).records;
    expect(old).toMatchObject([
      { key: '/yield/cow_0', value: '', valueSize: 2 },
      { key: '/yield/cow_1', value: '', valueSize: 2 },
    ]);
  });

  test('filter by program, go backwards, stop at the limit', async () => {
    const member = await filled();
    const text = Buffer.from('/cow_2');
    const program = Buffer.concat([Buffer.of(1, 0, 3, text.length, 0), text, Buffer.of(0x17)]);
    const options = { shard: 1, program, reverse: true, limit: 3 };
    const { records, resume } = unpack(await member.scan(options), true);
    expect(records.map(({ version }) => version)).toEqual([39, 35, 31]);
    expect(resume).toBeNull();
    await expect(member.scan({ shard: 1, program: Buffer.of(9) })).rejects.toThrow('INVALID_QUERY');
    await expect(member.scan({ shard: 1, program: new Uint8Array(0) })).rejects.toThrow(
      'INVALID_QUERY',
    );
  });

  test.each(['versions', 'objects', 'keys'] as const)(
    'of %s go on where a batch ended, forwards and backwards',
    async (kind) => {
      const member = await filled();
      for (const reverse of [false, true]) {
        const whole = unpack(await member.scan({ shard: 1, kind, reverse }), true).records;
        const found = [];
        let resume: Uint8Array | null = null;
        do {
          const options = { shard: 1, kind, reverse, batchBytes: 300, resume };
          const batch: ReturnType<typeof unpack> = unpack(await member.scan(options), true);
          found.push(...batch.records);
          resume = batch.resume;
        } while (resume !== null);
        expect(found).toEqual(whole);
      }
    },
  );
});

describe('a persistent shard of one member', () => {
  test('keeps what it acknowledged over a restart, and goes on counting', async () => {
    const folder = await tempFolder('bridge');
    const first = await openOne(folder);
    await first.makePool(1);
    for (let nth = 1; nth <= 50; nth += 1) {
      const answer = await first.submit(1, '/a', Buffer.from(String(nth)), acks.persisted);
      expect(answer).toMatchObject({ status: 'OK', version: nth });
    }
    first.close();

    const second = new NativeMember({ dataFolder: folder });
    open.push(second);
    const state = await second.openShard(1, true);
    expect(state).toMatchObject({ version: 50, persistent: true });
    expect(String(second.get(1, '/a'))).toBe('50');
    const epoch = nextEpoch();
    await second.prepareEpoch(1, epoch, [1]);
    await second.startEpoch(1, epoch);
    expect(await second.submit(1, '/a', Buffer.from('51'), acks.persisted)).toMatchObject({
      status: 'OK',
      version: 51,
      epoch,
    });
    expect(second.addon.counters(second.handle)['recoveredRecords']).toBe(51);
  });

  test('is closed once no epoch runs, and opened again with all it had', async () => {
    const member = await openOne(await tempFolder('bridge'));
    const { addon, handle } = member;
    const closing = () => member.result((token) => addon.closeShard(handle, 1, token));
    await member.makePool(1);
    await member.submit(1, '/a', Buffer.from('kept'), acks.persisted);
    await expect(closing()).rejects.toThrow('INVALID_ARGUMENT');
    await member.result((token) => addon.stopEpoch(handle, 1, token));
    await closing();
    await closing();
    const state = member.result((token) => addon.shardState(handle, 1, token));
    await expect(state).rejects.toThrow('NOT_A_MEMBER');
    expect(await member.openShard(1, true)).toMatchObject({ version: 1 });
    const epoch = nextEpoch();
    await member.prepareEpoch(1, epoch, [1]);
    await member.startEpoch(1, epoch);
    const answer = await member.submit(1, '/a', Buffer.from('next'), acks.persisted);
    expect(answer).toMatchObject({ status: 'OK', version: 2, epoch });
  });

  test('is cut back to a position, for good', async () => {
    const folder = await tempFolder('bridge');
    const first = await openOne(folder);
    await first.makePool(1);
    const kept = await first.submit(1, '/a', Buffer.from('kept'), acks.persisted);
    const state = first.addon;
    const before = JSON.parse(
      String(await first.result((token) => state.shardState(first.handle, 1, token))),
    ) as { epoch: number; sequence: number };
    await first.submit(1, '/a', Buffer.from('lost'), acks.persisted);
    await first.result((token) => state.stopEpoch(first.handle, 1, token));
    // A watch is in nobody's way.
    await first.result((token) =>
      state.subscribe(first.handle, 1, 1, '/', 1, acks.persisted, 0, 0, token),
    );
    const after = await first.result((token) =>
      state.cutBack(first.handle, 1, before.epoch, before.sequence, token),
    );
    expect(JSON.parse(String(after))).toMatchObject({ version: kept.version });
    expect(String(first.get(1, '/a'))).toBe('kept');
    first.close();
    const second = new NativeMember({ dataFolder: folder });
    open.push(second);
    expect(await second.openShard(1, true)).toMatchObject({ version: kept.version });
  });

  test('hands its log on, record by record, to a member that lacks it', async () => {
    const first = await openOne(await tempFolder('bridge'));
    await first.makePool(1);
    for (let nth = 1; nth <= 20; nth += 1) {
      await first.submit(1, `/k/${String(nth)}`, Buffer.from(String(nth)), acks.persisted);
    }
    const second = new NativeMember({ nodeId: 2, dataFolder: await tempFolder('bridge') });
    open.push(second);
    await second.openShard(1, true);
    const records = await first.result((token) =>
      first.addon.readLog(first.handle, 1, 0, -1, 0, -1, 0, 1 << 20, token),
    );
    expect(records?.length).toBeGreaterThan(20 * 64);
    await second.result((token) =>
      second.addon.appendLog(second.handle, 1, records ?? new Uint8Array(0), token),
    );
    expect(String(second.get(1, '/k/20'))).toBe('20');
    const states = await Promise.all(
      [first, second].map((member) =>
        member.result((token) => member.addon.shardState(member.handle, 1, token)),
      ),
    );
    expect(String(states[0])).toBe(String(states[1]));
    await expect(
      second.result((token) =>
        second.addon.appendLog(second.handle, 1, new Uint8Array(64).fill(7), token),
      ),
    ).rejects.toThrow('INVALID_ARGUMENT');
  });
});

import { describe, expect, test } from 'vitest';
import { FreshetError, ManualClock } from '../../../platform/base/mod.ts';
import {
  coreError,
  frontierColumns,
  headColumns,
  headWidth,
  recordKinds,
} from '../../../platform/bridge/mod.ts';
import type { Group } from '../../../platform/group/group.ts';
import type { MemberCore } from '../../../platform/group/member-core.ts';
import type { ShardLayout } from '../../../platform/group/mod.ts';
import { LocalShard } from '../../../platform/store/local-shard.ts';
import { storeLimits } from '../../../platform/store/store-limits.ts';

/** A member of a shard that stands still: the first wait is refused, a later one never answered. */
function setUp(): { clock: ManualClock; shard: LocalShard } {
  const clock = new ManualClock();
  let waits = 0;
  const core = {
    handle: null,
    addon: { isCurrent: () => false, storeGeneration: () => 1, statusNames: [] },
    waitCurrent: (): Promise<void> =>
      waits++ === 0
        ? Promise.reject(new FreshetError('SHARD_STOPPED', 'It stands still'))
        : new Promise(() => undefined),
  };
  return { clock, shard: shardOver(core, clock) };
}

function shardOver(core: object, clock: ManualClock, isHere = true): LocalShard {
  const group = {
    care: { refusalOf: () => null },
    isHere: () => isHere,
    stoppedError: (_shard: number, what: string) =>
      new FreshetError('SHARD_STOPPED', `${what}: it waits for members 2 and 3`),
  };
  const layout = { shard: 1, persistent: true } as ShardLayout;
  const asCore = core as unknown as MemberCore;
  return new LocalShard(layout, asCore, group as unknown as Group, clock);
}

test('a read whose last wait is too short for an answer says what the one before it said', async () => {
  const { clock, shard } = setUp();
  const read = { key: '/k', read: 'stable', version: null, exact: false, at: null } as const;
  const timeoutMs = storeLimits.stoppedPauseMs + 1;
  let code = '';
  shard.read({ ...read, wantValue: true }, { timeoutMs, signal: null }).catch((caught: unknown) => {
    code = caught instanceof FreshetError ? caught.code : 'another error';
  });
  while (code === '' && clock.monotonicMs() < 2 * timeoutMs) {
    await new Promise(setImmediate);
    clock.advance(1);
  }
  expect(code).toBe('SHARD_STOPPED');
});

test('what was read of a store that is emptied and filled anew meanwhile is read again', async () => {
  const newest = [0, 7];
  let generation = 1;
  const addon = {
    statusNames: [],
    isCurrent: () => true,
    storeGeneration: () => generation,
    // The agent empties it before the first look.
    versionAtTime: () => {
      if (newest.length > 1) generation += 2;
      return newest.shift();
    },
  };
  const shard = shardOver({ handle: null, addon }, new ManualClock());
  const call = { timeoutMs: 1000, signal: null };
  expect(await shard.versionAtTime(5, 'linearizable', call)).toBe(7);
});

test.each([
  ['NOT_A_MEMBER', true, 'SHARD_STOPPED'],
  ['NOT_A_MEMBER', false, 'NOT_A_MEMBER'],
  ['CLOSED', true, 'CLOSED'],
])('a look for a time that is refused as %s is no version', async (name, isHere, code) => {
  const statusNames = ['OK', name];
  const addon = {
    statusNames,
    isCurrent: () => true,
    storeGeneration: () => 1,
    versionAtTime: () => -1,
  };
  const core = {
    handle: null,
    addon,
    statusName: (status: number) => statusNames[status],
    error: (status: number, what: string) => coreError(statusNames, status, what),
  };
  const shard = shardOver(core, new ManualClock(), isHere);
  const call = { timeoutMs: 1000, signal: null };
  for (const read of ['local', 'linearizable'] as const) {
    await expect(shard.versionAtTime(5, read, call)).rejects.toMatchObject({ code });
  }
});

test('what is on disk is left out by the length of its value, not by that of its record', async () => {
  const shown = { key: '/k/film', value: Buffer.alloc(100) };
  const whole = recordOf(shown.key, shown.value);
  const head = new Float64Array(headWidth);
  head[headColumns.coldLength] = whole.byteLength;
  let reads = 0;
  const core = {
    handle: null,
    head,
    addon: { isCurrent: () => true, storeGeneration: () => 1, statusNames: [] },
    get: () => null,
    statusName: () => 'COLD',
    scan: () => Promise.resolve(pageOf(recordOf(shown.key, shown.value.byteLength))),
    readCold: () => {
      reads++;
      return Promise.resolve(whole);
    },
  };
  const shard = shardOver(core, new ManualClock());
  const read = { key: shown.key, read: 'local', version: null, exact: false, at: null } as const;
  const sizeOf = async (maxBytes: number): Promise<unknown> => {
    const call = { timeoutMs: 1000, signal: null };
    const found = await shard.read({ ...read, wantValue: true, maxBytes }, call);
    return [found?.size, found?.value?.byteLength ?? null];
  };
  expect(await sizeOf(99)).toEqual([100, null]);
  expect(reads).toBe(0);
  expect(await sizeOf(100)).toEqual([100, 100]);
});

/** A record as native code packs it, with its value, or with the size of the one that it lacks. */
function recordOf(key: string, value: Buffer | number): Buffer {
  const tail = Buffer.concat([Buffer.from(key), ...(typeof value === 'number' ? [] : [value])]);
  const record = Buffer.concat([Buffer.alloc(64), tail]);
  record.writeUInt32LE(record.byteLength, 8);
  record.writeUInt8(recordKinds.put, 12);
  record.writeUInt16LE(key.length, 14);
  if (typeof value === 'number') {
    record.writeUInt8(16, 13);
    record.writeUInt32LE(value, 32);
  }
  return record;
}

/** What a scan answers that found one record. */
function pageOf(record: Buffer): Buffer {
  const page = Buffer.alloc(Math.ceil(record.byteLength / 64) * 64 + 8);
  record.copy(page);
  page.writeUInt32LE(1, page.byteLength - 4);
  return page;
}

describe('how far it is', () => {
  const call = { timeoutMs: 1000, signal: null };

  /** `persisted`: one more at each look; `epoch` 0: none has begun; `statuses` of the looks. */
  function frontierOf(epoch: number, statuses: readonly string[], stores: readonly number[] = [1]) {
    const statusNames = ['OK', 'NOT_A_MEMBER', 'CLOSED'];
    const [left, generations] = [[...statuses], [...stores]];
    let persisted = 0;
    const nextOf = <T>(of: T[]): T => (of.length > 1 ? (of.shift() as T) : (of[0] as T));
    const addon = {
      statusNames,
      isCurrent: () => true,
      storeGeneration: () => nextOf(generations),
      frontiers: (_member: unknown, _shard: number, out: Float64Array) => {
        out[frontierColumns.epoch] = epoch;
        out[frontierColumns.persistedVersion] = ++persisted;
        out[frontierColumns.deliveredVersion] = 9;
        return statusNames.indexOf(nextOf(left));
      },
    };
    const statusName = (status: number) => statusNames[status];
    const error = (status: number, what: string) => coreError(statusNames, status, what);
    return shardOver({ handle: null, addon, statusName, error }, new ManualClock());
  }

  test('is told of the store that was current', async () => {
    const shard = frontierOf(3, ['NOT_A_MEMBER', 'OK'], [1, 2]);
    const told = await shard.frontier('linearizable', call);
    expect(told).toEqual({ shard: 1, epoch: 3, delivered: 9, stable: 2, persisted: 2 });
  });

  test.each([
    ['no epoch has begun', 0, 'OK', 'SHARD_STOPPED'],
    ['it has no store', 3, 'NOT_A_MEMBER', 'SHARD_STOPPED'],
    ['the member is closed', 3, 'CLOSED', 'CLOSED'],
  ])('is no zero where %s', async (_where, epoch, status, code) => {
    for (const read of ['local', 'linearizable'] as const) {
      const shard = frontierOf(epoch, [status]);
      await expect(shard.frontier(read, call)).rejects.toMatchObject({ code });
    }
  });
});

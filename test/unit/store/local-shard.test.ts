import { describe, expect, test } from 'vitest';
import { FreshetError, ManualClock } from '../../../platform/base/mod.ts';
import { coreError, frontierColumns } from '../../../platform/bridge/mod.ts';
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

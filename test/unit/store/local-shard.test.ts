import { expect, test } from 'vitest';
import { FreshetError, ManualClock } from '../../../platform/base/mod.ts';
import { coreError } from '../../../platform/bridge/mod.ts';
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

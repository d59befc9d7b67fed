import { expect, test } from 'vitest';
import { FreshetError, ManualClock, silentLogger } from '../../../platform/base/mod.ts';
import { DiskRecovery } from '../../../platform/group/disk-recovery.ts';
import { groupLimits } from '../../../platform/group/group-limits.ts';

/** A disk that fails or not, and what its member does about it. */
function rig() {
  const clock = new ManualClock();
  const disk = { fails: true, isFull: false };
  const tried: number[] = [];
  const reopened: number[] = [];
  let wells = 0;
  const busy = new Set<number>();
  let onTry: () => void = () => undefined;
  const answer = (): Promise<never[] | null> =>
    disk.fails ? Promise.reject(new Error('it fails')) : Promise.resolve(null);
  const recovery = new DiskRecovery({
    recordFiles: {
      folder: 'data',
      read: () => Promise.resolve(null),
      replace: async () => {
        tried.push(clock.monotonicMs());
        onTry();
        await answer();
      },
    },
    clock,
    log: silentLogger(),
    logs: () => [1, 3],
    reopen: async (shard) => {
      reopened.push(shard);
      if (busy.has(shard)) throw new FreshetError('OVERLOADED', `Shard ${String(shard)}`);
      await answer();
    },
    isDiskFull: () => disk.isFull,
    run: (work) => void work(),
    onWell: () => {
      wells++;
    },
  });
  const advance = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 250) {
      clock.advance(Math.min(left, 250));
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  };
  return {
    ...{ clock, disk, tried, reopened, recovery, advance, busy },
    wells: () => wells,
    onTry: (act: () => void) => {
      onTry = act;
    },
  };
}

test('tries again with longer pauses, and says once that all can be written', async () => {
  const { disk, tried, reopened, recovery, advance, wells } = rig();
  recovery.begin();
  recovery.begin();
  await advance(8000);
  expect(tried).toEqual([1000, 3000, 7000]);
  expect([wells(), reopened]).toEqual([0, []]);
  disk.fails = false;
  await advance(10_000);
  expect(tried).toEqual([1000, 3000, 7000, 15_000]);
  expect(wells()).toBe(1);
  expect(reopened).toEqual([1, 3]);
});

test('waits for a log that is being opened again', async () => {
  const { disk, tried, reopened, recovery, advance, wells, busy } = rig();
  disk.fails = false;
  busy.add(3);
  recovery.begin();
  await advance(2000);
  expect([tried, wells()]).toEqual([[1000], 0]);
  busy.clear();
  await advance(1000);
  expect([tried, wells()]).toEqual([[1000, 3000], 1]);
  expect(reopened).toEqual([1, 3, 1, 3]);
});

test('waits longer for one that was well for a moment alone', async () => {
  const { disk, tried, recovery, advance, wells } = rig();
  disk.fails = false;
  recovery.begin();
  await advance(1000);
  recovery.begin();
  await advance(2000);
  expect(wells()).toBe(2);
  await advance(groupLimits.diskRetryMsMax);
  recovery.begin();
  await advance(1000);
  expect(tried).toEqual([1000, 3000, 4000 + groupLimits.diskRetryMsMax]);
});

test('a disk that is full, or fails while it is tried, is not well', async () => {
  const { disk, tried, recovery, advance, wells, onTry } = rig();
  disk.fails = false;
  disk.isFull = true;
  recovery.begin();
  await advance(1000);
  expect(tried).toEqual([]);
  disk.isFull = false;
  onTry(() => {
    recovery.begin();
  });
  await advance(2000);
  expect([tried, wells()]).toEqual([[3000], 0]);
  onTry(() => undefined);
  await advance(4000);
  expect([tried, wells()]).toEqual([[3000, 7000], 1]);
  recovery.begin();
  recovery.end();
  await advance(100_000);
  expect(tried).toHaveLength(2);
});

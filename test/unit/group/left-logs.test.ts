import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ManualClock, silentLogger } from '../../../platform/base/mod.ts';
import { LeftLogs } from '../../../platform/group/left-logs.ts';
import { dataShardFolders } from '../../../platform/group/shard-folders.ts';
import { tempFolder } from '../../support/mod.ts';

const minute = 60_000;
const keepMs = 10 * minute;

/** A member's disk and what its group says of shards; `start` is what a process of it does. */
function rig() {
  const clock = new ManualClock();
  const disk = { folders: new Set([1, 2, 3]), record: null as Buffer | null };
  const left = new Set<number>();
  const whole = new Set([1, 2, 3]);
  let running: LeftLogs | null = null;
  const start = (): void => {
    running?.end();
    running = new LeftLogs({
      folders: {
        list: () => Promise.resolve([...disk.folders]),
        remove: (shard) => {
          disk.folders.delete(shard);
          return Promise.resolve();
        },
      },
      recordFiles: {
        folder: 'data',
        read: () => Promise.resolve(disk.record),
        replace: (_name, bytes) => {
          disk.record = Buffer.from(bytes);
          return Promise.resolve();
        },
      },
      keepMs,
      clock,
      log: silentLogger(),
      isLeft: (shard) => left.has(shard),
      isWhole: (shard) => whole.has(shard),
      run: (work) => void work(),
    });
    running.begin();
  };
  const advance = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += minute) {
      clock.advance(minute);
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { disk, left, whole, start, advance };
}

test('a log stays as long as its shard is not left, and for a while then', async () => {
  const { disk, left, start, advance } = rig();
  start();
  await advance(60 * minute);
  expect([...disk.folders]).toEqual([1, 2, 3]);
  left.add(2);
  await advance(9 * minute);
  expect([...disk.folders]).toEqual([1, 2, 3]);
  await advance(4 * minute);
  expect([...disk.folders]).toEqual([1, 3]);
});

test('one that came back in between is kept for the whole time again', async () => {
  const { disk, left, start, advance } = rig();
  start();
  left.add(2);
  await advance(8 * minute);
  left.delete(2);
  await advance(2 * minute);
  left.add(2);
  await advance(8 * minute);
  expect(disk.folders.has(2)).toBe(true);
  await advance(4 * minute);
  expect(disk.folders.has(2)).toBe(false);
});

test('it stays while too few others run the shard', async () => {
  const { disk, left, whole, start, advance } = rig();
  start();
  left.add(2);
  whole.delete(2);
  await advance(100 * minute);
  expect(disk.folders.has(2)).toBe(true);
  whole.add(2);
  await advance(2 * minute);
  expect(disk.folders.has(2)).toBe(false);
});

test('how long ago it was left outlives the process, whatever became of the record', async () => {
  const { disk, left, start, advance } = rig();
  start();
  left.add(2);
  await advance(6 * minute);
  start();
  await advance(6 * minute);
  expect(disk.folders.has(2)).toBe(false);
  left.add(3);
  await advance(6 * minute);
  disk.record = Buffer.from('{ torn');
  start();
  await advance(6 * minute);
  expect(disk.folders.has(3)).toBe(true);
  await advance(6 * minute);
  expect(disk.folders.has(3)).toBe(false);
});

test('of a data folder the folders of shards alone are listed, and removed with what is in them', async () => {
  const folder = await tempFolder('left');
  for (const name of ['shard-1', 'shard-12', 'catalog', 'shard-x']) {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, '00000000.log'), 'x');
  }
  await writeFile(join(folder, 'shard-7'), 'no folder');
  const folders = dataShardFolders(folder);
  expect([...(await folders.list())].sort((a, b) => a - b)).toEqual([1, 12]);
  await folders.remove(12);
  expect((await readdir(folder)).sort()).toEqual(['catalog', 'shard-1', 'shard-7', 'shard-x']);
});

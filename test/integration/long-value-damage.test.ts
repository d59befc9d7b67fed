/** Long values whose records are damaged on disk, read at their members and from others. */
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { limits } from '../../platform/base/mod.ts';
import { headerSize } from '../../platform/group/record.ts';
import { startTestCluster, type TestCluster } from '../support/cluster.ts';
import { longValue } from '../support/long-value.ts';
import { makeTempFolder, type TemporaryFolder } from '../support/mod.ts';

const MiB = 1024 * 1024;
const size = limits.valueBytesWhole + 5 * MiB + 17;
const timeoutMs = 60_000;
const keys = ['/milk/0', '/milk/1', '/milk/2'] as const;
const key = keys[0];

let folder: TemporaryFolder;
let cluster: TestCluster;
let shard: number;

beforeEach(async () => {
  folder = await makeTempFolder('long-damage');
  cluster = await startTestCluster({
    folder: folder.path,
    members: 3,
    config: {
      // Not for all of the values: the first goes to disk.
      memory: { ringBudgetBytes: 24 * MiB, shardBytes: 2 * size },
      subgroups: [{ name: 'persistent', kind: 'persistent', shards: 1, replicas: 2 }],
    },
  });
  const { objects } = cluster.member(1).store;
  const pool = await objects.createPool({
    ...{ name: '/milk', kind: 'persistent', maxValueBytes: 80 * MiB },
  });
  shard = pool.shards[0] as number;
  for (const [nth, each] of keys.entries())
    await objects.put({ key: each, value: longValue(size, nth), timeoutMs });
});

afterEach(async () => {
  await cluster.close();
  await folder.remove();
});

const holders = (): readonly number[] => cluster.member(1).group.holders(shard);
const other = (): number => cluster.ids.find((id) => !holders().includes(id)) ?? 0;

type Part = 'head' | 'value';

/** Behind the back of the member that has its log open. */
async function spoil(member: number, part: Part = 'value'): Promise<void> {
  const logs = join(folder.path, `member-${String(member)}`, `shard-${String(shard)}`);
  for (const name of await readdir(logs)) {
    const file = join(logs, name);
    const content = await readFile(file);
    const found = content.indexOf(key);
    if (found < 0) continue;
    const value = found + Math.floor(size / 2);
    const at = part === 'value' ? value : found - (found % headerSize) - headerSize / 2;
    const handle = await open(file, 'r+');
    await handle.write(Uint8Array.of((content[at] ?? 0) ^ 1), 0, 1, at);
    await handle.close();
    return;
  }
  throw new Error(`no log has ${key}`);
}

async function read(member: number): Promise<boolean> {
  const { objects } = cluster.member(member).store;
  const found = await objects.get({ key, read: 'local', timeoutMs });
  return longValue(size, 0).equals(Buffer.from(found?.value ?? []));
}

describe.each(['head', 'value'] as const)('in its %s', (part) => {
  test('it is mended from another copy when its member reads it', async () => {
    const [one = 0] = holders();
    await spoil(one, part);
    expect(await read(one)).toBe(true);
    expect(cluster.member(one).group.care.counts).toMatchObject({ damaged: 0, repaired: 1 });
  });

  test('and when another member does, which gets it in parts', async () => {
    for (const each of holders()) {
      await spoil(each, part);
      expect(await read(other())).toBe(true);
      // Only the one that was asked has found it by then.
      expect(await read(each)).toBe(true);
      expect(cluster.member(each).group.care.counts).toMatchObject({ damaged: 0, repaired: 1 });
    }
  });
});

test('where no member has a good copy it is refused with segment and byte', async () => {
  for (const each of holders()) await spoil(each);
  const place = { segment: expect.any(Number) as number, offset: expect.any(Number) as number };
  const refusal = {
    code: 'LOG_CORRUPT',
    message: expect.stringMatching(/segment \d+ at byte \d+, and no member has a copy/) as string,
    details: { shard, ...place },
  };
  for (const each of cluster.ids) await expect(read(each)).rejects.toMatchObject(refusal);
});

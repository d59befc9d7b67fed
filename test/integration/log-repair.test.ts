import { open, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../platform/base/mod.ts';
import type { ShardCare } from '../../platform/group/verify.ts';
import { startMember } from '../../platform/node.ts';
import { freePorts } from '../../platform/local-cluster.ts';
import { bytes, startTestCluster, TestCluster } from '../support/cluster.ts';
import { forgeLog } from '../support/forged-log.ts';
import { tempFolder } from '../support/mod.ts';

const milk = { name: '/milk', kind: 'persistent' } as const;
const keys = Array.from({ length: 300 }, (_, nth) => `/milk/${String(nth)}`);
const recordAlignment = 64;
const MiB = 1024 * 1024;

let cluster: TestCluster | null = null;

function withDigest(care: ShardCare, digest: string): ShardCare {
  const { history } = care;
  return history === null
    ? care
    : { ...care, history: { checkpoints: [], end: { ...history.end, digest } } };
}

afterEach(async () => {
  await cluster?.close();
  cluster = null;
});

/** The key stands twice in a log: before its value, and at the value's start. */
const valueOf = (key: string) => Buffer.concat([Buffer.from(key), Buffer.alloc(490, 'v')]);
const twoReplicas = [{ name: 'persistent', kind: 'persistent', shards: 2, replicas: 2 }];

/** A cluster with every key put; returns the shard that holds most. */
async function fillCluster(folder: string, config = {}): Promise<number> {
  cluster = await startTestCluster({ folder, config });
  const { objects } = cluster.member(1).store;
  const { shards } = await objects.createPool({ ...milk });
  await Promise.all(keys.map((key) => objects.put({ key, value: valueOf(key) })));
  return shards[0] as number;
}

function fileOf(folder: string, member: number, shard: number): string {
  return join(folder, `member-${String(member)}`, `shard-${String(shard)}`, '00000000.log');
}

/** Where the nth value in a log file lies, so that a byte of a record can be spoilt. */
function placeOf(content: Buffer, nth: number): number {
  let at = -1;
  for (let found = 0; found <= nth; found++) at = content.indexOf('/milk/', at + 1);
  return at + 100;
}

async function spoil(file: string, nth: number): Promise<Buffer> {
  const content = await readFile(file);
  const before = Buffer.from(content);
  const at = placeOf(content, nth);
  content[at] = (content[at] ?? 0) ^ 1;
  await writeFile(file, content);
  return before;
}

/** In the record of a key, in whichever segment it lies. */
async function spoilKey(folder: string, key: string): Promise<void> {
  for (const file of await readdir(folder)) {
    const content = await readFile(join(folder, file));
    const at = content.lastIndexOf(key);
    if (at >= 0) return writeByte(join(folder, file), at + 100, (content[at + 100] ?? 0) ^ 1);
  }
  throw new Error(`no log has ${key}`);
}

/** Behind the back of whoever has the file open. */
async function writeByte(file: string, at: number, byte: number): Promise<void> {
  const handle = await open(file, 'r+');
  await handle.write(Uint8Array.of(byte), 0, 1, at);
  await handle.close();
}

async function expectAllAt(member: number): Promise<void> {
  for (const key of keys) {
    const found = await cluster?.member(member).store.objects.get({ key, read: 'local' });
    expect(Buffer.from(found?.value ?? []).equals(valueOf(key))).toBe(true);
  }
}

describe('a log damaged while its member was away', () => {
  test('is mended from another member, byte for byte', async () => {
    const folder = await tempFolder('mend');
    const shard = await fillCluster(folder);
    await cluster?.close();
    const file = fileOf(folder, 2, shard);
    const whole = await spoil(file, 6);
    cluster = await startTestCluster({ folder });
    await expectAllAt(2);
    expect(cluster.member(2).group.care.counts).toMatchObject({ damaged: 0, repaired: 1 });
    expect((await cluster.member(3).group.care.verify(false)).ok).toBe(true);
    await cluster.close();
    const mended = await readFile(file);
    const records = placeOf(whole, 20);
    expect(mended.subarray(0, records).equals(whole.subarray(0, records))).toBe(true);
  });

  test('amid what the others have undone is cut there, and filled by them', async () => {
    const folder = await tempFolder('undone');
    const file = (member: number): string => fileOf(folder, member, shard);
    const subgroups = [{ name: 'persistent', kind: 'persistent', shards: 1, replicas: 3 }];
    const shard = await fillCluster(folder, { subgroups });
    await cluster?.close();
    const kept = await Promise.all([1, 2].map((member) => readFile(file(member))));
    cluster = await startTestCluster({ folder, config: { subgroups } });
    const { objects } = cluster.member(1).store;
    for (const key of keys) await objects.put({ key, value: Buffer.alloc(100, 'undone') });
    await cluster.close();
    // Two disks have lost what was written last; the third has it, and is damaged just before.
    await Promise.all(kept.map((content, nth) => writeFile(file(nth + 1), content)));
    await spoil(file(3), 2 * keys.length);
    cluster = new TestCluster({ folder, config: { subgroups } }, await freePorts(3));
    for (const id of cluster.ids) await cluster.start(id);
    const { group } = cluster.member(3);
    await expect.poll(() => group.isRunning(shard), { timeout: 20_000 }).toBe(true);
    await expectAllAt(3);
    expect(group.care.counts.damaged).toBe(0);
    expect((await group.care.verify(true)).ok).toBe(true);
  });

  test('in a long value, and right beside it, is mended', async () => {
    const folder = await tempFolder('long');
    const config = {
      memory: { ringBudgetBytes: 24 * MiB, shardBytes: 1024 * MiB },
      subgroups: [{ name: 'persistent', kind: 'persistent', shards: 1, replicas: 3 }],
    } as const;
    cluster = await startTestCluster({ folder, config });
    const before = cluster.member(1).store.objects;
    const { shards } = await before.createPool({ ...milk, maxValueBytes: 200 * MiB });
    // More than what is fetched of short ones for any hole.
    const long = Buffer.alloc(160 * MiB, 'a long value ');
    const values = [valueOf('/milk/0'), long, valueOf('/milk/2'), valueOf('/milk/3')];
    for (const [nth, value] of values.entries())
      await before.put({ key: `/milk/${String(nth)}`, value, timeoutMs: 60_000 });
    await cluster.close();
    await spoilKey(join(folder, 'member-2', `shard-${String(shards[0])}`), '/milk/1');
    await spoilKey(join(folder, 'member-3', `shard-${String(shards[0])}`), '/milk/2');
    cluster = await startTestCluster({ folder, config });
    for (const member of [2, 3]) {
      const { group, store } = cluster.member(member);
      expect(group.care.counts).toMatchObject({ damaged: 0, repaired: 1 });
      for (const [nth, value] of values.entries()) {
        const found = await store.objects.get({ key: `/milk/${String(nth)}`, read: 'local' });
        expect(value.compare(found?.value ?? new Uint8Array())).toBe(0);
      }
    }
    expect((await cluster.member(1).group.care.verify(false)).ok).toBe(true);
  });

  test('a segment that is gone is made again', async () => {
    const folder = await tempFolder('gone');
    const shard = await fillCluster(folder);
    await cluster?.stop(3);
    const file = fileOf(folder, 3, shard);
    const content = await readFile(file);
    // Its header and first records; what follows says how far it was synced.
    content.fill(0, 0, 8192);
    await writeFile(file, content);
    await cluster?.start(3);
    await cluster?.whenRunning();
    await expectAllAt(3);
  });

  test.each([2, 3])('segment %d, amid large values, is made again', async (segment) => {
    const folder = await tempFolder('large');
    const subgroups = [{ name: 'persistent', kind: 'persistent', shards: 1, replicas: 3 }];
    cluster = await startTestCluster({ folder, config: { subgroups } });
    const { objects } = cluster.member(1).store;
    const { shards } = await objects.createPool({ ...milk });
    // Each large value has a segment to itself, which ends the one before.
    const sizes = [1, 40 * MiB, MiB, 40 * MiB, 40 * MiB];
    for (const [nth, size] of sizes.entries()) {
      const key = `/milk/${String(nth)}`;
      await objects.put({ key, value: Buffer.alloc(size, nth), timeoutMs: 30_000 });
    }
    await cluster.stop(3);
    const file = fileOf(folder, 3, shards[0] as number).replace('0.log', `${String(segment)}.log`);
    const content = await readFile(file);
    expect(content.byteLength > 20 * MiB).toBe(segment === 3);
    await writeFile(file, content.fill(0, 4096));
    await cluster.start(3);
    await cluster.whenRunning();
    expect(cluster.member(3).group.care.counts).toMatchObject({ damaged: 0, repaired: 1 });
    for (const [nth, size] of sizes.entries()) {
      const key = `/milk/${String(nth)}`;
      const found = await cluster.member(3).store.objects.get({ key, read: 'local' });
      expect(Buffer.from(found?.value ?? []).equals(Buffer.alloc(size, nth))).toBe(true);
    }
  });

  test('at two members in different places, each has what the other lacks', async () => {
    const folder = await tempFolder('both');
    const shard = await fillCluster(folder, { subgroups: twoReplicas });
    const members = cluster?.member(1).group.layout.shard(shard).members ?? [];
    const [one = 0, other = 0] = members;
    expect(members).toHaveLength(2);
    await cluster?.close();
    await spoil(fileOf(folder, one, shard), 6);
    await spoil(fileOf(folder, other, shard), 20);
    cluster = await startTestCluster({ folder, config: { subgroups: twoReplicas } });
    expect((await cluster.member(1).group.care.verify(true)).ok).toBe(true);
    const { repaired } = cluster.member(one).group.care.counts;
    expect(repaired + cluster.member(other).group.care.counts.repaired).toBe(2);
  });

  test('at every member in the same place is refused with segment and byte', async () => {
    const folder = await tempFolder('nowhere');
    const shard = await fillCluster(folder);
    await cluster?.close();
    const wholes: Buffer[] = [];
    for (const member of [1, 2, 3]) wholes.push(await spoil(fileOf(folder, member, shard), 6));
    const refusal = {
      code: 'LOG_CORRUPT',
      message: expect.stringMatching(/segment 0 at byte \d+/) as string,
      details: { shard, segment: 0 },
      mend: expect.stringContaining(`shard-${String(shard)}`) as string,
    };
    const started = new TestCluster({ folder }, await freePorts(3));
    cluster = started;
    for (const id of started.ids) await started.start(id);
    await expect(started.whenRunning()).rejects.toMatchObject(refusal);
    const { objects } = started.member(1).store;
    const key = keys.find((each) => wholes[0]?.includes(`${each}v`)) ?? '';
    await expect(objects.get({ key })).rejects.toMatchObject(refusal);
    await expect(objects.get({ key, read: 'local' })).rejects.toMatchObject(refusal);
    await expect(objects.put({ key, value: valueOf(key), timeoutMs: 300 })).rejects.toMatchObject(
      refusal,
    );
    await started.close();
    // Nothing was cut: with one sound copy put back all of it is there.
    await writeFile(fileOf(folder, 1, shard), wholes[0] ?? '');
    cluster = await startTestCluster({ folder });
    for (const member of [1, 2, 3]) await expectAllAt(member);
  });

  test('of a cluster of one is refused at once', async () => {
    const folder = await tempFolder('alone');
    const running = await startTestCluster({ folder, members: 1 });
    const { objects } = running.member(1).store;
    const { shards } = await objects.createPool({ ...milk });
    for (const key of keys) await objects.put({ key, value: valueOf(key) });
    const config = running.configOf(1);
    await running.close();
    await spoil(fileOf(folder, 1, shards[0] as number), 6);
    await expect(startMember(config, { log: silentLogger() })).rejects.toMatchObject({
      code: 'LOG_CORRUPT',
      details: { shard: shards[0], segment: 0 },
    });
  });
});

describe('a log damaged under a running member', () => {
  test('is found by verify and mended while the cluster works', async () => {
    const folder = await tempFolder('running');
    const shard = await fillCluster(folder);
    const file = fileOf(folder, 2, shard);
    const whole = await readFile(file);
    const at = placeOf(whole, 5);
    await writeByte(file, at, (whole[at] ?? 0) ^ 1);
    const report = await cluster?.member(1).group.care.verify(true);
    expect(report?.ok).toBe(true);
    const counts = cluster?.member(2).group.care.counts;
    expect(counts).toMatchObject({ damaged: 0, repaired: 1 });
    expect(counts?.scrubbedBytes).toBeGreaterThan(keys.length * 100);
    const mended = await readFile(file);
    const begin = Math.floor(at / recordAlignment) * recordAlignment - 1024;
    expect(mended.subarray(begin, at + 1024)).toEqual(whole.subarray(begin, at + 1024));
    await cluster?.member(3).store.objects.put({ key: '/milk/more', value: valueOf('more') });
    await expectAllAt(2);
  });

  test('is read as it was written: a cold read waits until it is mended', async () => {
    const folder = await tempFolder('cold');
    const memory = { ringBudgetBytes: 24 * MiB, shardBytes: 64 * MiB };
    const subgroups = [{ name: 'persistent', kind: 'persistent', shards: 1 }];
    cluster = await startTestCluster({ folder, config: { memory, subgroups } });
    const { objects } = cluster.member(1).store;
    const { shards } = await objects.createPool({ ...milk, maxValueBytes: 2 * MiB });
    const many = Array.from({ length: 110 }, (_, nth) => `/milk/large-${String(nth)}`);
    const largeOf = (key: string) => Buffer.alloc(MiB, key);
    for (const key of many) await objects.put({ key, value: largeOf(key) });
    const [first = ''] = many;
    const file = fileOf(folder, 2, shards[0] as number);
    const whole = await readFile(file);
    const at = placeOf(whole, 0) + 1000;
    await writeByte(file, at, (whole[at] ?? 0) ^ 1);
    const found = await cluster.member(2).store.objects.get({ key: first, read: 'local' });
    expect(Buffer.from(found?.value ?? []).equals(largeOf(first))).toBe(true);
    expect(cluster.member(2).group.care.counts).toMatchObject({ damaged: 0, repaired: 1 });
    expect((await readFile(file)).equals(whole)).toBe(true);
  }, 120_000);
});

describe('a history that differs', () => {
  test('is named, and the minority stops that shard alone', async () => {
    const folder = await tempFolder('differs');
    const shard = await fillCluster(folder);
    const running = cluster as TestCluster;
    // What no code of ours does: member 3 tells another digest than it has.
    const { messages } = running.member(3);
    const limits = { timeoutMs: null, signal: null };
    const told = (await messages.call(3, 'group.care', false, limits)) as ShardCare[];
    const wrongly = told.map((each) => (each.shard === shard ? withDigest(each, 'f00d') : each));
    messages.handle('group.care', () => Promise.resolve(wrongly));
    const report = await running.member(1).group.care.verify(false);
    expect(report.ok).toBe(false);
    const wrong = report.shards.filter(({ ok }) => !ok);
    expect(wrong.map((each) => each.shard)).toEqual([shard]);
    const verdicts = new Map(wrong[0]?.members.map(({ nodeId, verdict }) => [nodeId, verdict]));
    expect([1, 2, 3].map((node) => verdicts.get(node))).toEqual(['same', 'same', 'differs']);
    expect(running.member(3).group.isRunning(shard)).toBe(false);
    const refusal = running.member(3).group.care.refusalOf(shard);
    expect(refusal).toMatchObject({ code: 'HISTORY_DIFFERS', details: { shard, minority: '3' } });
    await expect(running.member(3).whenRunning(100)).rejects.toBe(refusal);
    const other = running
      .member(3)
      .group.layout.shards.find((each) => each.persistent && each.shard !== shard);
    expect(running.member(3).group.isRunning(other?.shard ?? 0)).toBe(true);
  });

  /** The others go on with the shard; the one that differs says so, and runs the rest. */
  async function expectApart(started: TestCluster, shard: number): Promise<void> {
    await expect(started.member(3).whenRunning(60_000)).rejects.toMatchObject({
      code: 'HISTORY_DIFFERS',
      details: { shard, minority: '3' },
    });
    const { group } = started.member(1);
    for await (const { running } of group.watchView()) {
      if (running && !group.holders(shard).includes(3)) break;
    }
    expect(group.holders(shard)).toEqual([1, 2]);
    expect(started.member(3).group.isRunning(shard)).toBe(false);
    const other = group.layout.shards.find((each) => each.persistent && each.shard !== shard);
    for await (const view of started.member(3).group.watchView()) {
      if (!view.stopped.includes(other?.shard ?? 0)) break;
    }
    for (let nth = 0; nth < 50; nth++) {
      const key = `/milk/after/${String(nth)}`;
      await started.member(2).store.objects.put({ key, value: bytes('after') });
    }
  }

  test('at the start is left out of the shard', async () => {
    const folder = await tempFolder('forged');
    const shard = await fillCluster(folder);
    await cluster?.close();
    await forgeLog(fileOf(folder, 3, shard), '/milk/');
    const started = new TestCluster({ folder }, await freePorts(3));
    cluster = started;
    for (const id of started.ids) await started.start(id);
    await expectApart(started, shard);
  });

  test('of a member that is let in again is left out of the shard', async () => {
    const folder = await tempFolder('forged-alone');
    const shard = await fillCluster(folder);
    const running = cluster as TestCluster;
    await running.stop(3);
    await forgeLog(fileOf(folder, 3, shard), '/milk/');
    await running.start(3);
    await expectApart(running, shard);
  });
});

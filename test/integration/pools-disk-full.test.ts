import { execFile } from 'node:child_process';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { type FreshetError, isFreshetError, toFreshetError } from '../../platform/base/mod.ts';
import { bytes, startTestCluster, text } from '../support/cluster.ts';
import { requireThat, type Skippable, tempFolder } from '../support/mod.ts';
import { SmallDisk } from '../support/small-disk.ts';

const run = promisify(execFile);
const MiB = 1024 * 1024;

/** A small disk of its own, which only root can make. */
async function smallDisk(context: Skippable, sizeBytes: number): Promise<string> {
  requireThat(context, process.getuid?.() === 0, 'only root mounts a small disk', 'sudo npm test');
  const folder = await tempFolder('disk');
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${String(sizeBytes)}`, 'tmpfs', folder]);
  } catch {
    requireThat(context, false, 'mounting is not allowed here', 'a machine that allows mount');
  }
  onTestFinished(async () => {
    // Lazily: what still has a file open there does not hold the test up.
    await run('umount', ['--lazy', folder]);
  });
  return folder;
}

async function fill(file: string, sizeBytes: number): Promise<void> {
  const handle = await open(file, 'w');
  const block = Buffer.alloc(MiB);
  for (let written = 0; written < sizeBytes; written += block.byteLength) {
    await handle.write(block);
  }
  await handle.close();
}

test('a disk that is nearly full refuses puts before it is full, and takes them again', async (context) => {
  const folder = await smallDisk(context, 640 * MiB);
  const cluster = await startTestCluster({
    folder,
    members: 1,
    config: { subgroups: [{ name: 'persistent', kind: 'persistent', shards: 1 }] },
  });
  try {
    const { objects } = cluster.member(1).store;
    await objects.createPool({ name: '/milk', kind: 'persistent' });
    await objects.put({ key: '/milk/before', value: bytes('kept') });

    const ballast = join(folder, 'ballast');
    await fill(ballast, 400 * MiB);
    let stored = 0;
    const untilRefused = async (): Promise<unknown> => {
      for (;;) {
        try {
          await objects.put({ key: `/milk/${String(stored)}`, value: bytes('x') });
          stored++;
        } catch (caught) {
          return caught;
        }
      }
    };
    const refusal = await untilRefused();
    expect(isFreshetError(refusal, 'DISK_FULL')).toBe(true);
    expect(text((await objects.get({ key: '/milk/before' }))?.value)).toBe('kept');

    await rm(ballast);
    const again = async (): Promise<boolean> => {
      try {
        await objects.put({ key: '/milk/after', value: bytes('y') });
        return true;
      } catch (caught) {
        expect(isFreshetError(caught, 'DISK_FULL')).toBe(true);
        return false;
      }
    };
    while (!(await again())) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const keys: string[] = [];
    for await (const key of objects.list({ prefix: '/milk' })) {
      keys.push(key);
    }
    expect(keys).toHaveLength(stored + 2);
  } finally {
    await cluster.close();
  }
});

test('a member whose disk is nearly full has all refuse for its shards, until it has room', async (context) => {
  const folder = await tempFolder('disk');
  requireThat(context, process.getuid?.() === 0, 'only root mounts a small disk', 'sudo npm test');
  const small = join(folder, 'member-3');
  const disk = await SmallDisk.mount(small, 640 * MiB).catch(() => null);
  requireThat(
    context,
    disk !== null,
    'mounting is not allowed here',
    'a machine that allows mount',
  );
  if (disk === null) return;
  onTestFinished(async () => {
    await run('umount', ['--lazy', small]);
  });
  const cluster = await startTestCluster({
    folder,
    members: 3,
    config: {
      subgroups: [
        { name: 'persistent', kind: 'persistent', shards: [{ reserved: [1, 2, 3] }] },
        { name: 'away', kind: 'persistent', shards: [{ replicas: 1, reserved: [1] }] },
        { name: 'volatile', kind: 'volatile', shards: 1 },
      ],
    },
  });
  try {
    const objects = cluster.ids.map((id) => cluster.member(id).store.objects);
    const [first, , full] = objects as [(typeof objects)[0], unknown, (typeof objects)[0]];
    const persistent = { kind: 'persistent', subgroup: 'persistent' } as const;
    await first.createPool({ name: '/milk', ...persistent, maxValueBytes: 128 * MiB });
    await first.createPool({ name: '/other', kind: 'persistent', subgroup: 'away' });
    await first.createPool({ name: '/herd', kind: 'volatile' });
    await first.put({ key: '/milk/kept', value: bytes('kept') });
    await first.put({ key: '/milk/gone', value: bytes('gone') });

    await disk.leave(128 * MiB);
    for (const member of objects) {
      const refusal = await whenRefused(() => member.put({ key: '/milk/more', value: bytes('x') }));
      expect(refusal).toMatchObject({
        code: 'DISK_FULL',
        mend: 'Free or add disk space at member 3',
        details: { member: 3 },
      });
      expect(refusal.details['freeBytes']).toBeLessThanOrEqual(128 * MiB);
      // What makes room, what is elsewhere, and reads go on.
      await member.remove({ key: '/milk/gone' });
      await member.put({ key: '/other/more', value: bytes('x') });
      await member.put({ key: '/herd/more', value: bytes('x') });
      expect(text((await member.get({ key: '/milk/kept' }))?.value)).toBe('kept');
    }

    await disk.leave(16 * MiB);
    const refused = await whenRefused(() => first.remove({ key: '/milk/gone' }));
    expect(refused.code).toBe('DISK_FULL');
    expect(text((await full.get({ key: '/milk/kept' }))?.value)).toBe('kept');

    // Enough for others, not for a long one.
    await disk.leave(300 * MiB);
    const long = Buffer.alloc(65 * MiB);
    for (const member of objects) {
      await whenTaken(() => member.put({ key: '/milk/short', value: bytes('y') }));
      await expect(member.put({ key: '/milk/long', value: long })).rejects.toMatchObject({
        code: 'DISK_FULL',
        mend: 'Free or add disk space',
      });
    }

    await disk.leave(512 * MiB);
    for (const member of objects) {
      await whenTaken(() => member.put({ key: '/milk/long', value: long }));
    }
    // Nobody's log has failed meanwhile.
    expect(cluster.members.map(({ group }) => group.status.members.length)).toEqual([3, 3, 3]);
  } finally {
    await cluster.close();
  }
});

/** It takes a moment until what a disk has left is known everywhere. */
async function whenRefused(call: () => Promise<unknown>): Promise<FreshetError> {
  for (;;) {
    try {
      await call();
    } catch (caught) {
      return toFreshetError(caught);
    }
  }
}

async function whenTaken(call: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await call();
      return;
    } catch (caught) {
      expect(isFreshetError(caught, 'DISK_FULL')).toBe(true);
    }
  }
}

import { execFile } from 'node:child_process';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { isFreshetError } from '../../platform/base/mod.ts';
import { bytes, startTestCluster, text } from '../support/cluster.ts';
import { requireThat, type Skippable, tempFolder } from '../support/mod.ts';

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

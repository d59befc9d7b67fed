import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Level } from 'level';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CursorStore } from '../../../platform/lambda/cursor-store.ts';

const full = new Error('no room');

function failOnce(): void {
  vi.spyOn(Level.prototype, 'batch').mockRejectedValueOnce(full);
}

describe('cursors on disk', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'freshet-cursors-'));
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await rm(folder, { recursive: true });
  });

  test('what a save could not write is written by the next', async () => {
    const cursors = await CursorStore.open(folder);
    cursors.set('count', 1, { epoch: 2, version: 7 });
    cursors.set('count', 2, { epoch: 2, version: 8 });
    await cursors.save();
    failOnce();
    cursors.set('count', 1, { epoch: 2, version: 9 });
    cursors.keepShards((shard) => shard !== 2);
    await expect(cursors.save()).rejects.toBe(full);
    cursors.set('other', 3, { epoch: 2, version: 1 });
    await cursors.close();

    const again = await CursorStore.open(folder);
    expect(again.get('count', 1)).toEqual({ epoch: 2, version: 9 });
    expect(again.get('count', 2)).toBeNull();
    expect(again.get('other', 3)).toEqual({ epoch: 2, version: 1 });
    await again.close();
  });

  test('a newer position is not undone by an older one that is written again', async () => {
    const cursors = await CursorStore.open(folder);
    cursors.set('count', 1, { epoch: 2, version: 7 });
    failOnce();
    const saved = cursors.save();
    cursors.set('count', 1, { epoch: 2, version: 12 });
    await expect(saved).rejects.toBe(full);
    await cursors.close();

    const again = await CursorStore.open(folder);
    expect(again.get('count', 1)).toEqual({ epoch: 2, version: 12 });
    await again.close();
  });

  test('closing lets go of the folder even when nothing can be written', async () => {
    const cursors = await CursorStore.open(folder);
    cursors.set('count', 1, { epoch: 2, version: 7 });
    failOnce();
    await expect(cursors.close()).rejects.toBe(full);
    const again = await CursorStore.open(folder);
    expect(again.get('count', 1)).toBeNull();
    await again.close();
  });
});

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openDataFolder } from '../../../platform/group/data-folder.ts';
import { noView, readViewRecord, writeViewRecord } from '../../../platform/group/view-record.ts';
import { tempFolder } from '../../support/mod.ts';

describe('the view record', () => {
  const record = {
    format: 1,
    number: 7,
    committed: false,
    members: [1, 2, 3],
    epochs: [{ shard: 1, epoch: 4 }],
  } as const;

  test('is read back as it was written, and replaced whole', async () => {
    const folder = await tempFolder();
    expect(await readViewRecord(folder)).toEqual(noView);
    const mutable = { ...record, members: [...record.members], epochs: [...record.epochs] };
    await writeViewRecord(folder, mutable);
    await writeViewRecord(folder, { ...mutable, committed: true });
    expect(await readViewRecord(folder)).toEqual({ ...record, committed: true });
    expect(await readdir(folder)).toEqual(['view.json']);
  });

  test('of a newer format, or damaged, is refused', async () => {
    const folder = await tempFolder();
    await writeFile(join(folder, 'view.json'), '{"format":2}');
    await expect(readViewRecord(folder)).rejects.toMatchObject({ code: 'NEWER_FORMAT' });
    await writeFile(join(folder, 'view.json'), '{"format":1,"num');
    await expect(readViewRecord(folder)).rejects.toMatchObject({
      code: 'LOG_CORRUPT',
      mend: expect.stringContaining('the other members know') as string,
    });
  });

  test('that cannot be written says where', async () => {
    const folder = await tempFolder();
    const mutable = { ...record, members: [1], epochs: [] };
    await expect(writeViewRecord(join(folder, 'none'), mutable)).rejects.toMatchObject({
      code: 'DISK_FAILED',
    });
  });
});

describe('the data folder', () => {
  test('is made once and keeps its disk identity', async () => {
    const folder = join(await tempFolder(), 'a', 'b');
    const first = await openDataFolder(folder, 'barn', 2);
    const again = await openDataFolder(folder, 'barn', 2);
    expect(again).toEqual(first);
    expect(first.path).toBe(folder);
  });

  test('of another cluster, member or format is refused with the mend', async () => {
    const folder = await tempFolder();
    await openDataFolder(folder, 'barn', 2);
    await expect(openDataFolder(folder, 'stable', 2)).rejects.toMatchObject({
      code: 'WRONG_CLUSTER',
      mend: expect.stringContaining('cluster.name to barn') as string,
    });
    await expect(openDataFolder(folder, 'barn', 3)).rejects.toMatchObject({
      code: 'DATA_IN_USE',
    });
    const file = join(folder, 'format.json');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('"format":1', '"format":2'));
    await expect(openDataFolder(folder, 'barn', 2)).rejects.toMatchObject({ code: 'NEWER_FORMAT' });
    await writeFile(file, 'x');
    await expect(openDataFolder(folder, 'barn', 2)).rejects.toMatchObject({ code: 'LOG_CORRUPT' });
  });

  test('that cannot be a folder is one sentence and the mend', async () => {
    const folder = await tempFolder();
    await mkdir(join(folder, 'ok'));
    await writeFile(join(folder, 'file'), '');
    await expect(openDataFolder(join(folder, 'file', 'x'), 'barn', 1)).rejects.toMatchObject({
      code: 'DATA_UNWRITABLE',
      mend: expect.stringContaining('dataFolder') as string,
    });
  });

  test('in a place that takes no folders is refused, not tried for ever', async () => {
    await expect(openDataFolder('/proc/freshet/member-1', 'barn', 1)).rejects.toMatchObject({
      code: 'DATA_UNWRITABLE',
    });
  });
});

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openDataFolder } from '../../../platform/group/data-folder.ts';
import { folderFiles } from '../../../platform/group/record-files.ts';
import { encodeView } from '../../../platform/group/view-codec.ts';
import {
  noView,
  readViewRecord,
  type ViewRecord,
  writeViewOffer,
  writeViewRecord,
} from '../../../platform/group/view-record.ts';
import { tempFolder } from '../../support/mod.ts';
import { viewOf } from './plan-samples.ts';

/** CRC-32C (Castagnoli), bit by bit: what the native side has in tables. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc >>> 1) ^ ((crc & 1) === 1 ? 0x82f6_3b78 : 0);
    }
  }
  return (crc ^ 0xffff_ffff) >>> 0;
}

describe('the view record', () => {
  const committed = viewOf(7, 6, [1, 2, 3]);
  const prepared = viewOf(8, 7, [1, 2]);
  const ballot = 0x1_0000_0002n;
  const record: ViewRecord = { committed, prepared, ballot, adoptedAt: 0, offered: 0 };

  test('is read back as it was written, and replaced whole', async () => {
    const folder = await tempFolder();
    const files = folderFiles(folder);
    expect(await readViewRecord(files, crc32c)).toEqual(noView);
    await writeViewRecord(files, record, crc32c);
    expect(await readViewRecord(files, crc32c)).toEqual(record);
    const settled = { ...record, prepared: null, ballot: 0n };
    await writeViewRecord(files, settled, crc32c);
    expect(await readViewRecord(files, crc32c)).toEqual(settled);
    const adopted = { ...record, adoptedAt: 9 };
    await writeViewRecord(files, adopted, crc32c);
    expect(await readViewRecord(files, crc32c)).toEqual(adopted);
    const joiner = { ...record, committed: null };
    await writeViewRecord(files, joiner, crc32c);
    expect(await readViewRecord(files, crc32c)).toEqual(joiner);
    expect(await readdir(folder)).toEqual(['view']);
  });

  test('has the bytes that the core writes', async () => {
    const folder = await tempFolder();
    const files = folderFiles(folder);
    await writeViewRecord(files, record, crc32c);
    const first = encodeView(committed);
    const second = encodeView(prepared);
    const head = Buffer.from('01000000 00000000 0200000001000000'.replaceAll(' ', ''), 'hex');
    const sizes = Buffer.alloc(8);
    sizes.writeUInt32LE(first.length, 0);
    sizes.writeUInt32LE(second.length, 4);
    const body = Buffer.concat([head, sizes, first, second]);
    const bytes = await readFile(join(folder, 'view'));
    expect(bytes.subarray(0, -4).toString('hex')).toBe(body.toString('hex'));
    // The checksum's own check value: "123456789" gives e3069283.
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe306_9283);
    expect(bytes.readUInt32LE(bytes.length - 4)).toBe(crc32c(body));
  });

  test('keeps what was offered apart, and lasting over new records', async () => {
    const folder = await tempFolder();
    const files = folderFiles(folder);
    await writeViewOffer(files, 12);
    expect(await readViewRecord(files, crc32c)).toEqual({ ...noView, offered: 12 });
    await writeViewRecord(files, record, crc32c);
    expect(await readViewRecord(files, crc32c)).toEqual({ ...record, offered: 12 });
    await writeViewOffer(files, 14);
    expect((await readViewRecord(files, crc32c)).offered).toBe(14);
    expect((await readdir(folder)).sort()).toEqual(['view', 'view-offer']);
  });

  test('that is damaged anywhere is refused with the mend', async () => {
    const folder = await tempFolder();
    const files = folderFiles(folder);
    await writeViewRecord(files, record, crc32c);
    const whole = await readFile(join(folder, 'view'));
    const refused = {
      code: 'LOG_CORRUPT',
      mend: expect.stringContaining('the other members know') as string,
    };
    // The first four bytes are the format: the next test's.
    for (let at = 4; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged.writeUInt8(whole.readUInt8(at) ^ 1, at);
      await writeFile(join(folder, 'view'), damaged);
      await expect(readViewRecord(files, crc32c), `byte ${String(at)}`).rejects.toMatchObject(
        refused,
      );
    }
    for (const length of [0, 3, 4, 27, whole.length - 1]) {
      await writeFile(join(folder, 'view'), whole.subarray(0, length));
      await expect(readViewRecord(files, crc32c)).rejects.toMatchObject(refused);
    }
  });

  test('of another format is refused', async () => {
    const folder = await tempFolder();
    const files = folderFiles(folder);
    await writeViewRecord(files, record, crc32c);
    const bytes = await readFile(join(folder, 'view'));
    bytes.writeUInt32LE(2, 0);
    await writeFile(join(folder, 'view'), bytes);
    await expect(readViewRecord(files, crc32c)).rejects.toMatchObject({ code: 'NEWER_FORMAT' });
    bytes.writeUInt32LE(0, 0);
    bytes.writeUInt32LE(crc32c(bytes.subarray(0, -4)), bytes.length - 4);
    await writeFile(join(folder, 'view'), bytes);
    await expect(readViewRecord(files, crc32c)).rejects.toMatchObject({ code: 'LOG_CORRUPT' });
  });

  test('with an offer that is none is refused', async () => {
    const folder = await tempFolder();
    const files = folderFiles(folder);
    for (const text of ['', 'x', '-1', '1.5', ' ', '1e400']) {
      await writeFile(join(folder, 'view-offer'), text);
      await expect(readViewRecord(files, crc32c), text).rejects.toMatchObject({
        code: 'LOG_CORRUPT',
        message: expect.stringContaining('view-offer') as string,
        mend: expect.stringContaining('data folder') as string,
      });
    }
  });

  test('that cannot be written says where', async () => {
    const files = folderFiles(join(await tempFolder(), 'none'));
    const code = 'DISK_FAILED';
    await expect(writeViewRecord(files, record, crc32c)).rejects.toMatchObject({ code });
    await expect(writeViewOffer(files, 1)).rejects.toMatchObject({ code });
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

import { expect, test } from 'vitest';
import { lastHead, readRecords } from '../../../platform/group/record.ts';

/** Packs a record by hand, field by field, as native/core/record.h lists them. */
function pack(fields: {
  sequence: bigint;
  version: bigint;
  eventTime: bigint;
  key: string;
  meta: Buffer;
  value: Buffer;
  extension: Buffer;
}): Buffer {
  const { extension, meta, value } = fields;
  const key = Buffer.from(fields.key);
  const length = 64 + extension.length + key.length + meta.length + value.length;
  const record = Buffer.alloc(Math.ceil(length / 64) * 64);
  let at = record.writeUInt32LE(0xdead_beef, 0);
  at = record.writeUInt32LE(0, at);
  at = record.writeUInt32LE(length, at);
  at = record.writeUInt8(1, at);
  at = record.writeUInt8(0, at);
  at = record.writeUInt16LE(key.length, at);
  at = record.writeUInt16LE(extension.length, at);
  at = record.writeUInt16LE(meta.length, at);
  at = record.writeUInt32LE(6, at);
  at = record.writeUInt32LE(3, at);
  at = record.writeUInt32LE(9, at);
  at = record.writeBigInt64LE(fields.sequence, at + (32 - at));
  at = record.writeBigUInt64LE(fields.version, at);
  at = record.writeBigInt64LE(1_700_000_000_000_000n, at);
  at = record.writeBigInt64LE(fields.eventTime, at);
  Buffer.concat([extension, key, meta, value]).copy(record, at);
  return record;
}

const noTime = -(2n ** 63n);

test('records back to back are read in order', () => {
  const first = pack({
    sequence: -1n,
    version: 5n,
    eventTime: noTime,
    key: '/a/b',
    meta: Buffer.from([0x80]),
    value: Buffer.from('hello'),
    extension: Buffer.alloc(24),
  });
  const second = pack({
    sequence: 2n ** 40n + 7n,
    version: 2n ** 50n,
    eventTime: -5n,
    key: '/käse',
    meta: Buffer.alloc(0),
    value: Buffer.alloc(0),
    extension: Buffer.alloc(0),
  });
  const [one, two] = readRecords(Buffer.concat([first, second]));
  expect(one).toMatchObject({
    key: '/a/b',
    head: {
      kind: 1,
      shard: 6,
      epoch: 3,
      pool: 9,
      sequence: -1,
      version: 5,
      time: 1_700_000_000_000_000,
      eventTime: null,
      crc: 0xdead_beef,
    },
  });
  expect(Buffer.from(one?.value ?? []).toString()).toBe('hello');
  expect(one?.meta).toHaveLength(1);
  expect(two).toMatchObject({
    key: '/käse',
    head: { sequence: 2 ** 40 + 7, version: 2 ** 50, eventTime: -5 },
  });
  expect(lastHead(Buffer.concat([first, second]))?.version).toBe(2 ** 50);
  expect(lastHead(Buffer.alloc(0))).toBeNull();
});

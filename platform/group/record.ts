import { check } from '../base/mod.ts';

/**
 * Records as native/core/record.h lays them out: a header of 64 bytes, extension, key, meta, value,
 * zeros up to a multiple of 64. Little endian.
 */

export interface RecordHead {
  readonly kind: number;
  readonly shard: number;
  readonly epoch: number;
  readonly pool: number;
  readonly sequence: number;
  readonly version: number;
  /** µs. */
  readonly time: number;
  /** µs; null: the writer gave none. */
  readonly eventTime: number | null;
  /** Tells two records of one place apart. */
  readonly crc: number;
  /** Bytes from the header's start to the value's end. */
  readonly length: number;
}

export interface PackedRecord {
  readonly head: RecordHead;
  readonly key: string;
  /** Views into the packed bytes. */
  readonly meta: Uint8Array;
  /** null: left out. */
  readonly value: Uint8Array | null;
  /** Of the value, in bytes. */
  readonly size: number;
}

export const recordAlignment = 64;
export const headerSize = 64;
const controlKind = 4;
const withoutValue = 16;
const offsets = {
  crc: 0,
  length: 8,
  kind: 12,
  flags: 13,
  keyLength: 14,
  extensionLength: 16,
  metaLength: 18,
  shard: 20,
  epoch: 24,
  pool: 28,
  sequence: 32,
  version: 40,
  time: 48,
  eventTime: 56,
} as const;
const twoTo32 = 2 ** 32;
const noTimeHigh = -(2 ** 31);

/** Bytes that a record takes, padding included. */
export function paddedLength(length: number): number {
  return Math.ceil(length / recordAlignment) * recordAlignment;
}

/** The head of the record that starts at `at`. */
export function readHead(bytes: Buffer, at: number): RecordHead {
  check(at + headerSize <= bytes.byteLength, 'a whole header is there', { at });
  const high = bytes.readInt32LE(at + offsets.eventTime + 4);
  return {
    kind: bytes.readUInt8(at + offsets.kind),
    shard: bytes.readUInt32LE(at + offsets.shard),
    epoch: bytes.readUInt32LE(at + offsets.epoch),
    pool: bytes.readUInt32LE(at + offsets.pool),
    sequence: readInteger(bytes, at + offsets.sequence),
    version: readInteger(bytes, at + offsets.version),
    time: readInteger(bytes, at + offsets.time),
    eventTime: high === noTimeHigh ? null : readInteger(bytes, at + offsets.eventTime),
    crc: bytes.readUInt32LE(at + offsets.crc),
    length: bytes.readUInt32LE(at + offsets.length),
  };
}

/** The record that starts at `at`; key decoded, meta and value as views. */
export function readRecord(bytes: Buffer, at: number): PackedRecord {
  const head = readHead(bytes, at);
  const keyAt = at + headerSize + bytes.readUInt16LE(at + offsets.extensionLength);
  const metaAt = keyAt + bytes.readUInt16LE(at + offsets.keyLength);
  const valueAt = metaAt + bytes.readUInt16LE(at + offsets.metaLength);
  const end = at + head.length;
  check(valueAt <= end && end <= bytes.byteLength, 'a record lies within its bytes', { at, end });
  const isLeftOut = (bytes.readUInt8(at + offsets.flags) & withoutValue) !== 0;
  return {
    head,
    key: bytes.toString('utf8', keyAt, metaAt),
    meta: bytes.subarray(metaAt, valueAt),
    value: isLeftOut ? null : bytes.subarray(valueAt, end),
    size: isLeftOut ? head.sequence : end - valueAt,
  };
}

/** Records back to back in `bytes`, up to `end`. */
export function readRecords(bytes: Buffer, end: number = bytes.byteLength): PackedRecord[] {
  const records: PackedRecord[] = [];
  for (let at = 0; at + headerSize <= end;) {
    const record = readRecord(bytes, at);
    records.push(record);
    at += paddedLength(record.head.length);
  }
  return records;
}

/** The last head of records back to back, without decoding the others; null: there is none. */
export function lastHead(bytes: Buffer): RecordHead | null {
  let last = -1;
  for (let at = 0; at + headerSize <= bytes.byteLength;) {
    last = at;
    const length = bytes.readUInt32LE(at + offsets.length);
    check(length >= headerSize, 'a record has a header', { at, length });
    at += paddedLength(length);
  }
  return last === -1 ? null : readHead(bytes, last);
}

/** Is it a piece of the sessions of a volatile shard, before others and the last record? */
export function isSessionsPiece({ kind, version }: RecordHead): boolean {
  return kind === controlKind && version > 0;
}

/** Records back to back, up to the first of a later epoch. */
export function recordsThrough(bytes: Buffer, epoch: number): Buffer {
  let at = 0;
  while (at + headerSize <= bytes.byteLength && readHead(bytes, at).epoch <= epoch) {
    at += paddedLength(readHead(bytes, at).length);
  }
  return bytes.subarray(0, at);
}

/** A 64-bit integer that is known to be a safe one. */
function readInteger(bytes: Buffer, at: number): number {
  return bytes.readInt32LE(at + 4) * twoTo32 + bytes.readUInt32LE(at);
}

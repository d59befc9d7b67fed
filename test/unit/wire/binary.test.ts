import { BinaryReader as LibraryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import { expect, test } from 'vitest';
import { BinaryReader } from '../../../platform/wire/binary.ts';

const most = Number.MAX_SAFE_INTEGER;
const edges = [0, 7, 14, 21, 28, 31, 32, 35, 42, 49, 52, 53].flatMap((bits) => {
  return [2 ** bits - 1, 2 ** bits, 2 ** bits + 1].filter((value) => value <= most);
});

const uint64 = (value: bigint): Uint8Array => new BinaryWriter().uint64(value).finish();
const int64 = (value: bigint): Uint8Array => new BinaryWriter().int64(value).finish();

test('numbers of every length are what the library reads', () => {
  for (const value of edges) {
    const bytes = new BinaryWriter().uint64(value).int64(value).int64(-value).uint32(5).finish();
    const reader = new BinaryReader(bytes);
    const library = new LibraryReader(bytes);
    expect(reader.safeUint64()).toBe(Number(library.uint64()));
    expect(reader.safeInt64()).toBe(Number(library.int64()));
    expect(reader.safeInt64() + 0).toBe(Number(library.int64()));
    expect(reader.pos).toBe(library.pos);
    expect(reader.uint32()).toBe(5);
  }
});

test('more than a number holds is refused', () => {
  for (const value of [2n ** 53n, 2n ** 53n + 1n, 2n ** 56n, 2n ** 63n, 2n ** 64n - 1n]) {
    expect(() => new BinaryReader(uint64(value)).safeUint64(), String(value)).toThrow(RangeError);
  }
  for (const value of [2n ** 53n, 2n ** 63n - 1n, -(2n ** 53n), -(2n ** 63n)]) {
    expect(() => new BinaryReader(int64(value)).safeInt64(), String(value)).toThrow(RangeError);
  }
});

test('a number in more bytes than it takes is read', () => {
  const bytes = new Uint8Array([0x85, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 0x01]);
  const reader = new BinaryReader(bytes);
  expect(reader.safeUint64()).toBe(5);
  expect(reader.safeInt64()).toBe(1);
});

test('bytes that end within a number, and numbers without end, are refused', () => {
  expect(() => new BinaryReader(new Uint8Array([0x80])).safeUint64()).toThrow(RangeError);
  expect(() => new BinaryReader(new Uint8Array()).safeInt64()).toThrow(RangeError);
  const endless = new Uint8Array(20).fill(0x80);
  expect(() => new BinaryReader(endless).safeUint64()).toThrow('invalid varint');
});

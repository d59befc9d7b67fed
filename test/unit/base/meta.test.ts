import { encode } from '@msgpack/msgpack';
import { expect, test } from 'vitest';
import { limits } from '../../../platform/base/mod.ts';
import { decodeMeta, encodeMeta } from '../../../platform/base/meta.ts';

test('a map of strings comes back; an empty one takes no bytes', () => {
  const meta = { 'content-type': 'image/jpeg', trace: '00-é' };
  expect(decodeMeta(encodeMeta(meta) ?? new Uint8Array())).toEqual(meta);
  expect(encodeMeta({})).toBeNull();
  expect(encodeMeta(undefined)).toBeNull();
  expect(decodeMeta(new Uint8Array())).toEqual({});
});

test('its limits are exact', () => {
  const entries = (count: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, nth) => [`n${String(nth)}`, 'v']));
  expect(encodeMeta(entries(limits.metaEntries))).not.toBeNull();
  expect(() => encodeMeta(entries(limits.metaEntries + 1))).toThrow(/are allowed/);
  // Map head 1, name 'a' 2, string head 3 bytes.
  const full = limits.metaBytes - 6;
  expect(encodeMeta({ a: 'x'.repeat(full) })?.byteLength).toBe(limits.metaBytes);
  expect(() => encodeMeta({ a: 'x'.repeat(full + 1) })).toThrow(/are allowed/);
});

test('what is not a string is refused by name', () => {
  const wrong = { good: 'a', size: 7 } as unknown as Record<string, string>;
  expect(() => encodeMeta(wrong)).toThrow(/size is not a string/);
});

test("another writer's bytes never throw", () => {
  expect(decodeMeta(Uint8Array.of(0xc1, 0xff))).toEqual({});
  expect(decodeMeta(encode([1, 2]))).toEqual({});
  expect(decodeMeta(encode({ a: 'b', c: 3 }))).toEqual({ a: 'b' });
});

test('bytes that promise a long array take no memory for it', () => {
  const long = [0xdd, 0x01, 0xff, 0xff, 0xff];
  const arrays = [Uint8Array.from(long), Uint8Array.of(0x81, 0xa1, 0x61, ...long)];
  for (const bytes of arrays) {
    const before = process.memoryUsage.rss();
    expect(decodeMeta(bytes)).toEqual({});
    expect(process.memoryUsage.rss() - before).toBeLessThan(100 * 2 ** 20);
  }
});

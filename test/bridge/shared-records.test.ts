import { afterEach, describe, expect, test } from 'vitest';
import { storeLimits } from '../../platform/store/store-limits.ts';
import { NativeMember, openMembers, startShard } from './native-member.ts';

let members: readonly NativeMember[] = [];
afterEach(() => {
  for (const member of members) member.close();
});

const shard = 1;

test('the store reads by themselves what the native side shares', () => {
  members = [new NativeMember()];
  expect(members[0]?.addon.limits['sharedRecordMin']).toBe(storeLimits.sharedRecordBytes);
});

describe('a shared record', () => {
  async function put(bytes: number): Promise<NativeMember> {
    members = await openMembers(1);
    await startShard(members, shard);
    const member = members[0] as NativeMember;
    await member.makePool(shard);
    const answer = await member.submit(shard, '/a/b', new Uint8Array(bytes).fill(1));
    expect(answer).toMatchObject({ status: 'OK', version: 1 });
    return member;
  }

  test('is the same memory for all who hold it, under one number', async () => {
    const { addon, handle } = await put(storeLimits.sharedRecordBytes);
    const first = addon.shareVersion(handle, shard, 1) as Buffer;
    const number = addon.sharedAt(handle, first.subarray(100));
    expect(number).toBeGreaterThan(0);
    const second = addon.openShared(handle, number) as Buffer;
    second[second.length - 100] = 9;
    expect(first[first.length - 100]).toBe(9);
  });

  test('that was written to is found out, and given to nobody any more', async () => {
    const { addon, handle } = await put(storeLimits.sharedRecordBytes);
    const first = addon.shareVersion(handle, shard, 1) as Buffer;
    const number = addon.sharedAt(handle, first);
    expect(addon.isSharedSound(handle, number)).toBe(true);
    // The header too: its length would have the checksum read beyond the end.
    first.writeUInt32LE(2 ** 31, 8);
    expect(addon.isSharedSound(handle, number)).toBe(false);
    expect(addon.openShared(handle, number)).toBeNull();
    // Who asks by the bytes is told which it is, lest it takes them for bytes of its own.
    expect(addon.sharedAt(handle, first)).toBe(number);
    const again = addon.shareVersion(handle, shard, 1) as Buffer;
    expect(addon.isSharedSound(handle, addon.sharedAt(handle, again))).toBe(true);
  });

  test('is none of a small one, nor of what is not there', async () => {
    const { addon, handle } = await put(1024);
    expect(addon.shareVersion(handle, shard, 1)).toBeNull();
    expect(addon.shareVersion(handle, shard, 2)).toBeNull();
    expect(addon.sharedAt(handle, new Uint8Array(storeLimits.sharedRecordBytes))).toBe(0);
  });
});

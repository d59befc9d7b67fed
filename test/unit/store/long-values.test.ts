import { expect, test } from 'vitest';
import { ManualClock } from '../../../platform/base/mod.ts';
import { loadAddon } from '../../../platform/bridge/mod.ts';
import type { CallHandler, PeerMessages } from '../../../platform/group/mod.ts';
import {
  bringValue,
  ComingValues,
  type Crc32c,
  fetchValue,
} from '../../../platform/store/long-values.ts';
import { storeLimits } from '../../../platform/store/store-limits.ts';

const node = 2;
const shard = 3;
const options = { leftMs: () => 1000, signal: null };
const value = Buffer.alloc(2 * storeLimits.longPartBytes + 5, 'part');

/** Member 2 brings values to another one; `lost` parts do not arrive. */
function setUp() {
  const clock = new ManualClock();
  let take: CallHandler | null = null;
  let parts = 0;
  const lost = new Set<number>();
  const messages = {
    handle: (_name: string, run: CallHandler) => {
      take = run;
    },
    call: async (_node: number, _name: string, argument: unknown) => {
      if (!lost.has(parts++)) await take?.(node, argument);
    },
  } as unknown as PeerMessages;
  const coming = new ComingValues(messages, clock);
  const bring = async (id: number, to = shard, bytes = value): Promise<void> => {
    parts = 0;
    await bringValue(messages, { node: 1, shard: to, id }, bytes, options);
  };
  return { clock, coming, bring, lost };
}

test('a value is claimed once, whole', async () => {
  const { coming, bring } = setUp();
  await bring(7);
  expect(Buffer.from(coming.claim({ node, shard, id: 7 })).equals(value)).toBe(true);
  expect(() => coming.claim({ node, shard, id: 7 })).toThrow(/did not come whole/);
  await bring(8);
  expect(() => coming.claim({ node, shard: 4, id: 8 })).toThrow(/did not come whole/);
});

test('one that lacks a part is none, and may come again', async () => {
  const { coming, bring, lost } = setUp();
  lost.add(1);
  await expect(bring(7)).rejects.toMatchObject({ code: 'UNREACHABLE' });
  lost.clear();
  lost.add(2);
  await bring(7);
  expect(() => coming.claim({ node, shard, id: 7 })).toThrow(/did not come whole/);
  lost.clear();
  await bring(7);
  expect(coming.claim({ node, shard, id: 7 }).byteLength).toBe(value.byteLength);
});

test('one that nobody goes on with is forgotten', async () => {
  const { clock, coming, bring, lost } = setUp();
  lost.add(2);
  await bring(7);
  clock.advance(storeLimits.longIdleMs - 1);
  expect(clock.timerCount).toBe(1);
  clock.advance(1);
  expect(clock.timerCount).toBe(0);
  expect(() => coming.claim({ node, shard, id: 7 })).toThrow(/did not come whole/);
});

test('values of two shards do not meet, whatever their numbers', async () => {
  const { coming, bring } = setUp();
  const other = Buffer.alloc(value.byteLength, 'other');
  await Promise.all([bring(1, 3), bring(1, 5, other)]);
  expect(Buffer.from(coming.claim({ node, shard: 3, id: 1 })).equals(value)).toBe(true);
  expect(Buffer.from(coming.claim({ node, shard: 5, id: 1 })).equals(other)).toBe(true);
});

test('a value is fetched in parts, and refused if it is not what was stored', async () => {
  const addon = loadAddon();
  const looks: number[] = [];
  const crc32c: Crc32c = (bytes, before) => {
    looks.push(bytes.byteLength);
    return addon.crc32c(bytes, before);
  };
  const record = Buffer.alloc(64 + 3 * 64);
  record.writeUInt32LE(64 + 150, 8);
  record.fill('v', 64, 64 + 150);
  record.writeUInt32LE(addon.crc32c(record.subarray(64, 64 + 150), 0), 4);
  const part = (from: number): Promise<Uint8Array> =>
    Promise.resolve(record.subarray(from, from + 80));
  expect(Buffer.from((await fetchValue(part, crc32c)) ?? []).toString()).toBe('v'.repeat(150));
  // Never at more than came at once, nor at what is no value.
  expect(looks).toEqual([16, 80, 54, 0]);
  record[100] = 0;
  expect(await fetchValue(part, crc32c)).toBeNull();
  await expect(
    fetchValue((from) => (from === 0 ? part(0) : Promise.resolve(new Uint8Array())), crc32c),
  ).rejects.toThrow(/ended too early/);
});

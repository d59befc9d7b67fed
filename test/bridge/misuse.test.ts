import { afterAll, describe, expect, test } from 'vitest';
import { frontierWidth, loadAddon } from '../../platform/bridge/mod.ts';
import { memberOptions, NativeMember } from './native-member.ts';

const addon = loadAddon();
const member = new NativeMember();
const { handle } = member;
afterAll(() => {
  member.close();
});

/** Calls with whatever arguments, as a careless caller would. */
function misuse(name: keyof typeof addon, ...given: readonly unknown[]): () => unknown {
  const called: unknown = Reflect.get(addon, name);
  if (typeof called !== 'function') {
    throw new Error(`${name} is no function`);
  }
  return () => Reflect.apply(called, null, given) as unknown;
}

describe('a missing or wrong argument is a TypeError with its path', () => {
  const options = memberOptions();
  test.each([
    ['clusterId', null, 'a Uint8Array'],
    ['clusterId', new Uint8Array(15), '16 bytes long'],
    ['secret', new Uint8Array(31), '32 bytes long'],
    ['secret', 'secret', 'a Uint8Array'],
    ['nodeId', undefined, 'a whole number'],
    ['nodeId', 0, 'above 0'],
    ['nodeId', 1.5, 'a whole number'],
    ['listenHost', 7, 'a string'],
    ['listenPort', 65_536, 'a whole number from 0 to 65535'],
    ['transport', 4, 'a whole number from 0 to 3'],
    ['dataFolder', undefined, 'a string or null'],
    ['door', undefined, 'an object'],
    ['door', 'here', 'an object'],
    ['spinMicros', -1, 'a whole number'],
    ['heartbeatMs', '50', 'a whole number'],
    ['silenceMs', NaN, 'a whole number'],
  ])('openMember options.%s = %s', (name, value, what) => {
    const call = misuse('openMember', { ...options, [name]: value }, () => undefined);
    expect(call).toThrow(TypeError);
    expect(call).toThrow(`openMember: options.${name} must be ${what}`);
  });

  test.each([
    [misuse('openMember'), 'openMember: options must be an object'],
    [misuse('openMember', options), 'openMember: onWake must be a function'],
    [misuse('nameDoorPool', handle, 'one', '/a'), 'nameDoorPool: pool must be a whole number'],
    [misuse('nameDoorPool', handle, 1, 7), 'nameDoorPool: name must be a string'],
    [misuse('drain', {}), 'drain: member must be a handle of openMember'],
    [misuse('drain', handle, new Float64Array(7)), 'drain: rows must be a Float64Array'],
    [misuse('drain', handle, new Uint8Array(64)), 'drain: rows must be a Float64Array'],
    [misuse('addPeer', handle, 2, null, 1), 'addPeer: host must be a string'],
    [misuse('sendMessage', handle, 2, 'text'), 'sendMessage: bytes must be a Uint8Array'],
    [misuse('openShard', handle, null, 1), 'openShard: options must be an object'],
    [
      misuse('openShard', handle, { shard: 1, persistent: 1, memoryMax: 1 }, 1),
      'openShard: options.persistent must be a boolean',
    ],
    [
      misuse('prepareEpoch', handle, { shard: 1, epoch: 1, members: [1, 'x'] }, 1),
      'prepareEpoch: options.members[1] must be a whole number',
    ],
    [misuse('submit', handle), 'submit: shard must be a whole number'],
    [misuse('submit', handle, 1, 17, 5, 1, 7), 'submit: key must be a string'],
    [misuse('submit', handle, 1, 17, 5, 1, 'k', 'v'), 'submit: value must be a Uint8Array or null'],
    [
      misuse('submit', handle, 1, 17, 5, 1, 'k', null, null, new Float64Array(3)),
      'submit: extra must be a Float64Array of at least 7',
    ],
    [misuse('get', handle, 'one', 'k'), 'get: shard must be a whole number'],
    [misuse('glance', handle, 1, 7), 'glance: key must be a string'],
    [misuse('get', handle, 1, 'k', 4), 'get: point must be a whole number from 0 to 3'],
    [
      misuse('glance', handle, 1, 'k', true, new Uint8Array(200), 201),
      'glance: at must be a whole number from 0 to 200',
    ],
    [misuse('glance', handle, 1, 'k', true, new Uint8Array(200), 95), 'glance: at must be behind'],
    [misuse('glance', handle, 1, 'k', true, new Uint8Array(0), 96), 'glance: at must be'],
    [
      misuse('glance', handle, 1, 'k', true, new Uint8Array(new ArrayBuffer(200), 4), 100),
      'glance: at must be behind an aligned head',
    ],
    [misuse('scan', handle, { shard: 1, kind: 'all' }, 1), "scan: options.kind must be 'versions'"],
    [misuse('keyPlace', 7, 2), 'keyPlace: key must be a string of at most 1024 bytes'],
    [misuse('keyPlace', 'k'.repeat(1025), 2), 'keyPlace: key must be a string of at most 1024'],
    [misuse('keyPlace', '/k', 0), 'keyPlace: count must be above 0'],
    [misuse('keyPlace', '/k', 1.5), 'keyPlace: count must be a whole number'],
    [misuse('crc32c', 'text', 0), 'crc32c: bytes must be a Uint8Array'],
    [misuse('crc32c', Buffer.alloc(1), -1), 'crc32c: before must be'],
    [
      misuse('readLog', handle, 1, 1, NaN, 0, -1, 0, 100, 1),
      'readLog: sequence must be a whole number',
    ],
    [misuse('cutBack', handle, 1, 1, 0.5, 1), 'cutBack: sequence must be a whole number'],
    [misuse('openShardCut', handle, null, 1, 1, 1), 'openShardCut: options must be an object'],
  ])('%#', (call, message) => {
    expect(call).toThrow(TypeError);
    expect(call).toThrow(message);
  });
});

describe('what is impossible is answered with its status', () => {
  const status = (name: string): number => -addon.statusNames.indexOf(name);

  test('a shard that is not here', () => {
    expect(addon.submit(handle, 99, 17, 5, 1, 'k', null, null, null)).toBe(status('NOT_A_MEMBER'));
    expect(addon.frontiers(handle, 99, new Float64Array(frontierWidth))).toBe(
      status('NOT_A_MEMBER'),
    );
    expect(member.get(99, 'k')).toBe('NOT_A_MEMBER');
  });

  test('a persistent shard without a data folder', () => {
    const options = { shard: 3, persistent: true, memoryMax: 1 << 26 };
    expect(addon.openShard(handle, options, 1)).toBe(status('INVALID_ARGUMENT'));
  });

  test('a pool that is none', () => {
    expect(addon.nameDoorPool(handle, 0, '/a')).toBe(status('INVALID_ARGUMENT'));
    expect(addon.nameDoorPool(handle, 65_536, null)).toBe(status('INVALID_ARGUMENT'));
    expect(addon.nameDoorPool(handle, 1, '/a')).toBe(0);
  });

  test('a peer that is oneself, or not there', () => {
    expect(addon.addPeer(handle, 1, '127.0.0.1', 1)).toBe(status('INVALID_ARGUMENT'));
    expect(addon.sendMessage(handle, 9, new Uint8Array(1))).toBe(status('PEER_UNREACHABLE'));
  });

  test('keys, values and flags beyond the limits', async () => {
    await member.openShard(7, false);
    const long = 'k'.repeat(1025);
    expect(addon.submit(handle, 7, 17, 5, 1, long, null, null, null)).toBe(status('KEY_TOO_LONG'));
    const wide = 'k'.repeat(1023) + 'é';
    expect(addon.submit(handle, 7, 17, 5, 1, wide, null, null, null)).toBe(status('KEY_TOO_LONG'));
    const meta = new Uint8Array(4097);
    expect(addon.submit(handle, 7, 17, 5, 1, 'k', null, meta, null)).toBe(
      status('INVALID_ARGUMENT'),
    );
    expect(addon.submit(handle, 7, 0, 5, 1, 'k', null, null, null)).toBe(
      status('INVALID_ARGUMENT'),
    );
    expect(addon.submit(handle, 7, 49, 5, 1, 'k', null, null, null)).toBe(
      status('INVALID_ARGUMENT'),
    );
    const huge = new Uint8Array(1024 * 1024 * 1024 + 1);
    expect(addon.submit(handle, 7, 17, 5, 1, 'k', huge, null, null)).toBe(
      status('VALUE_TOO_LARGE'),
    );
  });

  test('a shard opened twice, and epochs that cannot be', async () => {
    await member.openShard(8, false);
    await expect(member.openShard(8, false)).rejects.toThrow('INVALID_ARGUMENT');
    await expect(member.startEpoch(8, 1)).rejects.toThrow('INVALID_ARGUMENT');
    await expect(member.prepareEpoch(8, 1, [2, 3])).rejects.toThrow('INVALID_ARGUMENT');
    await expect(member.prepareEpoch(8, 1, [1, 1])).rejects.toThrow('INVALID_ARGUMENT');
    await expect(member.prepareEpoch(8, 1, [1, 2])).rejects.toThrow('PEER_UNREACHABLE');
    await expect(member.submit(8, 'k', null)).resolves.toMatchObject({ status: 'NOT_A_MEMBER' });
  });
});

test('hashes are the published ones', () => {
  expect(addon.crc32c(Buffer.from('123456789'), 0)).toBe(0xe3069283);
  const before = addon.crc32c(Buffer.from('1234'), 0);
  expect(addon.crc32c(Buffer.from('56789'), before)).toBe(0xe3069283);
  expect(addon.xxh3(new Uint8Array(0))).toBe(0x2d06800538d394c2n);
  for (const key of ['/k', '/barn/é/\u{1f404}', `/${'k'.repeat(1023)}`]) {
    for (const count of [1, 2, 7, 1000]) {
      const place = addon.xxh3(Buffer.from(key)) % BigInt(count);
      expect(addon.keyPlace(key, count)).toBe(Number(place));
    }
  }
});

test('statuses and limits are given once', () => {
  expect(addon.statusNames[0]).toBe('OK');
  expect(new Set(addon.statusNames).size).toBe(addon.statusNames.length);
  expect(addon.limits).toMatchObject({ keySizeMax: 1024, valueSizeMax: 1024 * 1024 * 1024 });
  expect(Object.isFrozen(addon.limits)).toBe(true);
});

import { afterEach, expect, test } from 'vitest';
import { multicastAlgorithms } from '../../platform/bridge/mod.ts';
import { groupLimits } from '../../platform/group/group-limits.ts';
import { type Algorithm, type Move, scheduleOf } from './block-schedule.ts';
import { type NativeMember, openMembers, startShard } from './native-member.ts';

let members: readonly NativeMember[] = [];
afterEach(() => {
  for (const member of members) {
    member.close();
  }
});

const shard = 1;
const blockSize = 16_384;
const blocks = 21;

function trace(member: NativeMember): Promise<Buffer | null> {
  return member.result((token) => member.addon.traceBlocks(member.handle, shard, token));
}

/** As the schedule names members: the value's sender is 0, the others follow in rank order. */
function movesIn(packed: Buffer | null, sender: number): Move[] {
  const bytes = packed ?? Buffer.alloc(0);
  const indexOf = (node: number): number => (node - sender + members.length) % members.length;
  return Array.from({ length: bytes.length / 24 }, (_, nth) => {
    const word = (column: number): number => bytes.readUInt32LE(nth * 24 + column * 4);
    expect([word(0), word(1)]).toEqual([sender, 1]);
    return { step: word(2), from: indexOf(word(3)), to: indexOf(word(4)), block: word(5) };
  });
}

function sorted(moves: readonly Move[]): Move[] {
  return moves.toSorted((a, b) => a.step - b.step || a.from - b.from);
}

test.each<[Algorithm, number]>([
  ['binomial', 2],
  ['binomial', 3],
  ['binomial', 4],
  ['binomial', 5],
  ['binomial', 7],
  ['chain', 4],
  ['tree', 4],
  ['sequential', 4],
])('blocks go as the schedule says: %s, %i members', async (algorithm, count) => {
  members = await openMembers(count);
  const multicast = multicastAlgorithms[algorithm];
  await startShard(members, shard, false, 1, { multicast, blockSize });
  await Promise.all(members.map((member) => trace(member)));
  const [first, sender] = [members[0], members[count - 1]];
  if (first === undefined || sender === undefined) throw new Error('There are members');
  await first.makePool(shard);
  const value = Buffer.alloc(blocks * blockSize - 77, 'freshet');
  expect(await sender.submit(shard, '/large', value)).toMatchObject({ status: 'OK', version: 1 });
  const traces = await Promise.all(members.map((member) => trace(member)));
  const moves = traces.flatMap((packed) => movesIn(packed, sender.nodeId));
  expect(sorted(moves)).toEqual(sorted(scheduleOf(algorithm, count, blocks)));
  await Promise.all(
    members.map((member) => {
      return member.call((token) => member.addon.waitCurrent(member.handle, shard, false, token));
    }),
  );
  for (const member of members) {
    expect(value.equals(member.get(shard, '/large') as Buffer)).toBe(true);
  }
});

test('blocks of a size that cannot be are refused, by the bounds that the layout has', async () => {
  members = await openMembers(1);
  const [member] = members;
  if (member === undefined) throw new Error('There is a member');
  const { blockSizeMin, blockSizeMax, blockSizeDefault } = member.addon.limits;
  expect([blockSizeMin, blockSizeMax, blockSizeDefault]).toEqual([
    groupLimits.blockBytesMin,
    groupLimits.blockBytesMax,
    groupLimits.blockBytesDefault,
  ]);
  await member.openShard(shard, false);
  const rules = { shard, raw: false, multicast: 0 };
  const tell = (size: number): Promise<Buffer | null> =>
    member.result((token) =>
      member.addon.setShardRules(member.handle, { ...rules, blockSize: size }, token),
    );
  await tell(groupLimits.blockBytesMin);
  await expect(tell(0)).rejects.toThrow('INVALID_ARGUMENT');
  await expect(tell(groupLimits.blockBytesMin - 1)).rejects.toThrow('INVALID_ARGUMENT');
  expect(() => {
    member.addon.setShardRules(member.handle, { ...rules, multicast: 4, blockSize }, 1);
  }).toThrow('setShardRules: rules.multicast');
});

import { expect, test } from 'vitest';
import {
  FreshetError,
  ManualClock,
  type NativeDoorInfo,
  SeededRandom,
} from '../../../../platform/base/mod.ts';
import { Placement } from '../../../../platform/bridge/mod.ts';
import { MemberDoors } from '../../../../platform/client/native/member-doors.ts';
import { NativeCalls } from '../../../../platform/client/native/native-calls.ts';
import { NativeReads } from '../../../../platform/client/native/native-reads.ts';
import { TopologyKeeper } from '../../../../platform/client/native/topology.ts';
import { until } from '../../../support/mod.ts';

const bytes = new Uint8Array(1);
const info: NativeDoorInfo = {
  ticket: { ticket: bytes, key: bytes, expires: 0, clusterId: bytes },
  view: 1,
  members: [1, 2].map((nodeId) => ({ nodeId, host: '127.0.0.1', port: 1 })),
  shards: [{ shard: 2, members: [1, 2], senders: [1, 2], persistent: true, raw: false }],
  pools: [{ name: '/p', id: 1, kind: 'persistent', maxValueBytes: 9, shards: [2], locations: {} }],
};
const statusNames = ['OK'];

/** Reads of a client that is connected with nobody, and whom nobody answers over gRPC either. */
async function unconnected() {
  const clock = new ManualClock();
  const topology = new TopologyKeeper({
    fetch: () => Promise.resolve(info),
    placement: new Placement({ xxh3: () => 0n, keyPlace: () => 0 }),
    clock,
    turn: 0,
    onChange: () => undefined,
  });
  await topology.load();
  const random = new SeededRandom(1);
  const told = { onView: () => undefined, onLost: () => undefined };
  const dial = () => -1;
  const doors = new MemberDoors({ statusNames, dial, clock, random, ...told });
  const pauses: number[] = [];
  const pause = async (delayMs: number): Promise<void> => {
    pauses.push(delayMs);
    return new Promise(() => undefined);
  };
  const options = { doors, topology, statusNames, timeoutMs: 5000, clock, pause };
  const refuse = () => Promise.reject(new FreshetError('UNREACHABLE', 'nobody is there'));
  const reads = new NativeReads(new NativeCalls(options), { get: refuse, stat: refuse });
  const shard = topology.current?.shard(2);
  if (shard === null || shard === undefined) throw new Error('the shard is not known');
  return { reads, shard, pauses };
}

test('a read that waits for a member is CANCELLED as soon as its caller gives up', async () => {
  const { reads, shard, pauses } = await unconnected();
  const abort = new AbortController();
  const read = reads.read(shard, { key: '/p/k', signal: abort.signal }, true);
  await until(() => pauses.length === 1);
  abort.abort();
  await expect(read).rejects.toMatchObject({ code: 'CANCELLED' });
});
